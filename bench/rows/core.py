"""The pure core under the microscope: a pick, and an event that nobody hears."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import processes
from bench.curves import Curve, Panel, Point
from bench.measure import Bar, Effort, Row, Run, Sample

BACKENDS = (3, 100, 1_000, 10_000)
POLICIES = (
    "round_robin",
    "random",
    "least_request",
    "ring_hash_experimental",
    "weighted_round_robin",
    "outlier_detection_experimental",
)
UNHEARD, RECORDED = "nobody listens", "recorded"


@contextmanager
def _picks(effort: Effort) -> Iterator[Mapping[str, Run]]:
    program, times = processes.peer("core_cost"), effort.calls(20_000_000)
    yield {
        _name(backends): partial(_cost, program, "pick", times, "--backends", str(backends))
        for backends in BACKENDS
    }


@contextmanager
def _picks_by_policy(effort: Effort) -> Iterator[Mapping[str, Run]]:
    program, times = processes.peer("core_cost"), effort.calls(20_000_000)
    yield {
        f"{policy}, {_name(backends)}": partial(
            _cost, program, "pick", times, "--backends", str(backends), "--policy", policy
        )
        for policy in POLICIES
        for backends in (3, 10_000)
    }


@contextmanager
def _events(effort: Effort) -> Iterator[Mapping[str, Run]]:
    program = processes.peer("core_cost")
    yield {
        UNHEARD: partial(_cost, program, "emit", effort.calls(100_000_000)),
        # Fewer: each takes 56 bytes of fresh memory.
        RECORDED: partial(_cost, program, "emit", effort.calls(1_000_000), "--recorded"),
    }


def _cost(program: Path, step: str, times: int, *flags: str) -> Sample:
    told = processes.report_of([program, step, "--times", str(times), *flags])
    return {"nanoseconds": told["nanoseconds"], "allocations": told["allocations"]}


def _name(backends: int) -> str:
    return f"{backends:,} backends"


ROWS = (
    Row(
        "pick",
        "A pick of round_robin and its READY subchannel's connection, one after the other",
        (
            Bar(_name(10_000), _name(3), "nanoseconds", most=1.2),
            Bar(_name(10_000), None, "nanoseconds", most=5),
        ),
        _picks,
    ),
    Row(
        "policies",
        "A pick of each policy, and the end of its call",
        (
            Bar(f"round_robin, {_name(3)}", None, "nanoseconds", most=5),
            Bar(f"least_request, {_name(3)}", None, "nanoseconds", most=40),
            Bar(f"least_request, {_name(10_000)}", None, "nanoseconds", most=40),
            Bar(f"weighted_round_robin, {_name(3)}", None, "nanoseconds", most=40),
            Bar(f"weighted_round_robin, {_name(10_000)}", None, "nanoseconds", most=40),
            Bar(f"weighted_round_robin, {_name(3)}", None, "allocations", most=0),
            Bar(f"outlier_detection_experimental, {_name(3)}", None, "allocations", most=0),
        ),
        _picks_by_policy,
    ),
    Row(
        "emit",
        "An event with a word in it",
        (
            Bar(UNHEARD, None, "nanoseconds", most=2),
            Bar(UNHEARD, None, "allocations", most=0),
        ),
        _events,
    ),
)

CURVES = (
    Curve(
        "pick",
        "A pick of round_robin",
        "backends",
        (Panel("nanoseconds", "nanoseconds"),),
        {"round_robin": [Point(n, "pick", _name(n)) for n in BACKENDS]},
    ),
)
