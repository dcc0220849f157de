"""What a trace adds up to: cpp/trace/replay.h, which the stepper, the plots and the flow ask."""

import threading

import numpy as np
import pytest

import greetlab as gl
from greetlab import _core
from greetlab.trace.replay import replayed
from greetlab.views.plot.reading import Reading
from greetlab.views.widget import pack


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
        for column, (kind, since) in kinds.items():
            assert kinds[since][0] == "row"
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
    assert len(seen) >= 25  # of those that a sim without health checks, weights and TLS can tell
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


# --- Views --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def slow():
    """Calls that take a second each, ten of them in flight."""
    cluster = gl.Cluster.sim(pods=2, seed=3)
    for pod in ("pod-1", "pod-2"):
        cluster.slow(pod, 1.0)
    client = cluster.channel("greetserver-headless", policy="round_robin")
    client.start(100, 10)
    cluster.run(20)
    return cluster.trace


def played(view):
    """The calls of a page, as `replayed` gives them to it."""
    shown = np.zeros(len(view.core), dtype=bool)
    shown[view.rows] = True
    return rows(replayed(view.core, "calls", shown))


def test_a_call_is_in_a_view_that_has_any_of_it_and_nothing_of_its_future(slow):
    view = slow.between(2.5, 3.2)
    calls = played(view)
    ended = {int(row) for row in view.of("CallEnded").rows}
    assert {call["end"] for call in calls} - {-1} == ended
    assert len(ended) < len(calls)
    for call in calls:
        assert (call["end"] >= 0) == (call["pod"] > 0)
        assert (call["picked"] >= 0) == (call["connection"] >= 0)
    packed = pack.unpack(pack.pack(view))[1]
    assert np.count_nonzero(packed["calls.end"] >= 0) == len(ended)
    assert (packed["calls.start"] >= 0).all()


def test_a_trace_that_was_cut_out_invents_no_beginnings(slow, tmp_path):
    view = slow.between(2.5, 4.5)
    view.save(tmp_path / "cut")
    cut = gl.Trace.load(tmp_path / "cut")
    calls = Reading(cut).calls
    assert len(calls.start) == len(cut.of("CallStarted")) > 5
    over = ~np.isnan(calls.end)
    assert over.any()
    assert (calls.end - calls.start)[over] == pytest.approx(1.0, abs=0.01)
    assert len(played(cut)) > len(calls.start)


def test_a_trace_has_what_happened_until_it_was_asked_for():
    cluster = gl.Cluster.sim(pods=2, seed=1)
    channel = cluster.channel("greetserver-headless", policy="round_robin")
    channel.greet(times=10)
    trace = channel.trace
    reading, size = Reading(trace), len(trace)
    assert len(reading.lookups.start) == 1
    channel.greet(times=10)
    assert len(reading.calls.start) == 10
    assert len(trace.core) == size == len(trace)
    assert pack.pack(trace) == pack.pack(trace)
    assert len(pack.unpack(pack.pack(channel.trace))[1]["calls.end"]) == 20


def test_it_can_be_packed_while_calls_go_on():
    with gl.Cluster.local(pods=1) as cluster:
        channel = cluster.channel("greetserver")
        over = threading.Event()

        def call():
            while not over.is_set():
                channel.load(200, 8)

        calling = threading.Thread(target=call)
        calling.start()
        try:
            for _ in range(10):
                trace = channel.trace
                if len(trace):
                    pack.pack(trace)
                    Reading(trace).calls  # noqa: B018
        finally:
            over.set()
            calling.join()


def test_a_call_in_flight_is_told_where_to_without_its_connection(tmp_path):
    cluster = gl.Cluster.sim(pods=1, seed=1)
    cluster.channel("greetserver-headless").greet()
    view = cluster.trace.of("SubchannelCreated", "CallStarted", "Picked", "ChannelStateChanged")
    view.save(tmp_path / "cut")
    cut = gl.Trace.load(tmp_path / "cut")
    [client] = gl.Stepper(cut).forward(len(cut)).snapshot().clients.values()
    assert client.in_flight == {1: "10.244.0.2:50051"}
