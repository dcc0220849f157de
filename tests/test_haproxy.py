"""A real HAProxy before the pods, in HTTP/2 on both sides: it balances requests, as Envoy does."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from proxies import members
from support import wait_until

import greetlab as gl
from greetlab.clusters.processes import StartError
from greetlab.clusters.proxies import haproxy

SERVICE = "greetserver-haproxy"

try:
    haproxy.program()
except StartError as error:
    pytest.skip(str(error), allow_module_level=True)


@pytest.fixture(scope="module")
def cluster():
    with gl.Cluster.local(pods=3, proxy="haproxy", seed=1) as made:
        yield made


def test_one_connection_and_every_pod_has_its_share(cluster):
    cluster.scale(3)
    proxy = cluster.l7_proxies[SERVICE]
    assert cluster.lookup(SERVICE).addresses == [proxy.ip]
    taken, sent = proxy.connections_taken(), [one["rq_total"] for one in proxy.hosts().values()]
    with cluster.channel(SERVICE) as channel:  # pick_first
        calls = channel.greet("Ada", times=60)
        assert proxy.connections_taken() - taken == 1
    assert sorted(calls.by_pod.values()) == [20, 20, 20]
    hosts = proxy.hosts()
    assert list(hosts) == [f"{pod.ip}:{cluster.port}" for pod in cluster.pods if pod.listed]
    assert [one["cx_active"] for one in hosts.values()] == [1, 1, 1]
    assert [one["rq_total"] - was for one, was in zip(hosts.values(), sent, strict=True)] == [
        20
    ] * 3


def test_it_is_told_of_new_pods_and_the_client_need_not(cluster):
    cluster.scale(3)
    with cluster.channel(SERVICE) as channel:
        channel.greet("Ada")
        cluster.scale(5)
        assert [*channel.greet("Ada", times=60).by_pod.values()] == [12] * 5
        cluster.scale(2)
        assert [*channel.greet("Ada", times=60).by_pod.values()] == [30] * 2
        assert len(channel.trace.of("LookupStarted")) == 1
    assert len(cluster.l7_proxies[SERVICE].hosts()) == 2


def test_many_calls_share_a_connection_to_each_pod(cluster):
    cluster.scale(3)
    proxy = cluster.l7_proxies[SERVICE]
    with cluster.channel(SERVICE) as channel:
        channel.greet("Ada", times=3)
        before = proxy.connections_made()
        assert channel.load(600, 30).ok == 600
    assert before >= 3
    assert proxy.connections_made() == before


def test_what_could_not_be_sent_goes_to_another_one():
    with (
        gl.Cluster.local(pods=3, proxy="haproxy", seed=1, endpoint_lag=60) as cluster,
        cluster.channel(SERVICE) as channel,
    ):
        channel.greet("Ada", times=3)
        cluster.kill("pod-2")
        calls = channel.greet("Ada", times=30)
        hosts = cluster.l7_proxies[SERVICE].hosts()
        did = {place: (one["cx_active"], one["rq_total"]) for place, one in hosts.items()}
        assert did[f"{cluster.pods[1].ip}:{cluster.port}"] == (0, 1)  # attempts are not calls
        assert sum(sent for _, sent in did.values()) == 33
        assert cluster.l7_proxies[SERVICE].connections_made() == 3
    assert calls.by_pod["pod-1"] + calls.by_pod["pod-3"] == calls.ok
    assert calls.ok >= 29  # of one that was on its way the proxy cannot know


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


def test_nothing_is_left_of_it():
    with gl.Cluster.local(pods=1, proxy="haproxy") as cluster:
        proxy = cluster.l7_proxies[SERVICE]
        folder, group = Path(proxy._folder.name), proxy.popen.pid
        assert members(group)
    assert not folder.exists()
    wait_until(lambda: not members(group))


def test_it_ends_with_a_python_that_was_killed():
    script = (
        "import greetlab as gl, signal\n"
        "cluster = gl.Cluster.local(pods=1, proxy='haproxy')\n"
        f"proxy = cluster.l7_proxies['{SERVICE}']\n"
        "print(proxy.popen.pid, proxy._folder.name, flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as python:
        number, folder = python.stdout.readline().decode().split()
        assert members(int(number))
        python.send_signal(signal.SIGKILL)
        wait_until(lambda: not members(int(number)))
        assert not Path(folder).exists()


def test_what_it_did_stands_in_the_client_s_trace_and_one_that_has_ended_says_so():
    with gl.Cluster.local(pods=1, proxy="haproxy") as other, other.channel(SERVICE) as channel:
        proxy = other.l7_proxies[SERVICE]
        channel.greet("Ada", times=3)
        assert [(one.connections, one.calls) for one in channel.trace.of("ProxyReported")] == [
            (1, 3)
        ]
        os.kill(proxy.popen.pid, signal.SIGKILL)
        os.waitid(os.P_PID, proxy.popen.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(ConnectionError, match=rf"{SERVICE} \(HAProxy\) has ended"):
            proxy.hosts()
        other.scale(2)  # the others are told
        assert len(other.lookup("greetserver-headless").addresses) == 2
        assert len(channel.trace.of("ProxyReported")) == 1


def test_of_an_endpoint_that_has_gone_the_last_is_said(cluster):
    cluster.scale(3)
    with cluster.channel(SERVICE) as channel:
        channel.greet("Ada", times=3)
        gone = f"{cluster.pods[-1].ip}:{cluster.port}"
        assert channel.trace.last("ProxyReported", endpoint=gone).connections == 1
        cluster.scale(2)
        assert channel.trace.last("ProxyReported", endpoint=gone).connections == 0
        channel.greet("Ada", times=2)
    assert channel.trace.last("ProxyReported").calls > 1  # closing looks once more


def test_one_that_cannot_listen_says_why(cluster):
    taken = cluster.l7_proxies[SERVICE].ip
    proxy = haproxy.HAProxy("second", taken, 50051, lifeline=cluster._lifeline)
    try:
        with pytest.raises(StartError, match=r"second \(HAProxy\) did not start: .*in use"):
            proxy.await_serving()
    finally:
        proxy.kill()


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(StartError, match="there is no HAProxy: apt install haproxy"):
        gl.Cluster.local(pods=1, proxy="haproxy")
