"""One field of a million events as a column: the same as event by event."""

import numpy as np
import pytest

import greetlab as gl
from greetlab.trace.trace import STATES, STATUS_NAMES


@pytest.fixture(scope="module")
def trace():
    cluster = gl.Cluster.sim(3, seed=7, max_connection_age=20)
    client = cluster.channel("greetserver-headless", policy="round_robin")
    cluster.channel("greetserver").greet(times=3)
    client.greet(times=10)
    cluster.kill("pod-2")
    client.greet(times=5)
    cluster.run(60)
    cluster.fail("pod-1", 1)
    client.greet(times=6)
    return cluster.trace


def in_words(trace, kind, field, value):
    """A column's number as `Event.fields` tells it."""
    if (kind, field) == ("CallEnded", "code"):
        return STATUS_NAMES[value]
    if kind.endswith("StateChanged") and field in ("from", "to"):
        return STATES[value]
    if field == "graceful":
        return ("unknown", "yes", "no")[value]
    event = trace.first(kind)
    return trace.word(int(value)) if isinstance(event.fields[field], str) else value


def test_every_field_of_every_kind_is_what_the_events_say(trace):
    fields = 0
    for kind in trace.counts():
        events = list(trace.of(kind))
        for field in events[0].fields:
            column = trace.column(kind, field)
            told = [in_words(trace, kind, field, value) for value in column.tolist()]
            assert told == [event.fields[field] for event in events], (kind, field)
            fields += 1
    assert fields > 40


def test_a_column_is_of_the_view(trace):
    view = trace.of(who="client-1").between(0.0, 30.0)
    assert len(view.column("CallEnded", "code")) == len(view.of("CallEnded"))
    assert 0 < len(view.column("CallEnded", "code")) < len(trace.column("CallEnded", "code"))


def test_a_kind_that_did_not_happen_is_an_empty_column(trace):
    empty = trace.of("CallEnded").column("Picked", "connection")
    assert empty.dtype == np.uint32
    assert len(empty) == 0


def test_what_there_is_not_is_said(trace):
    with pytest.raises(ValueError, match="no kind of fact 'Nonsense'"):
        trace.column("Nonsense", "pod")
    with pytest.raises(ValueError, match="no field 'pod' of a kind 'Picked'"):
        trace.column("Picked", "pod")


def test_the_core_is_asked_for_events_of_the_kind_only(trace):
    with pytest.raises(ValueError, match="event 0 is no Picked"):
        trace.core.column(np.array([0]), "Picked", "call")
    for row in (len(trace.core), -1):
        with pytest.raises(IndexError, match="no event"):
            trace.core.column(np.array([row]), "Picked", "call")
