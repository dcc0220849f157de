"""Callers that wait for each answer: the lab channel against gRPC's sync stub, one and sixteen.

Each of ours is a Python thread in `load(n, concurrency=1)`: one binding call, whose next call
starts when the last has ended. So it leaves out what it costs to wake the caller after each call,
which the sync stub does pay. A client in C++ that blocks for each call will replace it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from bench import processes
from bench.measure import Bar, Effort, Row, Run
from bench.rows.lab import need_lab_engine

LAB, STUB = "lab, untraced", "gRPC's sync stub"


@contextmanager
def _contenders(effort: Effort, *, threads: int, usual: int) -> Iterator[Mapping[str, Run]]:
    need_lab_engine()
    with processes.serving(processes.cq_server()) as server:
        commands = {
            LAB: processes.our_client(server, engine="lab", trace_capacity=0, threads=threads),
            STUB: processes.blocking_client(server, threads=threads),
        }
        yield {
            name: partial(
                processes.sample, command, calls=effort.calls(usual), warm_up=effort.calls(2_000)
            )
            for name, command in commands.items()
        }


ROWS = (
    Row(
        "blocking-1",
        "One blocking caller",
        (Bar(LAB, STUB, "p50_us", most=1.1),),
        partial(_contenders, threads=1, usual=8_000),
    ),
    Row(
        "blocking-16",
        "16 blocking callers on one channel",
        (Bar(LAB, STUB, least=1.5),),
        partial(_contenders, threads=16, usual=32_000),
    ),
)
