"""Callers that wait for each answer: the lab channel against gRPC's sync stub, one and sixteen.

Both are threads in C++ that make one call, wait for its answer, and make the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from bench import processes
from bench.measure import Bar, Effort, Row, Run

LAB, STUB = "lab, untraced", "gRPC's sync stub"


@contextmanager
def _contenders(effort: Effort, *, threads: int, usual: int) -> Iterator[Mapping[str, Run]]:
    with processes.serving(processes.cq_server()) as server:
        commands = {
            LAB: processes.blocking_client(server, engine="lab", threads=threads),
            STUB: processes.blocking_client(server, engine="grpc", threads=threads),
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
        (Bar(LAB, STUB, "p50_us", most=0.9),),
        partial(_contenders, threads=1, usual=8_000),
    ),
    Row(
        "blocking-16",
        "16 blocking callers on one channel",
        (Bar(LAB, STUB, least=1.6),),
        partial(_contenders, threads=16, usual=20_000),
        times=2,
    ),
)
