"""Lookaside: a client that asks a balancer whom to call, before each call."""

import signal
import sys
import threading

import pytest
from support import wait_until

import greetlab as gl
from greetlab.clusters.lookaside import balancer as lookaside
from greetlab.clusters.lookaside.channel import WHOM
from greetlab.clusters.processes import StartError
from greetlab.trace.consistency import problems

pytest.importorskip("grpc", reason="no balancer: pip install 'greetlab[grpcio]'")


@pytest.fixture(scope="module")
def cluster():
    with gl.Cluster.local(pods=3, lookaside=True, seed=1) as made:
        yield made


def test_one_turn_for_the_calls_of_all_clients(cluster):
    """With round_robin each of the two would have given its first pod one more."""
    cluster.scale(3)
    cluster.balancer.given.clear()
    with cluster.balancer.channel() as a, cluster.balancer.channel() as b:
        calls = [channel.greet("Ada", times=10) for channel in (a, b, a)]
        assert [one.ok for one in calls] == [10, 10, 10]
        assert list(cluster.balancer.given.values()) == [10, 10, 10]
        assert calls[0][0].result.startswith("Hello, Ada")
        counts = [sum(one.by_pod[pod] for one in calls) for pod in ("pod-1", "pod-2", "pod-3")]
        assert counts == [10, 10, 10]


def test_a_call_is_two_and_connections_are_kept(cluster):
    cluster.scale(3)
    with cluster.balancer.channel().wait_ready() as channel:
        assert [each.address for each in channel.subchannels] == [cluster.balancer.address]
        calls = channel.greet("Ada", times=12)
        assert len(calls.connections) == 3
        trace = channel.trace
        assert len(trace.of("Connected")) == 1 + 3
        assert len(trace.of("CallStarted")) == 2 * 12
        assert len(trace.of("CallStarted", who=channel.name)) == 2 * 12
        assert problems(trace) == []


def test_a_new_pod_is_called_by_the_next_turn(cluster):
    cluster.scale(3)
    with cluster.balancer.channel() as channel:
        channel.greet("Ada", times=3)
        cluster.scale(5)
        assert [*channel.greet("Ada", times=10).by_pod.values()] == [2] * 5
        assert not channel.trace.of("LookupStarted")


def test_many_at_once_and_at_moments(cluster):
    cluster.scale(2)
    with cluster.balancer.channel(seed=1) as channel:
        assert channel.load(40, 8).ok == 40
        calls = channel.load(20, every=0.002, keys={"user-id": 3})
        assert calls.ok == 20
        assert (calls.start_ns[-1] - calls.start_ns[0]) / 1e9 > 0.02
        assert len(channel.load(0)) == 0


def test_without_the_balancer_nobody_is_called():
    with (
        gl.Cluster.local(pods=1, lookaside=True, seed=1) as cluster,
        cluster.balancer.channel() as channel,
    ):
        assert channel.greet("Ada").ok == 1
        cluster.scale(0)
        calls = channel.greet("Ada")
        assert calls.by_status == {"UNAVAILABLE": 1}
        assert calls.errors == ["whom? no endpoint of greetserver is listed"]
        cluster.scale(1)
        cluster.balancer.stop()
        calls = channel.greet("Ada", times=2)
        assert calls.by_status == {"UNAVAILABLE": 2}
        assert cluster.balancer.address in calls.errors[-1]


def test_one_timeout_is_for_both(cluster):
    """Each of the two takes less than it."""
    cluster.scale(1)
    cluster.slow("pod-1", 0.3)
    with cluster.balancer.channel().wait_ready() as channel:
        cluster.balancer._lock.acquire()
        threading.Timer(0.3, cluster.balancer._lock.release).start()
        calls = channel.greet("Ada", timeout=0.5)
    cluster.slow("pod-1", 0)
    assert calls.by_status == {"DEADLINE_EXCEEDED": 1}


def test_close_ends_what_is_in_flight(cluster):
    cluster.scale(1)
    cluster.slow("pod-1", 5)
    channel, got = cluster.balancer.channel(), []
    thread = threading.Thread(target=lambda: got.append(channel.greet("Ada", times=3, timeout=9)))
    thread.start()
    wait_until(lambda: len(channel.trace.of("Picked")) == 2)
    channel.close()
    thread.join()
    cluster.slow("pod-1", 0)
    assert got[0].by_status == {"CANCELLED": 3}
    with pytest.raises(ValueError, match="channel is closed"):
        channel.greet("Ada")


def test_what_is_not_due_yet_is_not_waited_for(cluster):
    cluster.scale(1)
    channel, ended = cluster.balancer.channel(), []
    thread = threading.Thread(target=lambda: ended.append(channel.load(5, every=60.0).by_status))
    thread.start()
    wait_until(lambda: len(channel.trace.of("CallEnded")) == 2)
    channel.close()
    thread.join(20)
    assert ended == [{"OK": 1, "CANCELLED": 4}]


def test_who_interrupts_a_load_does_not_wait_for_what_is_not_due(cluster):
    with cluster.balancer.channel() as channel:

        def interrupt():
            wait_until(lambda: len(channel.trace.of("CallEnded")) == 2)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            channel.load(5, every=60.0)
        thread.join()


def test_another_service_it_does_not_know(cluster):
    with gl.Channel(f"static:{cluster.balancer.address}") as channel:
        answer = channel.call_method(WHOM, b"else\xffwhere")
    assert answer.status == "NOT_FOUND"
    assert answer.error == "whom? there is only greetserver"


def test_what_is_missing_is_said(cluster, monkeypatch):
    with gl.Cluster.local(pods=1) as plain, pytest.raises(ValueError, match="lookaside=True"):
        _ = plain.balancer
    with pytest.raises(ValueError, match="speak no TLS"):
        gl.Cluster.local(pods=1, lookaside=True, tls=True)
    with pytest.raises(ValueError, match="lab's own channel"):
        cluster.balancer.channel(engine="grpc")
    with cluster.balancer.channel() as channel, pytest.raises(ValueError, match="knows no pods"):
        channel.wait_ready(pods=3)
    with pytest.raises(StartError, match="balancer did not start"):
        lookaside.Balancer(cluster.balancer.address.rpartition(":")[0], "greetserver")
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(StartError, match=r"pip install 'greetlab\[grpcio\]'"):
        gl.Cluster.local(pods=1, lookaside=True)
