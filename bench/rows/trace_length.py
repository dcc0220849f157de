"""Long traces: what they hold of memory, and how long they take to save and to load."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from bench import processes
from bench.curves import Curve, Panel, Point
from bench.measure import Effort, Row, Run, Sample

LENGTHS = (1_000, 10_000, 100_000, 1_000_000)


@contextmanager
def _contenders(_: Effort) -> Iterator[Mapping[str, Run]]:
    yield {_name(events): partial(_sample, events) for events in LENGTHS}


def _sample(events: int) -> Sample:
    command = [sys.executable, "-m", "bench.clients.trace_length", "--events", str(events)]
    told = processes.report_of(command)
    return {
        "bytes_per_event": told["bytes_per_event"],
        "save_seconds": told["save_seconds"],
        "load_seconds": told["load_seconds"],
    }


def _name(events: int) -> str:
    return f"{events:,} events"


ROWS = (
    Row(
        "trace-length",
        "Traces of the simulator: memory, by what malloc gave out; saving and loading",
        (),
        _contenders,
    ),
)

CURVES = (
    Curve(
        "trace-length",
        "Longer traces",
        "events",
        (
            Panel("bytes_per_event", "bytes of memory per event"),
            Panel("save_seconds", "seconds to save", logarithmic=True),
            Panel("load_seconds", "seconds to load", logarithmic=True),
        ),
        {"Cluster.sim": [Point(n, "trace-length", _name(n)) for n in LENGTHS]},
    ),
)
