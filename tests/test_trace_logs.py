"""`greetlab trace` reads people's own logs: real ones, of grpc-go and of two C-cores.

logs/ has them as they were written, but for channel arguments and reference counts.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import greetlab
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import greetlab as gl
from greetlab.trace.consistency import problems
from greetlab.trace.logs import C_CORE_TRACERS, core, go, load
from greetlab.trace.summary import summarize

LOGS = Path(__file__).parent / "logs"
ALL = sorted(LOGS.glob("*.log"))


def client(name):
    (one,) = summarize(load(LOGS / f"{name}.log")).clients
    return one


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_all_of_a_log_is_inferred_and_can_be_true(path):
    trace = load(path)
    assert trace.world == "LOG"
    assert {event.certainty for event in trace} == {"inferred"}
    assert problems(trace) == []
    story = greetlab("trace", path, "--story")
    assert story.status == 0
    assert all("[inferred]" in line for line in story.said.splitlines())
    assert "all of it is inferred" in greetlab("trace", path).said


def test_go_s_log_tells_of_resolver_balancer_and_subchannels():
    one = client("go_1_85_round_robin")
    assert (one.lookups, one.dials, one.connected, one.lost) == (1, 3, 3, 0)
    assert one.addresses == ["127.181.1.2:50051", "127.181.1.1:50051", "127.181.1.3:50051"]
    assert one.calls == 0  # it has no picks, and none are made up
    trace = load(LOGS / "go_1_85_round_robin.log")
    ready = trace.first("ChannelStateChanged", to="READY")
    assert ready.reason == "LB policy round_robin"
    assert trace.first("LookupStarted").name.startswith("greetserver-headless.default")


def test_go_s_log_of_connections_that_end():
    one = client("go_1_85_goaway_and_kill")
    assert (one.dials, one.connected, one.failed_dials, one.lost) == (6, 5, 1, 4)
    failed = load(LOGS / "go_1_85_goaway_and_kill.log").first("ConnectFailed")
    assert "connect: connection refused" in failed.reason
    assert failed.cause.kind == "ConnectStarted"
    assert failed.causes()[-1].kind == "LookupStarted"


def test_c_core_s_log_tells_of_picks():
    one = client("c_core_1_85_round_robin")
    assert one.by_address == {
        "127.181.1.1:50051": 1, "127.181.1.2:50051": 1, "127.181.1.3:50051": 2,
    }  # fmt: skip
    assert one.by_status == {"OK": 4}
    trace = load(LOGS / "c_core_1_85_round_robin.log")
    last = trace.last("PickerPublished")
    assert (last.picker, last.ready) == ("round_robin", 3)
    assert trace.first("CallQueued").reason == "no connection is READY yet"
    assert trace.first("CallStarted").wait_for_ready is True


def test_c_core_s_log_of_pods_that_die():
    one = client("c_core_1_85_pick_first")
    assert one.by_status == {"OK": 3, "UNAVAILABLE": 2}
    assert (one.dials, one.connected, one.failed_dials, one.lost) == (3, 1, 2, 1)
    trace = load(LOGS / "c_core_1_85_pick_first.log")
    assert trace.first("PickerPublished").picker == "pick_first"
    assert len(trace.of("ReresolutionRequested")) >= 1


def test_the_c_core_of_debian_is_read_too():
    one = client("c_core_1_51_round_robin")
    assert one.by_address == {"127.14.1.1:50051": 2, "127.14.1.2:50051": 3}
    assert one.addresses == ["127.14.1.2:50051", "127.14.1.1:50051"]


CLIENT = """
import sys
import grpc
options = [("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}')]
with grpc.insecure_channel(sys.argv[1], options=options) as channel:
    greet = channel.unary_unary("/greet.GreetService/Greet", None, None)
    for _ in range(20):
        greet(b"", timeout=5, wait_for_ready=True)
"""


def test_what_the_installed_grpcio_writes_is_read(tmp_path):
    """With the variables that we tell people to set."""
    asked = dict(word.split("=") for word in C_CORE_TRACERS.split())
    with gl.Cluster.local(pods=3, seed=1) as cluster:
        done = subprocess.run(
            [sys.executable, "-c", CLIENT, cluster.target("greetserver-headless")],
            env={**os.environ, **asked}, capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        ends = {f"{pod.ip}:{cluster.port}" for pod in cluster.pods}
    path = tmp_path / "grpcio.log"
    path.write_text(done.stderr)
    trace = load(path)
    (one,) = summarize(trace).clients
    assert (one.calls, one.by_status) == (20, {"OK": 20})
    assert set(one.addresses) == ends
    assert set(one.by_address) <= ends
    assert problems(trace) == []


def test_lines_of_others_in_between_do_no_harm(tmp_path):
    """kubectl logs --timestamps --prefix, an application's own lines, Windows' ends of lines."""
    text = (LOGS / "go_1_85_round_robin.log").read_text()
    lines = [f"[pod/web/app] 2026-11-27T19:37:59.1Z {line}\r" for line in text.splitlines()]
    path = tmp_path / "mixed.log"
    path.write_text("\n".join(["starting the app", *lines, "bye"]))
    (one,) = summarize(load(path)).clients
    assert (one.dials, one.connected) == (3, 3)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hello\nworld\n", "nor is it a log of grpc-go (GRPC_GO_LOG_SEVERITY_LEVEL=info"),
        ("2026/11/27 19:37:59 INFO: [transport] nothing\n", "tells nothing of channels"),
        ("I1127 19:38:00.057909   21085 trace.cc:91] http\n", "GRPC_TRACE=client_channel"),
        ("", "nor is it a log"),
    ],
)
def test_what_is_no_log_is_one_sentence_and_status_2(tmp_path, text, why):
    path = tmp_path / "some.log"
    path.write_text(text)
    ended = greetlab("trace", path)
    assert ended.status == 2
    assert why in ended.complaint
    assert len(ended.complaint.splitlines()) == 1


@pytest.mark.parametrize("reader", [go, core])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_log_that_is_cut_shuffled_and_garbled_is_still_read(reader, data):
    """Whatever its lines are, what comes of them is a trace."""
    name = "go_1_85_goaway_and_kill" if reader is go else "c_core_1_85_pick_first"
    lines = (LOGS / f"{name}.log").read_text().splitlines()
    kept = data.draw(st.lists(st.sampled_from(lines), max_size=80))
    garbled = [line[: data.draw(st.integers(0, len(line)))] for line in kept[:5]]
    trace = reader.read([*kept, *garbled]).trace()
    trace.story()
    summarize(trace)


@pytest.mark.parametrize("around", [
    lambda text: json.dumps({"message": f"{text}\n", "severity": "INFO"}),  # GRPC_GO_LOG_FORMATTER
    lambda text: json.dumps({"level": "info", "ts": 1.5, "msg": text, "system": "grpc"}),  # zap's
])  # fmt: skip
def test_go_s_log_in_json_is_read(tmp_path, around):
    text = (LOGS / "go_1_85_round_robin.log").read_text()
    whole = re.split(r"^20\d\d/\S+ \S+ INFO: ", text, flags=re.M)[1:]
    path = tmp_path / "json.log"
    path.write_text("\n".join(around(each.rstrip("\n")) for each in whole))
    (one,) = summarize(load(path)).clients
    assert one == client("go_1_85_round_robin")
