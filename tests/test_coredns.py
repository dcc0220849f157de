"""Our DNS server, held to what a real cluster's CoreDNS said (coredns.json; see coredns.py)."""

import coredns
import pytest
from support import free_ip

from greetlab.dns.server import ClusterDns

PORT = 5353
RECORDED = coredns.load()["answers"]


@pytest.fixture(scope="module")
def server():
    with ClusterDns(free_ip(), PORT, ttl=30, seed=7) as server:
        for name, service in coredns.SERVICES.items():
            server.set_service(name, coredns.NAMESPACE, **service)
        yield server


@pytest.mark.parametrize("question", coredns.QUESTIONS, ids=str)
def test_ours_says_what_coredns_said(server, question):
    told = coredns.ask(server.address, PORT, question)
    assert told == RECORDED[str(question)]
