"""A trace of a given length: what it holds of memory, and how long it takes to save and to load."""

from __future__ import annotations

import ctypes
import gc
import json
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

import greetlab as gl

SEED = 1
AT_ONCE = 100
"""Calls of one load. What is known of them is forgotten before the next one."""
EVENTS_PER_CALL = 2
"""Below what a call leaves in a trace, so that the trace is full in the end."""


class Mallinfo2(ctypes.Structure):
    """glibc's `struct mallinfo2`, mallinfo(3); from version 2.33 on."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def main(events: Annotated[int, typer.Option()]) -> None:
    """Records a trace in the simulator, saves it and loads it; prints what it took as JSON.

    Memory is what malloc has given out, which is exact for a small trace, too, where the resident
    size tells of whole pages only: what a world has, less what the same world has after the same
    calls without a trace. The trace is full, so all of it has been written to.
    """
    _world(0, events)  # what Python makes once
    without, _ = _world(0, events)
    held, trace = _world(events, events)
    if len(trace) != events:
        raise SystemExit(f"the trace has {len(trace)} events, not {events}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.jsonl"
        start = time.perf_counter()
        trace.save(path)
        saved = time.perf_counter()
        again = gl.Trace.load(path)
        loaded = time.perf_counter()
    if again.counts() != trace.counts():
        raise SystemExit(f"{len(trace)} events were saved, and {len(again)} came back")
    figures = {
        "bytes_per_event": (held - without) / events,
        "save_seconds": saved - start,
        "load_seconds": loaded - saved,
    }
    print(json.dumps(figures))


def _world(capacity: int, events: int) -> tuple[int, gl.Trace]:
    """Calls that make so many events, and more, in a world that keeps as many as it has room for.

    Returns the bytes that it holds, and its trace, which are part of them.
    """
    before = _bytes_given_out()
    cluster = gl.Cluster.sim(3, SEED, trace_capacity=capacity)
    channel = cluster.channel("greetserver-headless", policy="round_robin")
    for _ in range(events // (AT_ONCE * EVENTS_PER_CALL) + 1):
        channel.load(AT_ONCE)
    trace = cluster.trace
    return _bytes_given_out() - before, trace


def _bytes_given_out() -> int:
    gc.collect()
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = Mallinfo2
    now = libc.mallinfo2()
    return int(now.uordblks + now.hblkhd)


if __name__ == "__main__":
    typer.run(main)
