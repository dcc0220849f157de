"""What a trace adds up to: cpp/trace/replay.h, which the stepper, the plots and the flow ask."""

import numpy as np
import pytest

import greetlab as gl
from greetlab import _core
from greetlab.trace.trace import KINDS


@pytest.fixture(scope="module")
def trace():
    """Calls, a pod that dies and comes back, a client that dials anew, a pod drained."""
    cluster = gl.Cluster.sim(pods=3, seed=11, max_connection_age=20)
    fair = cluster.channel("greetserver-headless", policy="round_robin")
    anew = cluster.channel("greetserver", connection_per_call=True)
    load = fair.start(200, every=0.5)
    cluster.run(10)
    cluster.kill("pod-2")
    anew.greet(times=3)
    cluster.restart("pod-2")
    cluster.drain("pod-3")
    cluster.run(200)
    assert load.done
    return cluster.trace


def rows(table):
    """A table as a list of dicts."""
    names = list(table)
    values = zip(*(table[name].tolist() for name in names), strict=True)
    return [dict(zip(names, one, strict=True)) for one in values]


def events(trace, kind):
    return {int(row): trace[row].fields for row in trace.of(kind).rows}


def test_each_call_has_the_rows_of_its_own_events(trace):
    calls = rows(trace.core.table("calls"))
    begun, picked, ended = (events(trace, k) for k in ("CallStarted", "Picked", "CallEnded"))
    assert [call["start"] for call in calls] == list(begun)
    connections = rows(trace.core.table("connections"))
    assert len(calls) == len(ended) == 203
    for call in calls:
        assert begun[call["start"]]["call"] == ended[call["end"]]["call"] == call["id"]
        assert trace.word(call["pod"]) == ended[call["end"]]["pod"]
        last = picked[call["picked"]]
        assert last["call"] == call["id"]
        assert connections[call["connection"]]["id"] == last["connection"]


def test_a_connection_ends_once_and_in_one_way(trace):
    lost = 0
    for one in rows(trace.core.table("connections")):
        ways = [one[way] for way in ("failed", "lost", "closed") if one[way] >= 0]
        assert len(ways) <= 1
        assert (one["up"] >= 0) != (one["failed"] >= 0) or not ways
        assert all(one["start"] < row for row in ways)
        lost += one["lost"] >= 0
    assert lost == len(trace.of("ConnectionLost")) > 3


def test_who_answers_over_a_connection_is_whose_it_is(trace):
    addresses = {event.pod: event.address for event in trace.of("PodChanged")}
    for one in rows(trace.core.table("connections")):
        if pod := trace.word(one["pod"]):
            place = trace.word(one["endpoint"]) or trace.word(one["address"])
            assert addresses[pod] == place


def test_the_world_at_an_event_is_what_the_tables_have_by_then(trace):
    calls = trace.core.table("calls")
    stepper = gl.Stepper(trace)
    for end in np.linspace(1, len(trace), 25).astype(int).tolist():
        world = stepper.back(len(trace)).forward(end).snapshot()
        ended = (calls["end"] >= 0) & (calls["end"] < end)
        assert sum(client.ended for client in world.clients.values()) == int(ended.sum())
        going = (calls["start"] < end) & ~ended
        told = sum(len(c.queued) + len(c.in_flight) for c in world.clients.values())
        assert told <= int(going.sum())


def test_a_lookup_that_is_not_a_channel_s_is_told_of_no_client():
    cluster = gl.Cluster.sim(pods=1, seed=1)
    cluster.lookup("greetserver")
    assert gl.Stepper(cluster.trace).forward(len(cluster.trace)).snapshot().clients == {}


def test_the_columns_say_what_their_numbers_are(trace):
    for name, kinds in _core.tables().items():
        table = trace.core.table(name)
        assert list(table) == list(kinds)
        for column, kind in kinds.items():
            limit = {"row": len(trace), "word": len(trace.core.words)}.get(kind)
            if limit is not None and len(table[column]):
                assert -1 <= table[column].min() <= table[column].max() < limit
    with pytest.raises(ValueError, match="no table 'answers'"):
        trace.core.table("answers")


def test_ten_thousand_calls_share_their_sentences(trace):
    said, of = trace.core.sentences(trace.rows, "#")
    assert len(of) == len(trace)
    assert len(said) == len(set(said)) < len(trace) / 2
    for row in range(0, len(trace), 7):
        event = trace[row]
        text = said[of[row]]
        if "call" in event.fields:
            text = text.replace("#", str(event.call))
        assert text == event.sentence


def test_every_kind_tells_itself(trace):
    seen = {event.kind: str(event) for event in trace}
    assert len(seen) > len(KINDS) / 2
    assert all(kind not in said for kind, said in seen.items())


@pytest.mark.parametrize("row", [10**9, -1, 2**62])
def test_a_row_that_there_is_not_is_an_error_and_no_crash(trace, row, tmp_path):
    rows = np.array([row])
    for ask in (
        lambda: trace.core.sentence(row),
        lambda: trace.core.fields(row),
        lambda: trace.core.sentences(rows, "#"),
        lambda: trace.core.save(rows, str(tmp_path / "trace")),
        lambda: trace.core.column(rows, "Picked", "call"),
        lambda: gl.Trace(trace.core, rows).save(tmp_path / "trace"),
    ):
        with pytest.raises(IndexError, match=f"no event {row}: the trace has {len(trace)}"):
            ask()
