"""greet-server with a capacity: who is served, waits, or is refused; and queueing theory."""

import math
import subprocess
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import psutil
import pytest
from test_capacity import erlang_c
from test_greet_server import NO_PROXY, START, serve  # noqa: F401  (serve is a fixture)

import greetlab as gl
from greetlab import _core, executables

GREET = "/greet.GreetService/Greet"


def cpu(server):
    times = psutil.Process(server.process.pid).cpu_times()
    return times.user + times.system


def test_its_help_has_each_option_in_the_core_s_words():
    shown = subprocess.run(
        [executables.path("greet-server"), "--help"], capture_output=True, text=True, timeout=START
    ).stdout
    shown = " ".join(shown.split())
    for name, _, text in _core.pod_options():
        assert "--" + name.replace("_", "-") in shown
        assert text in shown


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--capacity", "0"], "capacity 0: a pod that serves nobody; 1 at least"),
        (["--queue", "3"], "queue 3: only a pod with a capacity has a queue"),
        (["--capacity", "many"], "--capacity"),
        (["--service-time", "gauss 3ms"], "expected 20ms, 5ms..20ms (uniform), exponential 20ms"),
    ],
)
def test_a_pod_that_makes_no_sense_does_not_start(flags, said):
    ended = subprocess.run(
        [executables.path("greet-server"), "--listen", "127.255.1.1", "--port", "0", *flags],
        capture_output=True, text=True, timeout=START,
    )  # fmt: skip
    assert ended.returncode == 1
    assert said in ended.stderr
    assert ended.stdout == ""


def test_it_serves_so_many_at_a_time_first_come_first_served_and_burns_nothing(serve):
    server = serve("--capacity", "2", "--service-time", "60ms")
    with server.channel() as channel:
        channel.wait_ready()
        before = cpu(server)
        calls = channel.load(8, concurrency=8)
        assert cpu(server) - before < 0.08  # of 240 ms in which six calls or fewer wait
    # Two at a time: which of the two is done first, two timers say.
    pairs = [set(calls.serial[row : row + 2]) for row in range(0, 8, 2)]
    assert pairs == [{1, 2}, {3, 4}, {5, 6}, {7, 8}]
    rounds = np.round(calls.latency_ns / 60e6, 1)
    assert (np.floor(rounds) >= [1, 1, 2, 2, 3, 3, 4, 4]).all()
    assert calls.seconds < 0.4


def test_what_is_beyond_its_queue_is_refused_at_once(serve):
    server = serve("--capacity", "1", "--queue", "2", "--service-time", "200ms")
    with server.channel() as channel:
        channel.wait_ready()
        calls = channel.load(6, concurrency=6)
    assert calls.by_status == {"OK": 3, "RESOURCE_EXHAUSTED": 3}
    assert set(calls.errors) == {"the pod's queue is full"}
    assert calls.latency_ns[calls.status != 0].max() < 190e6
    assert list(calls.serial) == [1, 2, 3, 0, 0, 0]


def test_a_client_that_has_gone_gives_up_its_place(serve):
    server = serve("--capacity", "1", "--queue", "1", "--service-time", "600ms")
    with server.channel() as channel:
        channel.wait_ready()
        # Neither lasts for as long as the first one is served; the second one waits behind it.
        gone = channel.load(2, every=0.05, timeout=0.3)
        assert gone.by_status == {"DEADLINE_EXCEEDED": 2}
        assert channel.greet("A").by_status == {"OK": 1}


def test_a_call_past_its_deadline_is_not_served(serve):
    server = serve("--capacity", "1", "--service-time", "300ms")
    with server.channel() as channel:
        channel.wait_ready()
        assert channel.load(3, concurrency=3, timeout=0.1).by_status == {"DEADLINE_EXCEEDED": 3}
        last = channel.greet("A")
    # The first one was begun, and goes on to its end; the two that waited were not.
    assert list(last.serial) == [2]
    assert last.seconds < 0.58


def test_it_ends_with_calls_in_its_queue(serve):
    server = serve("--capacity", "1", "--service-time", "1000s", "--grace", "100ms")
    with server.channel() as channel:
        channel.wait_ready()
        with grpc.insecure_channel(server.address, options=NO_PROXY) as other:
            futures = [other.unary_unary(GREET).future(b"", timeout=START) for _ in range(4)]
            channel.greet("A", timeout=0.05)
            server.process.terminate()
            assert server.wait() == 0
            codes = {future.code() for future in futures}
    assert codes <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


def test_a_slowed_pod_of_a_cluster_is_overloaded():
    with gl.Cluster.local(pods=2, seed=3, capacity=2, queue=4, service_time="5ms") as cluster:
        cluster.slow("pod-2", "40ms")
        with cluster.channel("greetserver-headless", policy="round_robin") as channel:
            channel.wait_ready(all=True)
            calls = channel.load(120, every=0.005)
    refused = calls.status == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    assert 10 < refused.sum() < 60
    took = {
        name: np.median([one.latency_ns for one in calls if one.pod == name]) for name in calls.pods
    }
    assert took["pod-2"] > 5 * took["pod-1"]


def side_by_side(channels, run):
    with ThreadPoolExecutor(len(channels)) as pool:
        return list(pool.map(run, channels))


def test_waits_are_those_of_the_formula():
    """M/M/2, ten pods side by side: ten samples, from which the band comes."""
    every, servers = 0.015, 2
    options = {"capacity": servers, "service_time": "exponential 20ms"}
    with gl.Cluster.local(pods=10, seed=5, **options) as cluster:
        channels = [
            gl.Channel(f"static:{pod.ip}:{cluster.port}", seed=number, trace_capacity=0)
            for number, pod in enumerate(cluster.pods)
        ]
        runs = side_by_side(channels, lambda one: one.load(200, every=f"exponential {every}s"))
        # What a call takes of which no queue is a part: timers of a millisecond, and the wire.
        alone = side_by_side(channels, lambda one: one.load(40, concurrency=servers))
        for channel in channels:
            channel.close()
    service = np.mean([run.latency_ns.mean() for run in alone]) / 1e9
    if service > 0.026:
        pytest.skip(f"this machine is too busy: 20 ms take {service * 1e3:.1f} ms")
    waits = np.array([run.latency_ns[50:].mean() / 1e9 - service for run in runs])
    band = 3.25 * waits.std(ddof=1) / math.sqrt(len(waits))  # Student's t, 9 degrees, 99 %
    # A busy machine makes a call longer at some moments and not at others: while the loads ran it
    # was as long as it was drawn at the least, and as it was alone at the most.
    assert erlang_c(servers, 0.02, every) - band < waits.mean()
    assert waits.mean() < erlang_c(servers, service, every) + band
