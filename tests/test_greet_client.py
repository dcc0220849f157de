"""greet-client: the channel as a program."""

import os
import signal
import subprocess

import psutil
import pytest
from support import free_ip, wait_until

import greetlab as gl
from greetlab import executables


@pytest.fixture(scope="module")
def cluster():
    with gl.Cluster.local(pods=3, seed=21) as cluster:
        yield cluster


def client(*arguments, **options):
    return subprocess.run(
        [executables.path("greet-client"), *map(str, arguments)],
        capture_output=True, text=True, timeout=20, **options,
    )  # fmt: skip


def test_it_greets_and_says_who_answered(cluster):
    said = client(
        cluster.target("greetserver-headless"), "--policy", "round_robin",
        "-n", 6, "--wait-ready", "--first-name", "Grace", "--last-name", "Hopper",
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    lines = said.stdout.splitlines()
    greetings = [line for line in lines if line.startswith("Hello, Grace Hopper from pod: name(")]
    assert len(greetings) == 6
    assert lines[6].startswith("6 calls · 6 OK · 3 connections · p50 ")
    assert [line.split() for line in lines[7:]] == [[f"pod-{n}", "2"] for n in (1, 2, 3)]


def test_the_trace_goes_to_a_file_that_the_lab_reads(cluster, tmp_path):
    path = tmp_path / "trace.jsonl"
    said = client(cluster.target("greetserver"), "-n", 5, "-q", "--trace", path)
    assert said.returncode == 0, said.stderr
    assert "Hello" not in said.stdout
    trace = gl.Trace.load(path)
    assert trace.world == "LOCAL"
    assert [event.code for event in trace.of("CallEnded")] == ["OK"] * 5
    assert trace.last("ChannelStateChanged").to == "SHUTDOWN"


def test_on_standard_output_the_trace_is_alone(cluster, tmp_path):
    said = client(
        cluster.target("greetserver"), "-n", 2, "--trace", "-",
        env=os.environ | {"KUBERNETES_SERVICE_HOST": "10.96.0.1"},
    )  # fmt: skip
    (tmp_path / "trace.jsonl").write_text(said.stdout)
    trace = gl.Trace.load(tmp_path / "trace.jsonl")
    assert trace.world == "KUBE"  # what a pod's environment says
    assert [event.code for event in trace.of("CallEnded")] == ["OK"] * 2
    assert "2 calls · 2 OK" in said.stderr


def test_an_interval_is_from_start_to_start(cluster, tmp_path):
    path = tmp_path / "trace.jsonl"
    target = cluster.target("greetserver")
    client(target, "-n", 6, "--interval", "20ms", "--trace", path)
    started = gl.Trace.load(path).of("CallStarted").seconds
    assert 0.09 < started[-1] - started[0] < 0.5


def test_calls_that_fail_are_told_and_are_exit_status_1():
    said = client(f"static:{free_ip()}:1", "-n", 3)
    assert said.returncode == 1
    assert said.stdout.startswith("3 calls · 3 UNAVAILABLE\n")
    assert "Connection refused" in said.stdout


def test_a_deadline_is_kept(cluster):
    said = client(f"static:{free_ip()}:1", "--wait-for-ready", "--deadline", "50ms")
    assert said.stdout.startswith("1 call · 1 DEADLINE_EXCEEDED\n")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "target is required"),
        (("greetserver",), "target 'greetserver': .*no port"),
        (("static:127.0.0.1:1", "--policy", "best"), "policy 'best': there is pick_first"),
        (("static:127.0.0.1:1", "--engine", "grpc"), "not expected: "),
        (("static:127.0.0.1:1", "--deadline", "5"), "--deadline: duration '5': expected a number"),
        (("static:127.0.0.1:1", "-n", "-1"), "--count"),
        (("static:127.0.0.1:1", "--trace", "/proc/no"), "write /proc/no: "),
    ],
)
def test_what_makes_no_sense_is_one_sentence_and_exit_status_2(arguments, why):
    said = client(*arguments)
    assert said.returncode == 2
    assert said.stdout == ""
    assert said.stderr.count("\n") == 1
    assert said.stderr.startswith("greet-client: ")
    assert why.split(".*")[-1] in said.stderr


def test_a_full_disk_is_an_error():
    said = client("static:127.0.0.1:1", "--trace", "/dev/full")
    assert said.returncode == 2
    assert "write /dev/full: No space left" in said.stderr


def opened(cluster):
    return sum(fact["fact"] == "opened" for fact in cluster.proxy_facts)


def test_a_signal_ends_it_with_what_was_done(cluster):
    before = opened(cluster)
    flags = ["-n", "100000", "--interval", "10ms", "--trace", "-"]
    with subprocess.Popen(
        [executables.path("greet-client"), cluster.target("greetserver"), *flags],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        wait_until(lambda: opened(cluster) > before)  # it is under way
        process.send_signal(signal.SIGTERM)
        trace, told = process.communicate(timeout=10)
    assert process.returncode == 1  # the rest was not called
    assert "100000 calls · " in told
    assert "CANCELLED" in told
    assert trace.startswith('{"greetlab_trace"')


# --- Several loops -------------------------------------------------------------------------------


def test_several_loops_share_the_calls_and_have_a_connection_each(cluster):
    said = client(cluster.target("greetserver"), "--loops", 3, "-n", 100, "-c", 8)
    assert said.returncode == 0, said.stderr
    lines = said.stdout.splitlines()
    assert len([line for line in lines if line.startswith("Hello, Ada Lovelace from pod:")]) == 100
    assert lines[100].startswith("100 calls · 100 OK · 3 connections · p50 ")
    assert sum(int(line.split()[1]) for line in lines[101:]) == 100


def test_what_fails_in_a_loop_is_in_the_report(cluster):
    said = client(f"static:{free_ip()}:1", "--loops", 2, "-n", 5, "-c", 2)
    assert said.returncode == 1
    assert said.stdout.startswith("5 calls · 5 UNAVAILABLE")
    assert "Connection refused" in said.stdout


def test_more_loops_than_calls(cluster):
    said = client(cluster.target("greetserver"), "--loops", 4, "-n", 2, "-c", 4, "-q")
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("2 calls · 2 OK · 2 connections")


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("--trace", "-"), "--trace: of one channel only"),
        (("--interval", "1ms"), "--interval: not with several --loops"),
        ((), "--loops: more than --concurrency calls"),
    ],
)
def test_what_loops_cannot_do_is_said(flags, why):
    said = client("static:127.0.0.1:1", "--loops", 2, *flags)
    assert said.returncode == 2
    assert said.stderr.startswith(f"greet-client: {why}")


def test_a_target_that_is_none_is_said_by_each_loop():
    said = client("static:nowhere", "--loops", 2, "-c", 2)
    assert said.returncode == 2
    assert "greet-client: a loop's process ended without its calls" in said.stderr
    assert "nowhere" in said.stderr


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_every_loop_and_what_was_made_is_told(cluster, stop):
    own = ["static:" + ",".join(f"{pod.ip}:50051" for pod in cluster.pods)]
    command = [executables.path("greet-client"), *own, "--loops", "2", "-c", "2", "-q"]
    with subprocess.Popen([*command, "-n", "300000"], stdout=subprocess.PIPE, text=True) as process:
        loops = psutil.Process(process.pid).children
        wait_until(lambda: [bool(loop.net_connections("tcp")) for loop in loops()] == [True] * 2)
        children = loops()
        process.send_signal(stop)
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert said.startswith("300000 calls")
    assert "CANCELLED" in said
    assert not any(child.is_running() for child in children)
