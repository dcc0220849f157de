"""`greetlab trace`: a file in figures, as a story, and doubted."""

import json
from pathlib import Path

import pytest
from command_line import greetlab

import greetlab as gl
from greetlab.trace.consistency import RULES, Problem, problems
from greetlab.trace.summary import summarize

GOLDEN = Path(__file__).parent / "golden"
A_POD_DIES = GOLDEN / "a_pod_dies_and_comes_back.jsonl"


def test_the_summary_says_who_did_what():
    ended = greetlab("trace", A_POD_DIES)
    assert ended.status == 0
    assert "SIM" in ended.said
    assert "pod-2 is killed" in ended.said
    document = greetlab("trace", A_POD_DIES, "--json").document
    (client,) = document["clients"]
    assert client["calls"] == sum(client["by_status"].values())
    assert client["calls"] == sum(client["by_pod"].values())
    assert client["dials"] == client["connected"] + client["failed_dials"]
    assert document["events"] == sum(document["kinds"].values())


def test_the_story_has_a_sentence_for_every_event():
    trace = gl.Trace.load(A_POD_DIES)
    ended = greetlab("trace", A_POD_DIES, "--story")
    assert ended.status == 0
    assert [line.rstrip() for line in ended.said.splitlines()] == trace.story().splitlines()
    events = greetlab("trace", A_POD_DIES, "--story", "--json").document
    assert len(events) == len(trace)
    assert all(event["cause"] is None or event["cause"] < event["id"] for event in events)


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.jsonl")), ids=lambda file: file.stem)
def test_what_the_sim_did_can_be_true(file):
    ended = greetlab("trace", file, "--check")
    assert ended.status == 0, ended.said
    assert ended.said.count("yes") == len(RULES)


@pytest.mark.parametrize("per_call", [False, True])
@pytest.mark.parametrize("engine", ["lab", "grpc"])
def test_what_a_real_channel_did_can_be_true(engine, per_call):
    with gl.Cluster.local(pods=3, seed=5) as cluster:
        service = "greetserver-headless"
        channel = cluster.channel(
            service, policy="round_robin", engine=engine, connection_per_call=per_call
        )
        channel.load(200, concurrency=8)
        cluster.kill("pod-2")
        channel.load(50, concurrency=8)
        cluster.restart("pod-2")
        channel.close()
        assert problems(channel.trace) == []


def test_a_summary_of_a_grpc_channel_has_only_what_it_shows():
    with gl.Cluster.local(pods=1) as cluster, cluster.channel(
        "greetserver", engine="grpc"
    ) as channel:  # fmt: skip
        channel.greet(times=3)
        (client,) = summarize(channel.trace).clients
    assert (client.calls, client.by_pod, client.dials) == (3, {"pod-1": 3}, 0)


# Every rule catches what breaks it.


def tampered(tmp_path, change):
    """The file, with its events (dicts, in order) changed, and its header made to fit."""
    header, *events = map(json.loads, A_POD_DIES.read_text().splitlines())
    events = change(header, events) or events
    header["events"] = len(events)
    path = tmp_path / "tampered.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in [header, *events]))
    return path


def first(events, fact, **fields):
    return next(e for e in events if e["fact"] == fact and fields.items() <= e.items())


def without(fact, **fields):
    def change(header, events):
        event = first(events, fact, **fields)
        events = [e for e in events if e is not event]
        for each in events:
            if each["cause"] == event["id"]:
                each["cause"] = event["cause"]  # so that no other rule minds
        return events

    return change


def setting(fact, **values):
    return lambda header, events: first(events, fact).update(values)


def drop_some(header, events):
    header["dropped"] = 7


def lose_a_cause(header, events):
    return [e for e in events if e["fact"] != "LookupStarted"]


def be_before_the_cause(header, events):
    event = next(e for e in events if e["cause"] and e["at_ns"] > 0)
    event["at_ns"] = -1


def end_twice(header, events):
    ended = first(events, "CallEnded")
    return [*events, {**ended, "id": events[-1]["id"] + 1, "cause": 0}]


def begin_twice(header, events):
    begun = first(events, "CallStarted")
    return [*events, {**begun, "id": events[-1]["id"] + 1, "cause": 0}]


def pick_after_the_end(header, events):
    picked = first(events, "Picked")
    return [*events, {**picked, "id": events[-1]["id"] + 1, "cause": 0}]


def fail_what_is_up(header, events):
    up = first(events, "Connected")
    failed = {key: up[key] for key in ("at_ns", "who", "certainty", "subchannel", "connection")}
    failed |= {"fact": "ConnectFailed", "reason": "", "id": events[-1]["id"] + 1, "cause": 0}
    return [*events, failed]


@pytest.mark.parametrize(
    ("rule", "change", "words"),
    [
        ("whole", drop_some, "7 events came when the trace was full"),
        ("causes", lose_a_cause, "a cause that is not in the trace"),
        ("causes", be_before_the_cause, "earlier than its cause"),
        ("calls", without("CallEnded"), "begins a call that never ends"),
        ("calls", without("CallStarted"), "ends a call that had not begun"),
        ("calls", end_twice, "ends a call that had not begun, or had ended"),
        ("calls", begin_twice, "begins a call that had begun"),
        ("calls", pick_after_the_end, "(Picked) is about a call that is not on its way"),
        ("connections", without("ConnectStarted"), "an attempt that was not made"),
        ("connections", without("Connected"), "over a connection that is not up"),
        ("connections", fail_what_is_up, "a second outcome of one attempt"),
        ("connections", setting("ConnectionLost", connection=99), "loses a connection that was"),
        ("states", setting("SubchannelStateChanged", to="READY"), "where there is no edge"),
        ("states", without("SubchannelStateChanged"), "a state that it was not in"),
        ("states", setting("ChannelStateChanged", **{"from": "READY"}), "a state that it was not"),
        ("counts", setting("LookupEnded", count=9), "another number of addresses"),
        ("counts", setting("PickerPublished", start=9), "begins with a connection"),
    ],
)
def test_a_trace_that_cannot_be_true_is_status_1_and_says_why(tmp_path, rule, change, words):
    path = tampered(tmp_path, change)
    ended = greetlab("trace", path, "--check")
    assert ended.status == 1
    assert words in " ".join(ended.said.split())
    found = greetlab("trace", path, "--check", "--json").document
    assert rule in {problem["rule"] for problem in found}
    assert all(problem["events"] for problem in found if problem["rule"] != "whole")


def test_an_untampered_file_has_no_problem(tmp_path):
    assert problems(gl.Trace.load(tampered(tmp_path, lambda header, events: None))) == []


def test_only_some_of_the_events_are_named():
    many = Problem("calls", "many", tuple(range(1, 9)))
    assert str(many) == "many (events 1, 2, 3, 4, 5 and 3 more)"
    assert str(Problem("calls", "one", (4,))) == "one (event 4)"


def test_a_trace_that_was_full_does_not_say_that_calls_never_end(tmp_path):
    def cut(header, events):
        header["dropped"] = 1
        return without("CallEnded")(header, events)

    (problem,) = problems(gl.Trace.load(tampered(tmp_path, cut)))
    assert problem.rule == "whole"


def test_a_picker_begins_within_what_it_has(tmp_path):
    def beyond(header, events):
        picker = first(events, "PickerPublished", picker="round_robin", ready=3)
        picker["start"] = picker["ready"]

    (problem,) = problems(gl.Trace.load(tampered(tmp_path, beyond)))
    assert problem.rule == "counts"


def test_calls_that_nobody_answered_are_nobodys():
    (client,) = summarize(gl.Trace.load(GOLDEN / "everybody_dies.jsonl")).clients
    assert client.by_status["UNAVAILABLE"] > 0
    assert client.by_pod == {}


def test_an_empty_trace_can_be_true(tmp_path):
    path = tampered(tmp_path, lambda header, events: events.clear())
    for more in ((), ("--story",), ("--check",), ("--json",)):
        assert greetlab("trace", path, *more).status == 0


def test_a_file_that_is_cut_short_is_status_2(tmp_path):
    path = tmp_path / "cut.jsonl"
    path.write_text("".join(A_POD_DIES.read_text().splitlines(keepends=True)[:-1]))
    ended = greetlab("trace", path, "--check")
    assert ended.status == 2
    assert "cut short" in ended.complaint
