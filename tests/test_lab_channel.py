"""The lab's own channel on real connections: what only it has, and what it must never do."""

import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support import free_ip, wait_until

import greetlab as gl
from greetlab.channels.channel import Channel
from greetlab.channels.options import ENGINES


@pytest.fixture(scope="module")
def cluster():
    with gl.Cluster.local(pods=3, seed=11) as cluster:
        yield cluster


@pytest.fixture
def own():
    """A cluster for one test, which may break it."""
    with gl.Cluster.local(pods=3, seed=5) as cluster:
        yield cluster


def count(what):
    """How many threads ("task") or descriptors ("fd") this process has."""
    return len(list(Path("/proc/self", what).iterdir()))


# --- What it tells -------------------------------------------------------------------------------


def test_an_answer_goes_back_to_the_lookup_step_by_step(cluster):
    with cluster.channel("greetserver-headless", policy="round_robin") as channel:
        channel.greet("Ada")
        trace = channel.trace
    answered = trace.last("CallEnded", code="OK")
    kinds = [event.kind for event in answered.causes()]
    assert kinds[:2] == ["CallEnded", "Picked"]
    for step in ("PickerPublished", "Connected", "ConnectStarted", "LookupEnded", "CallStarted"):
        assert step in kinds, answered.why()
    assert kinds[-1] == "CallStarted"  # the very call that woke the channel
    assert trace.world == "LOCAL"


def test_each_connection_in_the_trace_is_one_that_a_pod_saw(cluster):
    with cluster.channel("greetserver-headless", policy="round_robin") as channel:
        channel.wait_ready(all=True)
        calls = channel.load(60, concurrency=6)
        told = {event.local for event in channel.trace.of("Connected")}
        shown = {local for view in channel.subchannels for local in view.local_addresses}
    assert told == shown == {peer for _, peer in calls.connections}
    assert len(told) == 3


def test_a_story_counts_from_its_clients_first_event(cluster):
    with cluster.channel("greetserver") as channel:
        channel.greet("Ada")
        first = channel.trace.of(who=channel.name)[0]
    assert str(first).startswith("0.000 ms ")
    assert first.seconds > 1  # the machine's clock, which other processes share


@pytest.mark.parametrize("service", ["greetserver", "greetserver-headless"])
def test_a_kill_comes_before_what_it_causes_and_is_its_cause(own, service):
    with own.channel(service) as channel:
        victim = next(iter(channel.greet("A").by_pod))
        own.kill(victim)
        wait_until(lambda: len(channel.trace.of("ConnectionLost")) == 1)
        cause = channel.trace.first("ConnectionLost").cause
    assert (cause.kind, cause.pod, cause.change) == ("PodChanged", victim, "killed")


def test_a_failed_call_says_where_it_was_sent(own):
    own.fail("pod-1", 1)
    address = f"{own.pods[0].ip}:{own.port}"
    with Channel(f"static:{address}") as channel:
        channel.greet("A")
        ended = channel.trace.last("CallEnded")
    assert f"call 1, sent to {address}, failed with UNAVAILABLE: injected error" in str(ended)


def test_what_was_before_a_client_began_is_not_among_its_steps(cluster):
    with cluster.channel("greetserver") as channel:
        steps = list(channel.steps("Ada"))
        told = [event.kind for event in channel.trace]
    assert steps[0].kind == "CallStarted"
    assert {event.who for event in steps} == {channel.name}
    assert told[:5] == ["PodChanged"] * 3 + ["EndpointsChanged"] * 2


def test_what_the_cluster_does_stands_in_its_clients_traces(own):
    with own.channel("greetserver") as channel, own.channel("greetserver", engine="grpc") as other:
        own.slow("pod-2", 0.001)
        own.kill("pod-3")
        own.scale(3)
        changes = [(event.pod, event.change) for event in channel.trace.of("PodChanged")]
        listed = [event.count for event in channel.trace.of("EndpointsChanged")]
        assert len(other.trace) == 0
    assert changes == [
        ("pod-1", "started"), ("pod-2", "started"), ("pod-3", "started"),
        ("pod-2", "slowed"), ("pod-3", "killed"), ("pod-4", "started"),
    ]  # fmt: skip
    assert listed == [3, 3, 2, 2, 3, 3]


@pytest.mark.parametrize("engine", ENGINES)
def test_both_engines_tell_the_outcome_of_every_call(cluster, engine):
    with cluster.channel("greetserver", engine=engine) as channel:
        channel.load(50, concurrency=4)
        ended = channel.trace.of("CallEnded")
    assert [event.fields["call"] for event in channel.trace.of("CallStarted")] == [*range(1, 51)]
    assert len(ended) == 50
    assert {event.code for event in ended} == {"OK"}
    assert len({(event.pod, event.connection) for event in ended}) == 1
    assert all(event.cause.kind in {"CallStarted", "Picked"} for event in ended)


def test_grpcs_engine_claims_nothing_that_it_does_not_show(cluster):
    with cluster.channel("greetserver", engine="grpc") as channel:
        channel.load(5)
        assert set(channel.trace.counts()) == {"CallStarted", "CallEnded"}


def test_a_trace_outlives_its_channel_and_tells_its_end(cluster, tmp_path):
    with cluster.channel("greetserver") as channel:
        channel.greet("Ada")
    trace = channel.trace
    assert trace.last("ChannelStateChanged").to == "SHUTDOWN"
    trace.save(tmp_path / "trace.jsonl")
    assert gl.Trace.load(tmp_path / "trace.jsonl").counts() == trace.counts()


def test_without_a_trace_nothing_is_kept(cluster):
    with cluster.channel("greetserver", trace_capacity=0) as channel:
        assert channel.greet("Ada").ok == 1
        assert len(channel.trace) == 0


# --- How connections end -------------------------------------------------------------------------


def lost(channel):
    wait_until(lambda: len(channel.trace.of("ConnectionLost")) > 0)
    event = channel.trace.first("ConnectionLost")
    assert event.certainty == "observed"
    return event


def test_a_goaway_is_seen_and_fails_no_call():
    with (
        gl.Cluster.local(pods=1, max_connection_age=0.1) as cluster,
        cluster.channel("greetserver-headless") as channel,
    ):
        # There is always a call in flight, which keeps the connection open after the GOAWAY.
        cluster.slow("pod-1", (0.02, 0.06))
        calls = channel.load(60, concurrency=4)
        told = channel.trace.of("ConnectionLost")
        said = channel.trace.of("GoAwayReceived")
    assert calls.ok == 60
    assert len(told) > 1
    assert {event.graceful for event in told} == {"yes"}
    assert {event.cause.kind for event in told} == {"GoAwayReceived"}
    assert {event.error for event in said} == {"NO_ERROR"}


def test_a_goaway_on_an_idle_connection_is_seen_at_once():
    with (
        gl.Cluster.local(pods=1, max_connection_age=0.1) as cluster,
        cluster.channel("greetserver-headless") as channel,
    ):
        channel.wait_ready()
        assert lost(channel).graceful == "yes"
        wait_until(lambda: channel.state == "IDLE")  # pick_first: nobody calls


def test_calls_that_break_off_show_that_it_was_not_in_order(own):
    own.slow("pod-1", 30)
    with Channel(f"static:{own.pods[0].ip}:{own.port}", world="LOCAL") as channel:
        channel.wait_ready()
        results = []
        caller = threading.Thread(target=lambda: results.append(channel.greet("A", timeout=20)))
        caller.start()
        wait_until(lambda: len(channel.trace.of("Picked")) == 1)
        own.kill("pod-1")
        caller.join()
        assert results[0].by_status == {"UNAVAILABLE": 1}
        assert lost(channel).graceful == "no"


def test_an_idle_connection_that_ends_without_a_goaway_broke(own):
    with Channel(f"static:{own.pods[0].ip}:{own.port}") as channel:
        channel.wait_ready()
        own.kill("pod-1")
        assert lost(channel).graceful == "no"
        wait_until(lambda: channel.state == "IDLE")  # pick_first: nobody calls


def test_it_redials_only_when_its_own_backoff_says_so(own):
    with Channel(f"static:{own.pods[0].ip}:{own.port}", policy="round_robin", seed=3) as channel:
        channel.wait_ready()
        own.kill("pod-1")
        trace = lambda: channel.trace  # noqa: E731
        wait_until(lambda: len(trace().of("BackoffStarted")) == 2, timeout=10)
        attempts = trace().of("ConnectStarted")
        assert len(attempts) == 3  # the first, the one at once, the one after a second
        second, third = attempts.seconds[1:]
        backoff = trace().first("BackoffStarted")
        assert 0.8 <= third - second <= 1.25
        assert third >= backoff.until / 1e9
        assert "Connection refused" in trace().last("ConnectFailed").reason
        assert channel.greet("A").errors[0].startswith("connections to all backends failing")


# --- Connecting ----------------------------------------------------------------------------------


def test_a_server_that_never_answers_is_not_ready():
    with socket.socket() as listener:
        listener.bind((free_ip(), 0))
        listener.listen()
        ip, port = listener.getsockname()
        with Channel(f"static:{ip}:{port}") as channel:
            with pytest.raises(TimeoutError, match="the channel is CONNECTING"):
                channel.wait_ready(timeout=0.3)
            assert channel.greet("A", timeout=0.1).by_status == {"DEADLINE_EXCEEDED": 1}


def test_a_server_that_speaks_something_else_is_a_failed_attempt():
    with socket.socket() as listener:
        listener.bind((free_ip(), 0))
        listener.listen()
        ip, port = listener.getsockname()

        def speak():
            connection, _ = listener.accept()
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.close()

        threading.Thread(target=speak, daemon=True).start()
        with Channel(f"static:{ip}:{port}") as channel:
            calls = channel.greet("A", timeout=10)
            assert calls.by_status == {"UNAVAILABLE": 1}
            assert channel.trace.first("ConnectFailed").subchannel == 1


def test_srv_brings_the_port_along(cluster):
    name = "_grpc._tcp.greetserver-headless.default.svc.cluster.local."
    with Channel(f"srv://{cluster.dns_address}/{name}", policy="round_robin") as channel:
        channel.wait_ready(all=True)
        assert sorted(view.address for view in channel.subchannels) == [
            f"{pod.ip}:{cluster.port}" for pod in cluster.pods
        ]
        asked = {event.type for event in channel.trace.of("QueryAnswered")}
    assert asked == {"SRV", "A", "AAAA"}


def test_a_name_that_is_an_address_is_not_looked_up(cluster):
    with Channel(f"dns:///{cluster.cluster_ip}:{cluster.port}") as channel:
        assert channel.greet("A").ok == 1
        assert not channel.trace.of("LookupStarted")


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("", "no port"),
        ("dns:///greetserver", "no port"),
        ("dns://ns.example/greetserver:1", "no port"),
        ("dns://ns.example:53/greetserver:1", "not named by its IP"),
        ("dns://127.0.0.1:53", "no '/' after the server"),
        ("static:", "no address"),
        ("static:localhost:1", "'localhost' is no IP address"),
        ("static:127.0.0.1", "no port"),
        ("ipv4:localhost:1", "'localhost' is no IP address"),
        ("ipv6:", "no address"),
        ("xds:///greetserver", "no such scheme"),
        ("srv:///", "no name"),
    ],
)
def test_a_target_that_makes_no_sense_is_refused_in_words(target, why):
    with pytest.raises(ValueError, match=f"target '{target}'.*{why}") as refused:
        Channel(target)
    assert str(refused.value).endswith(
        "(expected dns:///name:port, dns://server:port/name:port, srv:///name, static:ip:port,... "
        "or k8s:///service.namespace:port)"
    )


def test_what_a_call_sends_is_written_before_anybody_waits(cluster):
    with cluster.channel("greetserver") as channel:
        channel.wait_ready()
        quickest = min(channel.greet("Ada").latency_ns[0] for _ in range(30))
    assert quickest < 1e6  # a loop that waited first would wake up to 20 ms later


# --- Threads, signals, processes -----------------------------------------------------------------


def test_closing_leaves_no_thread_and_no_descriptor_behind(cluster):
    def use():
        with cluster.channel("greetserver-headless", policy="round_robin") as channel:
            channel.wait_ready(all=True).load(30)

    use()  # what gRPC itself starts, once
    before = count("task"), count("fd")
    for _ in range(10):
        use()
    wait_until(lambda: count("task") <= before[0])
    assert count("fd") <= before[1]


def test_sixteen_threads_one_channel(cluster):
    results = []
    with cluster.channel("greetserver-headless", policy="round_robin") as channel:
        channel.wait_ready(all=True)

        def call():
            for _ in range(20):
                results.append(channel.greet("A"))

        callers = [threading.Thread(target=call) for _ in range(16)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert sum(calls.ok for calls in results) == 320
        by_pod = {pod: sum(c.by_pod.get(pod, 0) for c in results) for pod in ("pod-1", "pod-2")}
        assert abs(by_pod["pod-1"] - by_pod["pod-2"]) <= 1


def test_python_goes_on_while_a_call_waits(cluster):
    ticks = []
    done = threading.Event()

    def tick():
        while not done.wait(0.001):
            ticks.append(1)

    ticker = threading.Thread(target=tick)
    with Channel(f"static:{free_ip()}:1", policy="round_robin") as channel:
        ticker.start()
        channel.greet("A", timeout=0.3, wait_for_ready=True)
        done.set()
        ticker.join()
    assert len(ticks) > 50


INTERRUPTED = """
import greetlab as gl, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
with gl.Channel("static:%s:1", policy="round_robin") as channel:
    try:
        print("calling", flush=True)
        channel.%s
    except KeyboardInterrupt:
        print(time.monotonic_ns(), flush=True)
"""


@pytest.mark.parametrize(
    "waits", ["greet('A', timeout=60, wait_for_ready=True)", "wait_ready(timeout=60)"]
)
def test_ctrl_c_ends_a_wait(waits):
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED % (free_ip(), waits)], stdout=subprocess.PIPE, text=True
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


FORKED = """
import greetlab as gl, os
with gl.Cluster.local(pods=1) as cluster:
    channel = cluster.channel("greetserver", engine="{engine}").wait_ready()
    child = os.fork()
    if child == 0:
        for use in (lambda: channel.greet("A"), lambda: gl.Channel("static:127.0.0.1:1")):
            try:
                use()
            except RuntimeError as error:
                print("subprocess" in str(error), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    print(channel.greet("A").ok)
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_a_forked_child_is_told_and_the_parent_goes_on(engine):
    said = subprocess.run(
        [sys.executable, "-c", FORKED.format(engine=engine)],
        capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    # grpcio's process is another one, so a new channel in the child is as good as any.
    new = [] if engine == "grpcio" else ["True"]
    assert said.stdout.split() == ["True", *new, "1"], said.stderr


EXITS = """
import greetlab as gl, threading
channel = gl.Channel("static:{ip}:1", policy="round_robin", engine="{engine}")
began = threading.Event()
def call():
    began.set()
    channel.greet("A", timeout=60, wait_for_ready=True)
threading.Thread(target=call, daemon=True).start()
began.wait()
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_the_interpreter_can_end_while_calls_run(engine):
    said = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", EXITS.format(ip=free_ip(), engine=engine)],
        capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert (said.returncode, said.stderr) == (0, "")


def test_a_client_that_is_there_before_the_pods_waits_until_the_set_is_whole():
    """Healthy connections are no reason to look again (found on a real cluster: one pod of three
    had it all)."""
    with gl.Cluster.local(pods=1) as cluster:
        channel = cluster.channel("greetserver-headless", policy="round_robin", cooldown=0.1)
        channel.wait_ready(all=True)  # the name has been looked up, and has one address
        cluster.scale(3)
        assert channel.greet("Ada", times=6).by_pod["pod-1"] == 6
        assert set(channel.wait_ready(pods=3).greet("Ada", times=6).by_pod.values()) == {2}


def test_pods_that_never_come_are_waited_for_in_vain():
    with gl.Cluster.local(pods=1) as cluster:
        channel = cluster.channel("greetserver-headless", policy="round_robin")
        with pytest.raises(TimeoutError, match=r"not READY within 0\.1 s; the channel is READY"):
            channel.wait_ready(pods=2, timeout=0.1)
        stock = cluster.channel("greetserver-headless", policy="round_robin", engine="grpc")
        with pytest.raises(ValueError, match="gRPC's own channel cannot be told to look again"):
            stock.wait_ready(pods=2)
