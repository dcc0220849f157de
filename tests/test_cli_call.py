"""`greetlab call`: who answered."""

import itertools
import signal

import pytest
from command_line import greetlab, running

import greetlab as gl


@pytest.fixture(scope="module")
def cluster():
    with gl.Cluster.local(pods=3, seed=1) as cluster:
        yield cluster


def test_it_makes_a_cluster_and_one_pod_takes_them_all():
    document = greetlab("call", "--pods", "2", "--json").document
    assert document["ok"] == document["calls"] == 60
    assert sorted(document["by_pod"].values()) == [0, 60]
    assert len(document["connections"]) == 1
    assert document["world"] == "LOCAL"


@pytest.mark.parametrize("engine", ["lab", "grpc"])
def test_round_robin_shares_a_headless_service(cluster, engine):
    ended = greetlab(
        "call", cluster.target("greetserver-headless"), "--policy", "round_robin", "--wait-ready",
        "--engine", engine, "--times", 30,
    )  # fmt: skip
    assert ended.status == 0
    for pod in ("pod-1", "pod-2", "pod-3"):
        assert f"{pod} 10" in ended.said
    assert ended.said.count("●") == 10 + 1  # a sign a request, and the key
    assert "3 connections" in ended.said


def test_as_many_at_a_time_as_it_is_told(cluster, tmp_path):
    path = tmp_path / "trace.jsonl"
    greetlab("call", cluster.target("greetserver"), "-n", 20, "-c", 4, "--trace", path)
    trace = gl.Trace.load(path)
    in_flight = [1 if event.kind == "CallStarted" else -1
                 for event in trace.of("CallStarted", "CallEnded")]  # fmt: skip
    assert max(itertools.accumulate(in_flight)) == 4


def test_very_many_are_counted(cluster):
    document = greetlab(
        "call", cluster.target("greetserver"), "-n", 5000, "-c", 16, "--json"
    ).document  # fmt: skip
    assert document["ok"] == 5000
    assert "●" not in greetlab("call", cluster.target("greetserver"), "-n", 401).said.replace(
        "● pod", ""
    )


def test_a_connection_per_call(cluster):
    target = cluster.target("greetserver")
    document = greetlab("call", target, "--connection-per-call", "-n", 10, "--json").document
    assert len(document["connections"]) == 10


def test_it_leaves_a_trace_and_a_picture(cluster, tmp_path):
    trace, plot = tmp_path / "a trace.jsonl", tmp_path / "picture.svg"
    ended = greetlab(
        "call", cluster.target("greetserver"), "-n", 5, "--trace", trace, "--plot", plot
    )
    assert ended.status == 0
    assert str(trace) in ended.said.replace("\n", "")
    read = gl.Trace.load(trace)
    assert len(read.of("CallEnded", code="OK")) == 5
    assert read.last("ChannelStateChanged").to == "SHUTDOWN"  # its end belongs to it
    assert "<svg" in plot.read_text()


def test_a_call_that_fails_is_status_1_and_says_why(cluster):
    ended = greetlab("call", "static:127.255.255.1:9", "-n", 2)
    assert ended.status == 1
    assert "failed 2" in ended.said
    assert "Connection refused" in ended.said


def test_who_never_gets_ready_is_status_2():
    ended = greetlab("call", "static:127.255.255.1:9", "--wait-ready", "--timeout", "0.1")
    assert ended.status == 2
    assert "not READY within 0.1 s" in ended.complaint


def test_a_cold_start_is_named():
    """Which of three connections is READY first is luck: it cannot be had for the asking."""
    from greetlab.commands.cli.call import _hints

    calls = type("Calls", (), {"by_status": {"OK": 60}, "by_pod": {"pod-1": 40, "pod-2": 20}})
    assert any("cold start" in hint for hint in _hints(calls, cold=True))
    assert not list(_hints(calls, cold=False))
    calls.by_pod = {"pod-1": 30, "pod-2": 30}
    assert not list(_hints(calls, cold=True))


def test_ctrl_c_ends_it_at_once(cluster, tmp_path):
    trace = tmp_path / "trace"  # it is there once the arguments are read
    many = 10**7  # some minutes of calls, and 40 bytes for each before the first one is made
    with running("call", cluster.target("greetserver"), "-n", many, "--trace", trace) as process:
        while not trace.exists():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        said, complaint = process.communicate(timeout=10)
    assert process.returncode == 130
    assert said + complaint == ""
