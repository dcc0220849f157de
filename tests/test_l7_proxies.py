"""Real proxies before the pods that balance requests, Envoy and HAProxy: what both promise."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from proxies import members
from support import stop_process, wait_until

import greetlab as gl
from greetlab.clusters.processes import StartError
from greetlab.clusters.proxies import envoy, haproxy

KINDS = {
    "envoy": (envoy.program, envoy.EnvoyProxy, "Envoy"),
    "haproxy": (haproxy.program, haproxy.HAProxy, "HAProxy"),
}


@pytest.fixture(scope="module", params=list(KINDS))
def kind(request):
    try:
        KINDS[request.param][0]()
    except StartError as error:
        pytest.skip(str(error))
    return request.param


@pytest.fixture(scope="module")
def cluster(kind):
    with gl.Cluster.local(pods=3, proxy=kind, seed=1) as made:
        yield made


@pytest.fixture
def service(kind):
    return f"greetserver-{kind}"


def wait_for(cluster, service, pods):
    """Until it has heard of so many: Envoy reads its file on its own time."""
    wait_until(lambda: len(cluster.l7_proxies[service].hosts()) == pods)


def reported(channel):
    return [(one.connections, one.calls) for one in channel.trace.of("ProxyReported")]


def test_one_connection_and_every_pod_has_its_share(cluster, service):
    cluster.scale(3)
    wait_for(cluster, service, 3)
    proxy = cluster.l7_proxies[service]
    assert cluster.lookup(service).addresses == [proxy.ip]
    sent = [one["rq_total"] for one in proxy.hosts().values()]
    with cluster.channel(service) as channel:  # pick_first
        calls = channel.greet("Ada", times=60)
        assert len(channel.trace.of("Connected")) == 1
    assert sorted(calls.by_pod.values()) == [20, 20, 20]
    hosts = proxy.hosts()
    assert sorted(hosts) == [f"{pod.ip}:{cluster.port}" for pod in cluster.pods if pod.listed]
    assert [one["cx_active"] for one in hosts.values()] == [1, 1, 1]
    now = [one["rq_total"] for one in hosts.values()]
    assert [after - was for after, was in zip(now, sent, strict=True)] == [20] * 3


def test_it_hears_of_new_pods_and_the_client_need_not(cluster, service):
    cluster.scale(3)
    wait_for(cluster, service, 3)
    with cluster.channel(service) as channel:
        channel.greet("Ada")
        for pods in (5, 2):
            cluster.scale(pods)
            wait_for(cluster, service, pods)
            assert [*channel.greet("Ada", times=60).by_pod.values()] == [60 // pods] * pods
        assert len(channel.trace.of("LookupStarted")) == 1


def test_many_calls_share_a_connection_to_each_pod(cluster, service):
    cluster.scale(3)
    wait_for(cluster, service, 3)
    proxy = cluster.l7_proxies[service]
    with cluster.channel(service) as channel:
        channel.greet("Ada", times=3)
        before = proxy.connections_made()
        assert channel.load(600, 30).ok == 600
    assert before >= 3
    assert proxy.connections_made() == before


def test_what_no_pod_has_begun_goes_to_another_one(kind, service):
    with (
        gl.Cluster.local(pods=3, proxy=kind, seed=1, endpoint_lag=60) as cluster,
        cluster.channel(service) as channel,
    ):
        wait_for(cluster, service, 3)
        channel.greet("Ada", times=3)
        cluster.kill("pod-2")
        calls = channel.greet("Ada", times=30)
        assert cluster.l7_proxies[service].connections_made() == 3  # attempts are none
    assert calls.by_pod["pod-1"] + calls.by_pod["pod-3"] == calls.ok
    assert calls.ok >= 29  # of one that was on its way the proxy cannot know


def test_what_it_did_stands_in_the_trace_of_the_client_and_one_that_has_ended_says_no_more(
    kind, service
):
    with (
        gl.Cluster.local(pods=3, proxy=kind, seed=1) as cluster,
        cluster.channel(service) as channel,
        cluster.channel("greetserver") as another,
    ):
        wait_for(cluster, service, 3)
        channel.greet("Ada", times=60)
        assert reported(channel) == [(1, 20)] * 3
        told = channel.trace.of("ProxyReported")
        assert {one.endpoint for one in told} == {
            f"{pod.ip}:{cluster.port}" for pod in cluster.pods
        }
        assert told.first().sentence.endswith("20 calls there since it was listed")
        assert len(reported(channel)) == 3  # nothing is new
        channel.greet("Ada", times=3)
        assert [calls for _, calls in reported(channel)][3:] == [21] * 3
        assert not another.trace.of("ProxyReported")
        proxy = cluster.l7_proxies[service]
        os.kill(proxy.popen.pid, signal.SIGKILL)
        os.waitid(os.P_PID, proxy.popen.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(OSError, match=r"has ended|refused|No such file"):
            proxy.hosts()
        cluster.scale(2)  # the others are told
        assert len(cluster.lookup("greetserver-headless").addresses) == 2
        assert len(reported(channel)) == 6


def test_one_that_does_not_answer_holds_up_a_look_at_the_trace_for_a_second(kind, service):
    with (
        gl.Cluster.local(pods=1, proxy=kind, seed=1) as cluster,
        cluster.channel(service) as channel,
    ):
        wait_for(cluster, service, 1)
        channel.greet("Ada")
        assert reported(channel) == [(1, 1)]
        stop_process(cluster.l7_proxies[service].popen.pid)
        assert reported(channel) == [(1, 1)]


def test_of_an_endpoint_that_has_gone_the_last_is_said(cluster, service):
    cluster.scale(3)
    wait_for(cluster, service, 3)
    with cluster.channel(service) as channel:
        channel.greet("Ada", times=3)
        gone = f"{cluster.pods[-1].ip}:{cluster.port}"
        assert channel.trace.last("ProxyReported", endpoint=gone).connections == 1
        cluster.scale(2)
        wait_for(cluster, service, 2)
        assert channel.trace.last("ProxyReported", endpoint=gone).connections == 0
        channel.greet("Ada", times=2)
    assert channel.trace.last("ProxyReported").calls > 1  # closing looks once more


@pytest.mark.usefixtures("_ipv6")
def test_it_speaks_ipv6(kind, service):
    with (
        gl.Cluster.local(pods=2, proxy=kind, ip="v6", seed=1) as cluster,
        cluster.channel(service) as channel,
    ):
        wait_for(cluster, service, 2)
        assert [*channel.greet("Ada", times=20).by_pod.values()] == [10, 10]
        assert sorted(cluster.l7_proxies[service].hosts()) == [
            f"[{pod.ip}]:{cluster.port}" for pod in cluster.pods
        ]
        assert reported(channel) == [(1, 10)] * 2


def test_nothing_is_left_of_it(kind, service):
    with gl.Cluster.local(pods=1, proxy=kind) as cluster:
        proxy = cluster.l7_proxies[service]
        folder, group = Path(proxy._folder.name), proxy.popen.pid
        assert members(group)
    assert not folder.exists()
    wait_until(lambda: not members(group))


def test_it_ends_with_a_python_that_was_killed(kind, service):
    script = (
        "import greetlab as gl, signal\n"
        f"cluster = gl.Cluster.local(pods=1, proxy='{kind}')\n"
        f"proxy = cluster.l7_proxies['{service}']\n"
        "print(proxy.popen.pid, proxy._folder.name, flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as python:
        number, folder = python.stdout.readline().decode().split()
        assert members(int(number))
        assert Path(folder).exists()
        python.send_signal(signal.SIGKILL)
        wait_until(lambda: not members(int(number)))
        assert not Path(folder).exists()


def test_one_that_cannot_listen_says_why(cluster, kind, service):
    _, proxy_class, name = KINDS[kind]
    taken = cluster.l7_proxies[service].ip
    proxy = proxy_class("second", taken, 50051, lifeline=cluster._lifeline)
    try:
        with pytest.raises(StartError, match=rf"second \({name}\) did not start: .*in use"):
            proxy.await_serving()
    finally:
        proxy.kill()


def test_what_cannot_be_is_said():
    with pytest.raises(ValueError, match="it is 'envoy', 'haproxy', or None"):
        gl.Cluster.local(pods=1, proxy="nginx")
    with pytest.raises(ValueError, match="these pods speak TLS"):
        gl.Cluster.local(pods=1, proxy="envoy", tls=True)
