"""More calls in flight, and more loops: what concurrency brings, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from bench import processes
from bench.curves import Curve, Panel, Point
from bench.measure import Bar, BrokenError, Effort, Row, Run, Sample

LAB, TUNED = "lab, untraced", "native, tuned"
ONE_LOOP, TWO_LOOPS = "one loop", "two loops"
POLICY, BACKENDS = "round_robin", 3
CALLS = {1: 4_000, 64: 25_000, 512: 25_000}
"""How many are made, by how many are in flight."""
LOADED = 512
"""What somebody has in flight who has more than one loop."""


@contextmanager
def _outstanding(effort: Effort) -> Iterator[Mapping[str, Run]]:
    with processes.serving(processes.cq_server(BACKENDS), BACKENDS) as server:
        yield {
            _name(engine, in_flight): partial(
                processes.sample,
                command,
                calls=effort.calls(usual),
                warm_up=effort.calls(usual // 10),
            )
            for in_flight, usual in CALLS.items()
            for engine, command in (
                (
                    LAB,
                    processes.our_client(
                        server,
                        engine="lab",
                        policy=POLICY,
                        trace_capacity=0,
                        concurrency=in_flight,
                    ),
                ),
                (
                    TUNED,
                    processes.native_client(
                        server, policy=POLICY, tuned=True, concurrency=in_flight
                    ),
                ),
            )
        }


@contextmanager
def _loops(effort: Effort) -> Iterator[Mapping[str, Run]]:
    calls = effort.calls(30_000)
    with processes.serving(processes.cq_server(BACKENDS), BACKENDS) as server:

        def sample(loops: int) -> Sample:
            taken = processes.timed(
                processes.greet_client(
                    server, calls=calls, policy=POLICY, concurrency=LOADED, loops=loops
                )
            )
            if not taken.output.startswith(f"{calls} calls · {calls} OK"):
                raise BrokenError(f"greet-client: {taken.output.splitlines()[0]}")
            return {
                "calls_per_second": calls / taken.seconds,
                "cpu_us": taken.cpu_seconds / calls * 1e6,
            }

        yield {ONE_LOOP: partial(sample, 1), TWO_LOOPS: partial(sample, 2)}


def _name(engine: str, in_flight: int) -> str:
    return f"{engine}, {in_flight} in flight"


ROWS = (
    Row(
        "outstanding",
        f"round_robin over {BACKENDS} backends, more and more calls in flight",
        (),
        _outstanding,
    ),
    Row(
        "loops",
        f"greet-client with one loop, and with two: {LOADED} in flight in all",
        (Bar(TWO_LOOPS, ONE_LOOP, least=1.0),),
        _loops,
        times=2,
    ),
)

CURVES = (
    Curve(
        "outstanding",
        f"round_robin over {BACKENDS} backends: more calls in flight",
        "calls in flight",
        (Panel("calls_per_second", "calls/s"), Panel("p50_us", "p50, µs", logarithmic=True)),
        {
            engine: [Point(n, "outstanding", _name(engine, n)) for n in CALLS]
            for engine in (LAB, TUNED)
        },
    ),
)
