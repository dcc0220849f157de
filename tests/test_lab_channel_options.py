"""The lab's own channel and greet-client: what targets, seeds, waits and flags each mean."""

import contextlib
import os
import re
import signal
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path

import dns.message
import dns.rrset
import pytest
from support import free_ip, wait_until

import greetlab as gl
from greetlab.channels.channel import Channel
from greetlab.channels.options import ENGINES
from greetlab.executables import path


@pytest.fixture(scope="module")
def cluster():
    with gl.Cluster.local(pods=2, seed=29) as cluster:
        yield cluster


@pytest.fixture
def pods(cluster):
    """A target of both pods, without DNS."""
    return "static:" + ",".join(f"{pod.ip}:{cluster.port}" for pod in cluster.pods)


@contextlib.contextmanager
def slow(cluster, pod, seconds):
    cluster.slow(pod, seconds)
    try:
        yield
    finally:
        cluster.slow(pod, 0)


@contextlib.contextmanager
def dns_server(*records, at=("127.0.0.1", 0)):
    """Knows these records only, each "name TTL type data". Gives "ip:port" and what it is asked."""
    asked = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(at)

        def answer():
            while True:
                wire, client = server.recvfrom(4096)
                if not wire:
                    return
                question = dns.message.from_wire(wire)
                (wanted,) = question.question
                asked.append(wanted.to_text())
                reply = dns.message.make_response(question)
                found = [line for line in (record.split(" ", 3) for record in records)
                         if f"{line[0]} IN {line[2]}" == wanted.to_text()]  # fmt: skip
                if found:
                    name, ttl, kind, _ = found[0]
                    data = [line[3] for line in found]
                    reply.answer = [dns.rrset.from_text(name, int(ttl), "IN", kind, *data)]
                server.sendto(reply.to_wire(), client)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield "{}:{}".format(*server.getsockname()), asked
        finally:
            server.sendto(b"", server.getsockname())
            thread.join()


# --- Names ---------------------------------------------------------------------------------------


def test_of_srv_only_the_hosts_of_the_lowest_priority_are_taken_each_with_its_port(cluster):
    one, two = cluster.pods
    with (
        dns_server(
            "greet.test. 7 SRV 20 0 9 far.test.",
            f"greet.test. 7 SRV 10 0 {cluster.port} one.test.",
            "greet.test. 7 SRV 10 9 2 none.test.",
            f"greet.test. 7 SRV 10 1 {cluster.port} two.test.",
            f"one.test. 5 A {one.ip}",
            f"two.test. 6 A {two.ip}",
        ) as (server, asked),
        Channel(f"srv://{server}/greet.test.", policy="round_robin") as channel,
    ):
        channel.wait_ready(all=True)
        ended = channel.trace.first("LookupEnded")
        ttls = {(event.name, event.ttl) for event in channel.trace.of("QueryAnswered", type="A")}
    assert ended.status == "ok"  # one host without an address is no failure
    assert sorted(ended.addresses.split(",")) == sorted(
        f"{pod.ip}:{cluster.port}" for pod in cluster.pods
    )
    assert not [question for question in asked if question.startswith("far.")]
    assert ttls >= {("one.test", 5), ("two.test", 6)}


def test_a_service_that_srv_says_there_is_not_is_a_failed_lookup():
    with (
        dns_server("greet.test. 7 SRV 0 0 0 .") as (server, _),
        Channel(f"srv://{server}/greet.test.") as channel,
    ):
        assert channel.greet("A").by_status == {"UNAVAILABLE": 1}
        assert channel.trace.first("LookupEnded").status == "no_data"


def test_a_dns_server_without_a_port_is_asked_at_53(cluster):
    ip = free_ip()
    try:
        with (
            dns_server(f"greet.test. 7 A {cluster.pods[0].ip}", at=(ip, 53)) as (_, asked),
            Channel(f"dns://{ip}/greet.test.:{cluster.port}") as channel,
        ):
            assert channel.greet("A").ok == 1
            assert {question.split()[-1] for question in asked} == {"A", "AAAA"}
    except PermissionError:
        pytest.skip("port 53 is for root here")


@pytest.mark.parametrize(
    ("target", "address"),
    [("dns:///localhost:1", "127.0.0.1:1"), ("ipv6:[::1]:1", "[::1]:1")],
)
def test_what_needs_no_dns_asks_none(target, address):
    with Channel(target) as channel:
        assert address in channel.greet("A").errors[0]
        assert not channel.trace.of("LookupStarted")


# --- Options -------------------------------------------------------------------------------------


def test_a_seed_decides_which_pods_are_picked_at_random(pods):
    def order(seed):
        with Channel(pods, policy="random", seed=seed) as channel:
            calls = channel.wait_ready(all=True).greet("A", times=40)
        return [call.pod for call in calls]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert order(None) != order(None)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_did_not_fit_into_the_trace_is_counted(pods, engine):
    with Channel(pods, engine=engine) as all_of_it, Channel(
        pods, engine=engine, trace_capacity=3
    ) as little:  # fmt: skip
        all_of_it.greet("A", times=5)
        little.greet("A", times=5)
        assert len(little.trace) == 3
        assert little.trace.dropped > 0
        assert all_of_it.trace.dropped == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_channel_and_a_call_that_waits_are_told_as_such(pods, engine):
    with Channel(pods, engine=engine, name="mine") as channel:
        channel.greet("A", wait_for_ready=True)
        channel.greet("A")
        started = [*channel.trace.of("CallStarted")]
    assert [event.wait_for_ready for event in started] == [True, False]
    assert {event.who for event in started} == {"mine"}


def test_steps_are_those_of_one_call(pods):
    with Channel(pods) as channel:
        channel.greet("A", times=3)
        kinds = [event.kind for event in channel.steps()]
    assert kinds[0] == "CallStarted"
    assert kinds.count("CallEnded") == 1


def test_a_title_is_text_and_true_is_no_number(pods):
    with Channel(pods, title="<i>") as channel:
        assert "&lt;i&gt;" in channel._repr_html_()
        with pytest.raises(TypeError, match="True: a whole number"):
            channel.load(True)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_open_loop_begins_with_one_call(pods, engine):
    with Channel(pods, engine=engine) as channel:
        calls = channel.wait_ready().load(3, concurrency=3, every=0.05)
    # By the clock, however late the one before was: on a busy machine two may come close.
    after = calls.start_ns - calls.start_ns[0]
    assert after[1] > 40e6
    assert after[2] > 90e6


@pytest.mark.parametrize("engine", ENGINES)
def test_wait_ready_waits_no_longer_than_it_was_told(engine):
    began = time.monotonic()
    with Channel(f"static:{free_ip()}:1", engine=engine) as channel, pytest.raises(TimeoutError):
        channel.wait_ready(timeout=0.1)
    assert time.monotonic() - began < 3


# --- Connections ---------------------------------------------------------------------------------


def descriptors():
    return [int(fd.name) for fd in Path("/proc/self/fd").iterdir()]


def test_a_connection_per_call_is_hung_up_after_it(pods):
    with Channel(pods, connection_per_call=True) as channel:
        channel.load(2)
        before = len(descriptors())
        assert channel.load(40, concurrency=2).ok == 40
        wait_until(lambda: len(descriptors()) < before + 20)


def test_a_call_with_a_connection_of_its_own_can_be_interrupted(cluster, pods):
    def interrupt(_number, _frame):
        raise InterruptedError

    previous = signal.signal(signal.SIGUSR1, interrupt)
    began = time.monotonic()
    try:
        with slow(cluster, "pod-1", 9), Channel(pods, connection_per_call=True) as channel:
            threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGUSR1]).start()
            with pytest.raises(InterruptedError):
                channel.load(2, timeout=8)
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert time.monotonic() - began < 4


def test_an_attempt_that_the_kernel_refuses_at_once_has_failed():
    with Channel("static:255.255.255.255:1") as channel:
        calls = channel.greet("A", timeout=5)
    assert calls.by_status == {"UNAVAILABLE": 1}
    assert "Network is unreachable" in calls.errors[0]


def test_who_waits_while_another_thread_drives_can_be_interrupted(cluster, pods):
    def interrupt(_number, _frame):
        raise InterruptedError

    previous = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with slow(cluster, "pod-1", 3), Channel(pods) as channel:
            channel.wait_ready()
            first = threading.Thread(target=channel.greet, args=("A",))
            first.start()
            wait_until(lambda: len(channel.trace.of("Picked")) == 1)
            began = time.monotonic()
            timer = threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGUSR1])
            timer.start()
            with pytest.raises(InterruptedError):
                channel.greet("A")
            took = time.monotonic() - began
            first.join()
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert took < 2


def test_small_writes_are_not_held_back(pods):
    def no_delay(fd):
        try:
            if not stat.S_ISSOCK(os.fstat(fd).st_mode):
                return None
            copy = os.dup(fd)
        except OSError:  # closed meanwhile
            return None
        with socket.socket(fileno=copy) as one:
            if one.family == socket.AF_INET and "{}:{}".format(*one.getsockname()) == local:
                return one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        return None

    with Channel(pods) as channel:
        (local,) = channel.wait_ready().subchannels[0].local_addresses
        found = [no_delay(fd) for fd in descriptors() if Path(f"/proc/self/fd/{fd}").exists()]
    assert {value for value in found if value is not None} == {1}


def test_a_loss_goes_back_to_the_connection():
    with gl.Cluster.local(pods=1, seed=31) as own, own.channel("greetserver") as channel:
        channel.wait_ready()
        own.kill("pod-1")
        wait_until(lambda: channel.trace.of("ConnectionLost"))
        assert channel.trace.first("ConnectionLost").cause.kind == "Connected"


def test_closing_from_a_signal_handler_leaves_no_thread_behind(pods):
    def threads():
        return len(list(Path("/proc/self/task").iterdir()))

    def close(_number, _frame):
        channel.close()

    with Channel(pods) as first:
        first.greet("A")  # what gRPC itself starts, once
    previous = signal.signal(signal.SIGUSR1, close)
    before = threads()
    channel = Channel(pods)
    try:
        timer = threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGUSR1])
        timer.start()
        channel.load(300_000)
        timer.join()
    finally:
        signal.signal(signal.SIGUSR1, previous)
    wait_until(lambda: threads() <= before)
    assert channel.state == "SHUTDOWN"


# --- greet-client --------------------------------------------------------------------------------


def client(*arguments, **options):
    return subprocess.run(
        [path("greet-client"), *map(str, arguments)],
        stderr=subprocess.PIPE, text=True, timeout=20, **{"stdout": subprocess.PIPE} | options,
    )  # fmt: skip


def test_greet_client_dials_anew_for_every_call_if_told_to(pods):
    said = client(pods, "-n", 4, "-q", "--connection-per-call")
    assert "4 calls · 4 OK · 4 connections · " in said.stdout


def test_greet_client_looks_up_again_after_the_cooldown_that_it_was_told():
    with dns_server(f"greet.test. 7 A {free_ip()}") as (server, asked):
        client(
            f"dns://{server}/greet.test.:1", "--policy", "round_robin", "--cooldown", "20ms",
            "-n", 12, "--interval", "50ms",
        )  # fmt: skip
    assert sum(question.endswith(" A") for question in asked) >= 2


def test_greet_client_picks_in_another_order_each_time(pods):
    def order():
        said = client(pods, "-n", 40, "--policy", "random", "--wait-ready")
        return re.findall(r"name\((pod-\d)\)", said.stdout)

    assert len(order()) == 40
    assert order() != order()


def test_greet_client_says_when_nobody_reads_its_report(pods):
    reader, writer = os.pipe()
    os.close(reader)
    said = client(pods, stdout=writer)
    os.close(writer)
    assert (said.returncode, said.stderr) == (
        2, "greet-client: write the report: Broken pipe\n"
    )  # fmt: skip


def test_greet_client_has_as_many_calls_in_flight_as_it_was_told(cluster, tmp_path):
    pod = f"static:{cluster.pods[0].ip}:{cluster.port}"
    with slow(cluster, "pod-1", 0.1):
        client(pod, "-n", 8, "-c", 4, "--trace", tmp_path / "trace.jsonl")
    kinds = [e.kind for e in gl.Trace.load(tmp_path / "trace.jsonl").of("CallStarted", "CallEnded")]
    assert kinds[:5] == ["CallStarted"] * 4 + ["CallEnded"]


def test_greet_client_gives_the_nearest_rank(cluster, pods):
    with slow(cluster, "pod-1", 0.1):  # two calls of four, one after the other
        said = client(pods, "-n", 4, "-q", "--policy", "round_robin", "--wait-ready")
    p50, p99 = map(float, re.search(r"p50 (\S+) ms, p99 (\S+) ms", said.stdout).groups())
    assert p50 < 90 < p99
