"""A real HAProxy before the pods: what is its own (what all promise: test_l7_proxies.py)."""

import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import wait_until

import greetlab as gl
from greetlab.clusters.processes import StartError
from greetlab.clusters.proxies import haproxy

SERVICE = "greetserver-haproxy"

try:
    haproxy.program()
except StartError as error:
    pytest.skip(str(error), allow_module_level=True)


def test_a_slot_rests_before_it_is_used_again(monkeypatch):
    monkeypatch.setattr(haproxy, "_SLOTS", 3)
    with gl.Cluster.local(pods=2, proxy="haproxy", seed=1) as cluster:
        for number in range(3):
            cluster.scale(1)
            [left] = cluster.l7_proxies[SERVICE]._used.values()
            assert left == "pod1"
            cluster.scale(2)
            assert (
                list(cluster.l7_proxies[SERVICE]._used.values())[1] == f"pod{2 + (number + 1) % 2}"
            )
            assert cluster.pods[-1].name == f"pod-{number + 3}"
            with cluster.channel(SERVICE) as channel:
                assert [*channel.greet("Ada", times=10).by_pod] == ["pod-1", f"pod-{number + 3}"]
                # Not those of whoever had the slot before.
                assert list(cluster.l7_proxies[SERVICE].hosts().values())[1]["rq_total"] == 5


def test_an_attempt_is_no_call():
    with (
        gl.Cluster.local(pods=3, proxy="haproxy", seed=1, endpoint_lag=60) as cluster,
        cluster.channel(SERVICE) as channel,
    ):
        channel.greet("Ada", times=3)
        cluster.kill("pod-2")
        channel.greet("Ada", times=30)
        hosts = cluster.l7_proxies[SERVICE].hosts()
    did = {place: (one["cx_active"], one["rq_total"]) for place, one in hosts.items()}
    assert did[f"{cluster.pods[1].ip}:{cluster.port}"] == (0, 1)
    assert sum(sent for _, sent in did.values()) == 33


def test_calls_that_are_under_way_at_a_pod_that_dies_are_handed_back_and_sent_again():
    with (
        gl.Cluster.local(pods=3, proxy="haproxy", seed=1) as cluster,
        cluster.channel(SERVICE) as channel,
        ThreadPoolExecutor() as pool,
    ):
        proxy = cluster.l7_proxies[SERVICE]
        for pod in cluster.pods:
            cluster.slow(pod.name, 30.0)
        load = pool.submit(channel.load, 30, 30, timeout=25.0)
        place = f"{cluster.pods[1].ip}:{cluster.port}"
        wait_until(lambda: int(proxy.hosts()[place]["scur"]) == 10)
        # Off the list first: a call is sent again once (A6), and here it meets no dead pod again.
        cluster.set_serving("pod-2", False)
        assert place not in proxy.hosts()
        cluster.kill("pod-2")
        wait_until(lambda: len(channel.trace.of("Picked")) == 40)
        channel.close()
        assert load.result().by_status == {"CANCELLED": 30}


def test_one_that_has_ended_says_so():
    with gl.Cluster.local(pods=1, proxy="haproxy") as cluster:
        proxy = cluster.l7_proxies[SERVICE]
        os.kill(proxy.popen.pid, signal.SIGKILL)
        os.waitid(os.P_PID, proxy.popen.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(ConnectionError, match=rf"{SERVICE} \(HAProxy\) has ended"):
            proxy.hosts()


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(StartError, match="there is no HAProxy: apt install haproxy"):
        gl.Cluster.local(pods=1, proxy="haproxy")
