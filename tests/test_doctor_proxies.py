"""`greetlab doctor` behind real proxies: who shares the calls, and whether a cure is needed."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import proxies
import pytest
from command_line import greetlab
from support import free_ip

import greetlab as gl
from greetlab.commands.doctor import examine_service

FOREIGN = 50072


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("grpc_proxy", "https_proxy", "http_proxy", "no_grpc_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def pods():
    """greet, which says who answered."""
    with gl.Cluster.local(pods=3, seed=1) as cluster:
        yield [f"{pod.ip}:{cluster.port}" for pod in cluster.pods]


@pytest.fixture(scope="module")
def foreign():
    """Somebody else's servers, which say nothing."""
    with ThreadPoolExecutor(4) as threads:
        servers, ends = [], [f"{free_ip()}:{FOREIGN}" for _ in range(3)]
        for end in ends:
            servers.append(grpc.server(threads))
            servers[-1].add_insecure_port(end)
            servers[-1].start()
        yield ends
        for server in servers:
            server.stop(0).wait()


@pytest.mark.parametrize(
    ("proxy", "name"),
    [(proxies.envoy, "Envoy"), (proxies.nginx, "nginx"), (proxies.haproxy, "")],
    ids=["envoy", "nginx", "haproxy"],
)
def test_a_proxy_that_balances_each_request_needs_no_cure(tmp_path, pods, proxy, name):
    with proxy(tmp_path, pods) as address:
        ended = greetlab("doctor", address, "--json")
    report = ended.document
    assert ended.status == 0
    assert report["sticky"] is False
    assert report["balanced"] == "proxy"
    assert report["fix"] is None
    assert report["runs"][0]["connections"] == 1
    assert sorted(report["runs"][0]["by_pod"]) == ["pod-1", "pod-2", "pod-3"]
    who = f" ({name})" if name else ""
    assert report["verdict"].startswith(
        f"Not sticky: a proxy in between{who} balances each request: 30 calls over one connection "
        "were answered by 3 pods: "
    )
    assert report["verdict"].endswith("No cure is needed.")


def test_a_proxy_that_balances_connections_does(tmp_path, pods):
    with proxies.haproxy(tmp_path, pods, mode="tcp") as address:
        report = examine_service(address)
    assert report.sticky
    assert report.behind.all == ["pod-1", "pod-2", "pod-3"]
    assert "12 new connections reached pod-1, pod-2, pod-3" in report.verdict
    assert report.fix.service


@pytest.mark.parametrize(
    ("proxy", "name"), [(proxies.envoy, "Envoy"), (proxies.nginx, "nginx")], ids=["envoy", "nginx"]
)
def test_a_foreign_service_behind_one_that_says_who_it_is(tmp_path, foreign, proxy, name):
    """What it does with requests cannot be seen; who answers can."""
    with proxy(tmp_path, foreign) as address:
        ended = greetlab("doctor", address, "-n", 4, "--json")
    report = ended.document
    assert ended.status == 0
    assert (report["sticky"], report["balanced"], report["speaks"]) == (None, "proxy", "grpc")
    assert report["verdict"].startswith(f"Balanced by a proxy in between, it seems: {name} answers")
    assert any(f"How many servers are behind {name}" in said for said in report["unknown"])


def test_a_foreign_service_behind_one_that_says_nothing_is_not_known(tmp_path, foreign):
    with proxies.haproxy(tmp_path, foreign) as address:
        report = examine_service(address, times=4)
    assert report.sticky
    assert any("or whether a proxy" in said for said in report.unknown)


def test_one_pod_behind_a_proxy_is_no_cure_s_business(tmp_path, pods):
    with proxies.nginx(tmp_path, pods[:1]) as address:
        report = examine_service(address, times=6)
    assert (report.balanced, report.fix, report.healthy) == ("proxy", None, True)
    assert any("all calls were answered by pod-1" in said for said in report.unknown)
