"""Whether a trace can be true: what holds of any world, checked event by event.

    for problem in problems(trace):
        print(problem)

A trace that breaks a rule was tampered with, is only a part of one, or shows a bug of ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from greetlab import _core
from greetlab.text import plain
from greetlab.trace.trace import STATES, Trace

RULES = {
    "whole": "nothing was dropped",
    "causes": "what led to an event comes before it",
    "calls": "every call begins once and ends once",
    "connections": "a connection is dialled, comes up or fails, and only then carries calls",
    "states": "states change along the edges that gRPC allows",
    "counts": "counts say how many there are",
    "numbers": "a call, a subchannel and a connection each have a number of their own",
    "places": "who answered is who was dialled",
}
"""What is checked."""

SHOWN = 5
"""How many of the events that break a rule are named."""


@dataclass(frozen=True)
class Problem:
    """A rule that the trace breaks.

    rule: one of RULES. sentence: how. events: the ids of the events that do, all of them.
    """

    rule: str
    sentence: str
    events: tuple[int, ...] = ()

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.events[:SHOWN]))
        more = f" and {len(self.events) - SHOWN} more" if len(self.events) > SHOWN else ""
        where = f" (event{'s' * (len(self.events) != 1)} {shown}{more})" if self.events else ""
        return plain(f"{self.sentence}{where}")


def problems(trace: Trace) -> list[Problem]:
    """All that is wrong with a trace; nothing, if it can be true."""
    return [problem for rule in (_whole, _causes, _calls, _connections, _states, _counts,
                                 _numbers, _places)
            for problem in rule(trace)]  # fmt: skip


def _whole(trace: Trace) -> Iterator[Problem]:
    if trace.dropped:
        yield Problem("whole", f"{trace.dropped} events came when the trace was full, and are lost")


def _causes(trace: Trace) -> Iterator[Problem]:
    core = trace.core
    ids, causes, times = (column[trace.rows] for column in (core.id, core.cause, core.time_ns))
    caused = causes > 0
    places = np.minimum(np.searchsorted(ids, causes), max(len(ids) - 1, 0))
    known = caused & (ids[places] == causes)
    yield from _broken("causes", "has a cause that is not in the trace", ids[caused & ~known])
    yield from _broken("causes", "is its own cause, or comes before it", ids[causes >= ids])
    yield from _broken("causes", "is earlier than its cause", ids[known & (times[places] > times)])


def _calls(trace: Trace) -> Iterator[Problem]:
    begun = _rows(trace, "CallStarted", "call")
    ended = _rows(trace, "CallEnded", "call")
    begins = Counter((who, call) for _, who, call in begun)
    ends = Counter((who, call) for _, who, call in ended)
    if not trace.dropped:  # else its end may be among what is lost
        open_ones = [e for e, *call in begun if begins[(*call,)] > ends[(*call,)]]
        yield from _broken("calls", "begins a call that never ends", open_ones)
    surplus = [e for e, *call in ended if ends[(*call,)] > begins[(*call,)]]
    yield from _broken("calls", "ends a call that had not begun, or had ended", surplus)
    again = [e for e, *call in begun if begins[(*call,)] > 1]
    yield from _broken("calls", "begins a call that had begun", again)
    first = {(who, call): event for event, who, call in begun}
    last = {(who, call): event for event, who, call in ended}
    for kind in ("CallQueued", "Picked", "CallUnsent", "CallEnded"):
        lost = [
            event
            for event, *call in _rows(trace, kind, "call")
            if not first.get((*call,), event) < event <= last.get((*call,), event)
        ]
        lost = sorted(set(lost) - set(surplus))
        yield from _broken("calls", f"({kind}) is about a call that is not on its way", lost)


def _connections(trace: Trace) -> Iterator[Problem]:
    dialled, up, over = (
        {(who, connection): event for event, who, connection in _rows(trace, kind, "connection")}
        for kind in ("ConnectStarted", "Connected", "ConnectionLost")
    )
    outcomes = [
        row for kind in ("Connected", "ConnectFailed") for row in _rows(trace, kind, "connection")
    ]
    times = Counter((who, connection) for _, who, connection in outcomes)
    twice = [e for e, *c in outcomes if times[(*c,)] > 1]
    yield from _broken("connections", "is a second outcome of one attempt", twice)
    undialled = [e for e, *c in outcomes if dialled.get((*c,), e) >= e]
    yield from _broken("connections", "is the outcome of an attempt that was not made", undialled)
    unknown = [event for key, event in over.items() if up.get(key, event) >= event]
    yield from _broken("connections", "loses a connection that was not up", unknown)
    dead = [
        e
        for e, *c in _rows(trace, "Picked", "connection")
        if not up.get((*c,), e) < e < over.get((*c,), e + 1)
    ]
    yield from _broken("connections", "sends a call over a connection that is not up", dead)


def _states(trace: Trace) -> Iterator[Problem]:
    shutdown = STATES.index("SHUTDOWN")
    legal = {(STATES.index(a), STATES.index(b)) for a, b in _core.subchannel_transitions()}
    legal |= {(state, shutdown) for state in range(shutdown)}  # whoever lets go of it
    changes = _rows(trace, "SubchannelStateChanged", "subchannel", "from", "to")
    illegal = [e for e, _, _, a, b in changes if (a, b) not in legal]
    yield from _broken("states", "changes a subchannel's state where there is no edge", illegal)
    channels = [
        (e, who, -1, a, b) for e, who, a, b in _rows(trace, "ChannelStateChanged", "from", "to")
    ]
    now: dict[tuple[int, int], int] = {}
    jumps = []
    for event, who, subchannel, before, after in [*changes, *channels]:
        if now.get((who, subchannel), STATES.index("IDLE")) != before:
            jumps.append(event)
        now[who, subchannel] = after
    yield from _broken("states", "leaves a state that it was not in", jumps)


def _counts(trace: Trace) -> Iterator[Problem]:
    wrong = []
    for kind in ("EndpointsChanged", "LookupEnded", "AddressListTaken"):
        for event, _, addresses, count in _rows(trace, kind, "addresses", "count"):
            words = trace.word(addresses)
            if count != (len(words.split(",")) if words else 0):
                wrong.append(event)
    yield from _broken("counts", "says another number of addresses than it lists", wrong)
    beyond = [
        e for e, _, ready, start in _rows(trace, "PickerPublished", "ready", "start")
        if start >= max(ready, 1)
    ]  # fmt: skip
    yield from _broken("counts", "begins with a connection that the picker does not have", beyond)


def _numbers(trace: Trace) -> Iterator[Problem]:
    for kind, field in (
        ("CallStarted", "call"),
        ("SubchannelCreated", "subchannel"),
        ("ConnectStarted", "connection"),
    ):
        rows = _rows(trace, kind, field)
        times = Counter(number for _, _, number in rows)
        again = [event for event, _, number in rows if times[number] > 1]
        yield from _broken("numbers", f"({kind}) has a number that another one has", again)


def _places(trace: Trace) -> Iterator[Problem]:
    """A pod is where the cluster says; so it can only answer over a connection that leads there."""
    whole = Trace(trace.core)
    homes: dict[int, set[str]] = {}
    for _, _, pod, addresses in _rows(whole, "PodChanged", "pod", "address"):
        homes.setdefault(pod, set()).update(whole.word(addresses).split(","))
    pods = {address for of_one in homes.values() for address in of_one}
    made = {n: to for _, _, n, to in _rows(whole, "SubchannelCreated", "subchannel", "address")}
    leads = {
        connection: made.get(subchannel, 0)
        for _, _, connection, subchannel in _rows(
            whole, "ConnectStarted", "connection", "subchannel"
        )
    }
    # Through a proxy it leads where that sent it, as far as it was seen to.
    leads |= {c: to for _, _, c, to in _rows(whole, "ProxyRouted", "connection", "endpoint")}
    wrong = [
        event
        for event, _, pod, connection in _rows(trace, "CallEnded", "pod", "connection")
        if pod in homes
        and (place := whole.word(leads.get(connection, 0))) in pods
        and place not in homes[pod]
    ]
    yield from _broken("places", "is answered by a pod that is elsewhere than was dialled", wrong)


def _rows(trace: Trace, kind: str, *fields: str) -> list[Any]:
    """Each event of a kind: its id, who, and these fields as numbers."""
    chosen = trace.of(kind)
    columns: list[Any] = [trace.core.id[chosen.rows], trace.core.who[chosen.rows]]
    columns += [chosen.column(kind, field) for field in fields]
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _broken(rule: str, what: str, events: Iterable[int]) -> Iterator[Problem]:
    found = tuple(sorted(int(event) for event in events))
    if found:
        count = "an event" if len(found) == 1 else f"each of {len(found)} events"
        yield Problem(rule, f"{count} {what}", found)
