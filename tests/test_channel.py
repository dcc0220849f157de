"""The channel and what it brings back."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from support import free_ip

import greetlab as gl
from greetlab.channels.channel import Channel
from greetlab.channels.options import ENGINES


@pytest.fixture(scope="module")
def cluster():
    with gl.Cluster.local(pods=3, seed=3) as cluster:
        yield cluster


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture
def nobody():
    """A target where nobody listens."""
    return f"ipv4:{free_ip()}:1"


def test_load_fills_every_row_of_every_column(cluster, engine):
    with cluster.channel("greetserver-headless", policy="round_robin", engine=engine) as channel:
        channel.wait_ready(all=True)
        before = time.monotonic_ns()
        calls = channel.load(900, concurrency=16)
        after = time.monotonic_ns()
    assert len(calls) == calls.ok == 900
    assert calls.by_pod == {"pod-1": 300, "pod-2": 300, "pod-3": 300}
    assert before < calls.start_ns.min()
    assert (calls.start_ns + calls.latency_ns).max() < after
    assert (calls.latency_ns > 0).all()
    assert (calls.status == 0).all()
    assert set(calls.connection.tolist()) == {0, 1, 2}
    for pod in range(3):  # each pod's own count: nothing lost, nothing twice
        assert np.unique(calls.serial[calls.pod == pod]).size == 300


def test_columns_are_views_of_the_cores_memory_that_outlive_their_owner(cluster, engine):
    with cluster.channel("greetserver", engine=engine) as channel:
        calls = channel.load(10, concurrency=2)
    column = calls.latency_ns
    assert column.base is not None
    assert not column.flags.writeable
    assert calls.latency_ns.ctypes.data == column.ctypes.data  # the same memory, not a copy
    total = int(column.sum())
    del calls
    assert int(column.sum()) == total


def test_concurrency_is_how_many_are_in_flight(cluster, engine):
    for pod in cluster.pods:
        cluster.slow(pod.name, 0.02)
    try:
        with cluster.channel("greetserver", engine=engine) as channel:
            channel.wait_ready()
            calls = channel.load(40, concurrency=8)
    finally:
        for pod in cluster.pods:
            cluster.slow(pod.name, 0)
    moments = np.concatenate([calls.start_ns, calls.start_ns + calls.latency_ns])
    change = np.concatenate([np.ones(40), -np.ones(40)])
    in_flight = np.cumsum(change[np.argsort(moments, kind="stable")])
    assert in_flight.max() == 8


def test_a_connection_per_call_opens_as_many_connections_as_calls(cluster, engine):
    opened = len([f for f in cluster.proxy_facts if f["fact"] == "opened"])
    with cluster.channel("greetserver", connection_per_call=True, engine=engine) as channel:
        calls = channel.load(50, concurrency=4)
    assert calls.ok == 50
    assert len(calls.connections) == 50
    now = len([f for f in cluster.proxy_facts if f["fact"] == "opened"])
    assert now - opened == 50  # and the ClusterIP agrees


def test_two_channels_do_not_share_a_connection(cluster, engine):
    with (
        cluster.channel("greetserver", engine=engine) as one,
        cluster.channel("greetserver", engine=engine) as other,
    ):
        first, second = one.greet("A"), other.greet("A")
    assert first.connections != second.connections


def test_wait_ready_all_waits_for_every_subchannel(cluster, engine):
    with cluster.channel("greetserver-headless", policy="round_robin", engine=engine) as channel:
        channel.wait_ready(all=True)
        assert [s.state for s in channel.subchannels] == ["READY"] * 3
        assert sorted(s.address for s in channel.subchannels) == sorted(
            f"{pod.ip}:50051" for pod in cluster.pods
        )
        assert all(len(s.local_addresses) == 1 for s in channel.subchannels)
        assert channel.state == "READY"


def test_subchannels_are_those_of_this_channel_only(cluster, engine):
    names = ("greetserver", "greetserver-headless")
    with (
        cluster.channel(names[0], engine=engine) as one,
        cluster.channel(names[1], policy="round_robin", engine=engine) as three,
        cluster.channel(names[0], engine=engine) as unused,
    ):
        one.wait_ready()
        three.wait_ready(all=True)
        assert [len(c.subchannels) for c in (one, three, unused)] == [1, 3, 0]
        assert unused.state == "IDLE"


def test_wait_ready_says_what_it_waited_for(nobody, engine):
    with (
        Channel(nobody, engine=engine) as channel,
        pytest.raises(TimeoutError, match=r"not READY within 0.1 s; the channel is .*:1 "),
    ):
        channel.wait_ready(timeout=0.1)


def test_a_failure_is_a_row_not_an_exception(nobody, engine):
    with Channel(nobody, engine=engine) as channel:
        calls = channel.load(20, concurrency=4)
    assert calls.by_status == {"UNAVAILABLE": 20}
    assert calls.by_pod == {}
    assert calls.ok == 0
    assert "Connection refused" in calls.errors[0]
    assert calls[0].pod is None
    assert calls[0].status == "UNAVAILABLE"
    assert np.isnan(calls.percentile(50))
    assert "UNAVAILABLE" in repr(calls)


def test_a_deadline_is_kept(cluster, engine):
    cluster.slow("pod-1", 5)
    try:
        with Channel(f"ipv4:{cluster.pods[0].ip}:{cluster.port}", engine=engine) as channel:
            calls = channel.greet("A", timeout=0.1)
    finally:
        cluster.slow("pod-1", 0)
    assert calls.by_status == {"DEADLINE_EXCEEDED": 1}
    assert 0.09e9 < calls.latency_ns[0] < 2e9


def test_an_http_proxy_in_the_environment_is_not_asked(cluster, monkeypatch, nobody, engine):
    monkeypatch.setenv("http_proxy", f"http://{nobody.removeprefix('ipv4:')}")
    with cluster.channel("greetserver", engine=engine) as channel:
        assert channel.greet("A").ok == 1


@pytest.mark.parametrize("target", ["ipv4:nope", "", "no-such-scheme:///x"])
def test_a_target_that_makes_no_sense_fails_the_calls_and_can_be_closed(target):
    for _ in range(3):
        channel = Channel(target, engine="grpc")
        assert channel.greet("A", timeout=0.5).ok == 0
        assert channel.state in {"TRANSIENT_FAILURE", "IDLE", "CONNECTING"}
        channel.close()


def test_no_calls_are_no_calls(cluster, engine):
    with cluster.channel("greetserver", engine=engine) as channel:
        calls = channel.load(0)
    assert len(calls) == 0
    assert list(calls) == []
    assert calls.seconds == 0
    assert repr(calls)


def test_several_threads_may_use_one_channel(cluster, engine):
    results = []
    with cluster.channel("greetserver-headless", policy="round_robin", engine=engine) as channel:
        channel.wait_ready(all=True)
        threads = [
            threading.Thread(target=lambda: results.append(channel.load(300, concurrency=8)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [calls.ok for calls in results] == [300] * 4
    total = sum(sum(calls.by_pod.values()) for calls in results)
    assert total == 1200


def pod_1(cluster):
    return Channel(f"ipv4:{cluster.pods[0].ip}:{cluster.port}")


def test_close_cancels_what_is_in_flight_and_what_was_not_started(cluster):
    results = []
    with pod_1(cluster) as witness, pod_1(cluster) as channel:
        before, asked = witness.greet("A").serial[0], 0
        worker = threading.Thread(target=lambda: results.append(channel.load(300_000)))
        worker.start()
        while witness.greet("A").serial[0] < before + asked + 100:  # until it is under way
            asked += 1
        channel.close()
        worker.join(5)
        assert not worker.is_alive()
        with pytest.raises(ValueError, match="this channel is closed"):
            channel.greet("A")
    assert set(results[0].by_status) == {"OK", "CANCELLED"}
    assert len(results[0]) == 300_000


def test_a_signal_handler_may_close_the_channel_that_is_calling(cluster):
    channel = pod_1(cluster)

    def close(_number, _frame):
        channel.close()

    previous = signal.signal(signal.SIGUSR1, close)
    try:
        timer = threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGUSR1])
        timer.start()
        calls = channel.load(300_000)
        timer.join()
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert "CANCELLED" in calls.by_status
    assert channel.state == "SHUTDOWN"


def test_waiting_for_a_channel_that_is_closed_meanwhile_says_so(nobody, engine):
    channel = Channel(nobody, engine=engine)
    threading.Timer(0.1, channel.close).start()
    with pytest.raises(ValueError, match="closed while it was waited for"):
        channel.wait_ready(timeout=30)


FORKED = """
import greetlab as gl, os, sys
with gl.Cluster.local(pods=1) as cluster:
    channel = cluster.channel("greetserver").wait_ready()
    child = os.fork()
    if child == 0:
        sys.exit(7)  # the long way out: every finalizer runs
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    print(channel.greet("A").ok, cluster.pods[0].state)
"""


def test_a_forked_child_that_exits_takes_nothing_of_its_parent_along():
    said = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, check=True, timeout=20
    )
    assert said.stdout.split() == ["7", "1", "serving"]


def test_channels_made_side_by_side_know_their_own_subchannels(cluster, engine):
    def dial_anew():
        with cluster.channel("greetserver", connection_per_call=True, engine=engine) as channel:
            channel.load(200, concurrency=4)

    noise = threading.Thread(target=dial_anew)
    noise.start()
    for _ in range(20):
        with cluster.channel("greetserver", engine=engine) as channel:
            assert len(channel.wait_ready(all=True).subchannels) == 1
    noise.join()


INTERRUPTED = """
import greetlab as gl, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a runner may have it ignored
with gl.Cluster.local(pods=1) as cluster:
    cluster.slow("pod-1", 60)
    with cluster.channel("greetserver") as channel:
        channel.wait_ready()
        try:
            print("calling", flush=True)
            channel.load(10, concurrency=2, timeout=60)
        except KeyboardInterrupt:
            print(time.monotonic_ns(), flush=True)
"""


def test_ctrl_c_stops_a_running_load_at_once():
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True
    ) as python:
        try:
            assert python.stdout.readline() == "calling\n"
            sent = time.monotonic_ns()
            python.send_signal(signal.SIGINT)
            stopped = int(python.stdout.readline())
            assert python.wait(10) == 0
        finally:
            python.kill()
    assert stopped - sent < 1e9  # 50 ms on an idle machine; here only that it does not hang


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"policy": "fastest"},
            "policy 'fastest': there is pick_first, round_robin, random",
        ),
        (
            {"policy": "random", "engine": "grpc"},
            "policy 'random': .* takes pick_first or round_robin",
        ),
        ({"engine": "go"}, "engine 'go': there is 'lab', 'grpc', 'grpcio'"),
    ],
)
def test_an_unknown_policy_or_engine_is_named(nobody, options, said):
    with pytest.raises(ValueError, match=said):
        Channel(nobody, **options)


@pytest.mark.parametrize("bad", [{"n": -1}, {"n": 1, "concurrency": 0}, {"n": 1, "timeout": 0}])
def test_an_impossible_load_is_refused(nobody, bad, engine):
    with (
        Channel(nobody, engine=engine) as channel,
        pytest.raises(ValueError, match=r"the number of calls|concurrency|timeout"),
    ):
        channel.load(**bad)


def test_rows_and_reprs_read_well(cluster, engine):
    with cluster.channel("greetserver-headless", policy="round_robin", engine=engine) as channel:
        channel.wait_ready(all=True)
        calls = channel.greet("Ada", "Lovelace", times=6)
        assert f"round_robin · engine {engine} · READY" in repr(channel)
    assert (
        repr(calls)
        .splitlines()[0]
        .startswith("greetserver-headless, round_robin: 6 calls · 6 OK · 3 connections · p50 ")
    )
    assert "  pod-2       2  ███" in repr(calls)
    assert "<td>pod-2</td>" in calls._repr_html_()
    assert calls[-1].pod == calls[5].pod
    assert "Hello, Ada Lovelace" in str(calls[0])
    with pytest.raises(IndexError, match="call 6 of 6"):
        calls[6]
    assert "pod-1" in repr(cluster)
    assert "<td>pod-1</td>" in cluster._repr_html_()
