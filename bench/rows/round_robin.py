"""The lab channel's round_robin against gRPC's own, over 3, 100 and 500 backends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from bench import processes
from bench.curves import Curve, Panel, Point
from bench.measure import Bar, Effort, Row, Run

LAB, NATIVE, TUNED = "lab, untraced", "native, default", "native, tuned"
POLICY = "round_robin"


@contextmanager
def _contenders(effort: Effort, *, backends: int) -> Iterator[Mapping[str, Run]]:
    with processes.serving(processes.cq_server(backends), backends) as server:
        commands = {
            LAB: processes.our_client(server, engine="lab", policy=POLICY, trace_capacity=0),
            NATIVE: processes.native_client(server, policy=POLICY, tuned=False),
            TUNED: processes.native_client(server, policy=POLICY, tuned=True),
        }
        calls, warm_up = effort.calls(20_000), effort.calls(2_000)
        yield {
            name: partial(processes.sample, command, calls=calls, warm_up=warm_up)
            for name, command in commands.items()
        }


def _row(backends: int, *, least: float | None, tuned: float | None) -> Row:
    """least, tuned: the bars for calls/s against gRPC's defaults, and against our arguments."""
    bars = []
    if least is not None:
        bars += [Bar(LAB, NATIVE, least=least), Bar(LAB, NATIVE, "cpu_us", most=0.9)]
    if tuned is not None:
        bars += [Bar(LAB, TUNED, least=tuned)]
    return Row(
        f"round-robin-{backends}",
        f"round_robin over {backends} backends, 64 in flight",
        bars,
        partial(_contenders, backends=backends),
        times=2 if bars else 1,
    )


ROWS = (
    _row(3, least=1.03, tuned=1.0),
    _row(100, least=1.08, tuned=1.0),
    _row(500, least=1.08, tuned=1.0),
    _row(1000, least=None, tuned=None),
)

CURVES = (
    Curve(
        "backends",
        "round_robin: more backends, 64 calls in flight",
        "backends",
        (Panel("calls_per_second", "calls/s"), Panel("cpu_us", "client CPU per call, µs")),
        {
            name: [Point(n, f"round-robin-{n}", name) for n in (3, 100, 500, 1000)]
            for name in (LAB, NATIVE, TUNED)
        },
    ),
)
