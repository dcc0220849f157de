"""Our DNS server, held to what a real cluster's CoreDNS said (coredns.json; see coredns.py)."""

import json

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


# What differs and stays so (bindings/greetlab/dns/server.py has the whole list).
CAPITALS = [f"{name}.{coredns.SVC}. SRV udp" for name in ("WEB", "hEadLess", "DB-0.headless")]
LONGER = [f"{name}.{coredns.SVC}. SRV edns 4096" for name in ("forty", "_grpc._tcp.forty")]


@pytest.mark.parametrize("question", coredns.QUESTIONS, ids=str)
def test_ours_says_what_coredns_said(server, question):
    told = coredns.ask(server.address, PORT, question)
    # ns.dns is whoever answers.
    told = json.loads(json.dumps(told).replace(server.address, "10.96.0.10"))
    theirs = RECORDED[str(question)]
    if str(question) in LONGER:  # it points from an address to the SRV's target: 15 bytes less
        assert (told["answer"], len(theirs["answer"])) == (40, 40)
        assert told["additional"] < len(theirs["additional"]) == 40
        return
    if str(question) in CAPITALS:  # a name that is pointed to is as it was first written
        assert told != theirs
        lower = [line.lower().replace(" in a ", " IN A ") for line in told["additional"]]
        told["additional"] = sorted(lower)
    assert told == theirs


def test_the_table_is_of_these_questions():
    assert list(RECORDED) == [str(question) for question in coredns.QUESTIONS]
