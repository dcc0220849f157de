"""engine="grpcio": PyPI's newest gRPC, in a process of its own. What all engines do is tested with
all of them; here is what only this one has: another process, and a service config as it is."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from conformance.model import Reply, ScriptedSpec
from conformance.scripted_pods import ScriptedCluster
from support import free_ip, wait_until

import greetlab as gl
from greetlab.channels.channel import Channel
from greetlab.channels.grpcio import process

NOBODY = "static:127.0.0.1:1"


@pytest.fixture
def pods():
    cluster = ScriptedCluster(ScriptedSpec(2))
    yield cluster
    cluster.close()


def workers():
    """The processes of this one that have grpcio in them."""
    mine = psutil.Process().children()
    return [one.pid for one in mine if any("worker.py" in word for word in one.cmdline())]


def test_it_says_what_to_do_where_grpcio_is_not_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"not installed here: pip install 'greetlab\[grpcio\]'"):
        Channel(NOBODY, engine="grpcio")


def test_channels_share_a_process_that_ends_with_the_last_of_them():
    before = workers()
    one, other = (Channel(NOBODY, engine="grpcio") for _ in range(2))
    [mine] = set(workers()) - set(before) or before
    one.close()
    assert mine in workers()
    other.close()
    other.close()
    assert workers() == before


def test_what_grpc_reads_from_its_environment_is_read_anew(monkeypatch):
    with Channel(NOBODY, engine="grpcio"):
        before = workers()
        monkeypatch.setenv("GRPC_VERBOSITY", "ERROR")
        with Channel(NOBODY, engine="grpcio"):
            assert len(workers()) == len(before) + 1
        assert workers() == before


def test_it_does_not_meet_our_own_grpc():
    with Channel(NOBODY, engine="grpcio"):
        for pid in workers():
            maps = Path(f"/proc/{pid}/maps").read_text()
            assert "cygrpc" in maps
            assert "greetlab/_core" not in maps


PARENT = """
import greetlab as gl, sys, time
channel = gl.Channel("static:{}:1", engine="grpcio")
from greetlab.channels.grpcio import process
print(process._workers[0]._popen.pid, flush=True)
channel.load(1, timeout=60, wait_for_ready=True)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_it_ends_with_its_parent(end):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT.format(free_ip())],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as parent:  # fmt: skip
        worker = int(parent.stdout.readline())
        parent.send_signal(end)
        parent.wait(10)
    wait_until(lambda: not psutil.pid_exists(worker))


def test_a_process_that_is_killed_is_named_and_the_next_channel_has_another_one(pods, monkeypatch):
    monkeypatch.setenv("GRPC_VERBOSITY", "ERROR")  # one that no other test has
    with Channel(pods.target(), engine="grpcio") as channel:
        [mine] = [worker for worker in process._workers if worker is channel._channel._worker]
        os.kill(mine._popen.pid, signal.SIGKILL)
        with pytest.raises(RuntimeError, match="grpcio's process has ended"):
            channel.greet("A")
        with Channel(pods.target(), engine="grpcio") as other:
            assert other.greet("A").ok == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"source_ip": "127.0.0.1"}, "source_ip: the engine 'grpcio' cannot be told"),
        ({"frames": True}, "frames: the engine 'grpcio' cannot be told"),
        ({"policy": "least_request"}, "policy 'least_request': gRPC's own channel takes pick_f"),
        ({"policy": gl.Policy}, "policy Policy: one of your own has the engine 'lab' only"),
        ({"tls": True, "ca": "/nowhere"}, "/nowhere"),
    ],
)
def test_what_it_cannot_be_told_it_says(options, said):
    before = workers()
    with pytest.raises(ValueError, match=said):
        Channel(NOBODY, engine="grpcio", **options)
    assert workers() == before


def test_a_service_config_goes_to_grpc_as_it_is(pods):
    for pod in pods.pods.values():
        pod.replies.append(Reply("UNAVAILABLE", "not now"))
    retry = {
        "maxAttempts": 2,
        "initialBackoff": "0.01s",
        "maxBackoff": "0.01s",
        "backoffMultiplier": 1,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    config = json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": retry}]})
    with Channel(pods.target(), engine="grpcio", service_config=config) as channel:
        assert channel.greet("A").by_status == {"OK": 1}
    assert len(pods.seen) == 2


def test_a_policy_s_fields_are_its_own(pods):
    told = {"pick_first": {"shuffleAddressList": True}}
    firsts = set()
    for _ in range(20):
        with Channel(pods.target(), engine="grpcio", policy=told) as channel:
            firsts |= set(channel.greet("A").by_pod)
        if len(firsts) == 2:
            break
    assert firsts == {"pod-1", "pod-2"}


def test_its_trace_has_the_calls_and_only_those(pods):
    with Channel(pods.target(), engine="grpcio", name="mine") as channel:
        channel.greet("A", times=3)
        channel.call_method("/greet.GreetService/Greet")
        trace = channel.trace
    kinds = [event.kind for event in trace]
    assert kinds == ["CallStarted", "CallEnded"] * 4
    assert {event.who for event in trace} == {"mine"}
    assert [event.pod for event in trace.of("CallEnded")][:3] == ["pod-1"] * 3
    assert all(event.cause.kind == "CallStarted" for event in trace.of("CallEnded"))


def test_a_method_that_is_waited_for_can_be_interrupted(pods):
    pods.pods["pod-1"].replies.append(Reply(never=True))

    def interrupt(_number, _frame):
        raise InterruptedError

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with Channel(pods.target(), engine="grpcio") as channel:
            channel.wait_ready()
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            began = time.monotonic()
            with pytest.raises(InterruptedError):
                channel.call_method("/greet.GreetService/Greet", timeout=30)
            assert time.monotonic() - began < 5
            assert channel.trace.last("CallEnded").code == "CANCELLED"
            assert channel.greet("A").ok == 1
    finally:
        signal.signal(signal.SIGALRM, before)
