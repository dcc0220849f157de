"""The lab channel's round_robin against gRPC's own, over 3 to 1,000: timed, and counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from bench import counting, processes
from bench.curves import Curve, Panel, Point
from bench.measure import Bar, Effort, Metric, Row, Run, Sample

LAB, NATIVE, TUNED = "lab, untraced", "native, default", "native, tuned"
POLICY = "round_robin"
CALLS_COUNTED = 3_000
"""In the short one of the two runs that are compared."""


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


@contextmanager
def _counted(
    _: Effort, *, backends: int, metrics: tuple[Metric, ...]
) -> Iterator[Mapping[str, Run]]:
    with processes.serving(processes.cq_server(backends), backends) as server:
        commands = {
            LAB: processes.lab_client(server, policy=POLICY),
            TUNED: processes.native_client(server, policy=POLICY, tuned=True),
        }
        yield {
            name: counting.counted(counting.with_calls(command), CALLS_COUNTED, *metrics)
            for name, command in commands.items()
        }


@contextmanager
def _growth(_: Effort) -> Iterator[Mapping[str, Run]]:
    """The lab's channel over few and over many backends."""
    with ExitStack() as stack:
        runs = {}
        for backends in (3, 1000):
            server = stack.enter_context(processes.serving(processes.cq_server(backends), backends))
            command = counting.with_calls(processes.lab_client(server, policy=POLICY))
            runs[_of(backends)] = counting.counted(command, CALLS_COUNTED, "instructions")
        yield runs


@contextmanager
def _connections(_: Effort) -> Iterator[Mapping[str, Run]]:
    backends = 1000
    with processes.serving(processes.cq_server(backends), backends) as server:

        def sample(command: Sequence[str | Path]) -> Sample:
            told = processes.report_of([*command, "--calls", str(backends), "--warm-up", "1"])
            sample: dict[Metric, float] = {"bytes_per_connection": told["bytes_per_connection"]}
            if "ready_seconds" in told:
                sample["seconds"] = told["ready_seconds"]
            return sample

        yield {
            LAB: partial(sample, processes.lab_client(server, policy=POLICY)),
            TUNED: partial(sample, processes.native_client(server, policy=POLICY, tuned=True)),
        }


def _of(backends: int) -> str:
    return f"lab, {backends:,} backends"


def _row(backends: int) -> Row:
    bars = (Bar(LAB, NATIVE, least=1.1), Bar(LAB, TUNED, "cpu_us", most=0.75))
    return Row(
        f"round-robin-{backends}",
        f"round_robin over {backends} backends, 64 in flight",
        bars,
        partial(_contenders, backends=backends),
        times=2 if backends < 1000 else 1,
    )


def _counted_row(backends: int) -> Row:
    metrics: tuple[Metric, ...] = ("instructions",)
    bars = [Bar(LAB, TUNED, "instructions", most=0.4)]
    if backends == 3:
        metrics += ("system_calls", "allocations")
        bars += [
            Bar(LAB, TUNED, "system_calls", most=0.6),
            Bar(LAB, None, "allocations", most=4),
        ]
    return Row(
        f"counted-{backends}",
        f"What a call of round_robin takes, over {backends} backends, 64 in flight",
        bars,
        partial(_counted, backends=backends, metrics=metrics),
        times=None,
    )


ROWS = (
    *(_row(backends) for backends in (3, 100, 500, 1000)),
    *(_counted_row(backends) for backends in (3, 100, 500, 1000)),
    Row(
        "counted-growth",
        "What a call of the lab's channel takes, with few and with many backends",
        (Bar(_of(1000), _of(3), "instructions", most=1.15),),
        _growth,
        times=None,
    ),
    Row(
        "connections",
        "1,000 connections: their memory, and until all of them are READY",
        (
            Bar(LAB, None, "bytes_per_connection", most=24 * 1024),
            Bar(LAB, TUNED, "bytes_per_connection", most=0.25),
            Bar(LAB, None, "seconds", most=0.15),
        ),
        _connections,
    ),
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
