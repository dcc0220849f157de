"""What a trace costs: the lab channel with one against itself without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from bench import counting, processes
from bench.measure import Bar, Effort, Row, Run

TRACED, UNTRACED = "lab, traced", "lab, untraced"
FRAMES = "lab, with frames"
BACKENDS = 3
EVENTS_PER_CALL = 16
"""Above what a call leaves in the trace: one that is full costs less than one that is not."""


@contextmanager
def _contenders(effort: Effort) -> Iterator[Mapping[str, Run]]:
    calls, warm_up = effort.calls(50_000), effort.calls(4_000)
    room = (calls + warm_up) * EVENTS_PER_CALL
    with processes.serving(processes.cq_server(BACKENDS), BACKENDS) as server:
        yield {
            name: partial(
                processes.sample,
                processes.our_client(
                    server, engine="lab", policy="round_robin", trace_capacity=capacity
                ),
                calls=calls,
                warm_up=warm_up,
            )
            for name, capacity in ((TRACED, room), (UNTRACED, 0))
        }


@contextmanager
def _counted(_: Effort) -> Iterator[Mapping[str, Run]]:
    with processes.serving(processes.cq_server(BACKENDS), BACKENDS) as server:
        yield {
            name: counting.counted(
                counting.with_calls(
                    processes.lab_client(server, trace_capacity=capacity, frames=frames)
                ),
                3_000,
                "instructions",
            )
            for name, capacity, frames in (
                (FRAMES, 1_000_000, True),
                (TRACED, 1_000_000, False),
                (UNTRACED, 0, False),
            )
        }


ROWS = (
    Row(
        "trace",
        f"The lab channel with and without a trace, {BACKENDS} backends, 64 in flight",
        (),
        _contenders,
    ),
    Row(
        "trace-counted",
        f"What a call of the lab's channel takes with and without a trace, {BACKENDS} backends",
        (
            Bar(TRACED, UNTRACED, "instructions", most=1.15),
            Bar(FRAMES, UNTRACED, "instructions", most=1.6),
        ),
        _counted,
        times=None,
    ),
)
