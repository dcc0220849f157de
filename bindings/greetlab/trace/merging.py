"""Traces of several clients, each of its own process and clock, as one.

Each counts its events, calls, subchannels and connections from 1, and calls its client "client-1".
In the merged one each thing has a number of its own, and each client its name.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greetlab import _core
from greetlab.trace.trace import Trace, owner

COUNTED = ("call", "connection", "subchannel")
"""The fields that are numbers of the trace's own (cpp/trace/ids.h). 0 is none."""
MOMENTS = ("again_ns", "until_ns")
"""The fields that are moments, not durations: of the same clock as the event's own."""
_ALONE = "client-1"
"""As a client that is alone calls itself."""


@dataclass(frozen=True)
class Part:
    """What one client recorded.

    name: that it has in the merged trace. ahead: seconds that its clock is ahead of the one that
    the merged trace is to be of.
    """

    name: str
    trace: Trace
    ahead: float = 0.0


def merge(parts: Iterable[Part]) -> Trace:
    """All events in the order of their moments, as far as the clocks were compared; those of one
    client in its own order.

    Raises ValueError if two parts have the same name, if they are of different worlds, or if there
    are none.
    """
    given = list(parts)
    names = [part.name for part in given]
    worlds = sorted({part.trace.world for part in given})
    if len(set(names)) < len(names):
        raise ValueError(f"merge traces: two clients have the same name: {', '.join(names)}")
    if len(worlds) != 1:
        raise ValueError(f"merge traces of {', '.join(worlds) or 'nobody'}: of one world's clients")
    used = dict.fromkeys(COUNTED, 0)
    everything = []
    for whose, part in enumerate(given):
        header, events = _read(part.trace)
        for event in events:
            _make_own(event, part, used)
        used = {one: max([used[one], *(e.get(one, 0) for e in events)]) for one in used}
        everything += [(event["at_ns"], whose, event) for event in events]
    everything.sort(key=lambda one: one[:2])  # stable: a client's own order stays
    numbers = {
        (whose, event["id"]): number for number, (_, whose, event) in enumerate(everything, start=1)
    }
    for _, whose, event in everything:
        event["cause"] = numbers.get((whose, event["cause"]), 0)
        event["id"] = numbers[whose, event["id"]]
    header |= {"events": len(everything), "dropped": sum(part.trace.dropped for part in given)}
    lines = [json.dumps(one) for one in (header, *(event for *_, event in everything))]
    return Trace(_core.Trace.parse("\n".join([*lines, ""])))


def _read(trace: Trace) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The header, and the events."""
    with tempfile.TemporaryDirectory(prefix="greetlab-") as folder:
        file = Path(folder) / "trace.jsonl"
        trace.save(file)
        header, *events = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return header, events


def _make_own(event: dict[str, Any], part: Part, used: dict[str, int]) -> None:
    if owner(event["who"]) == _ALONE:  # "client-1.7": its channel for one call
        event["who"] = part.name + event["who"].removeprefix(_ALONE)
    for name in COUNTED:
        if event.get(name):
            event[name] += used[name]
    for name in ("at_ns", *MOMENTS):
        if name in event:
            event[name] -= round(part.ahead * 1e9)
