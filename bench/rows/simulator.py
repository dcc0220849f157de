"""Our simulator: against SimPy on the same model, and with more pods and more clients.

The median latency that these rows tell is of virtual time: the same for all, or it is not the same
model.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import counting, processes
from bench.curves import Curve, Panel, Point
from bench.measure import Bar, Effort, Row, Run

PODS = (3, 10, 100, 1_000)
CLIENTS = (1, 10, 100, 1_000)
SIMPY, BY_LEGS, LEAN = "SimPy", "SimPy, a call in three legs", "SimPy, a call in one event"
WARM_UP = 20_000


@contextmanager
def _pods(effort: Effort) -> Iterator[Mapping[str, Run]]:
    processes.require_python("simpy")
    ours = {_of_pods(pods): _run(_ours(pods=pods), effort.calls(600_000)) for pods in PODS}
    theirs = {
        SIMPY: _run(_simpy("whole"), effort.calls(60_000)),
        BY_LEGS: _run(_simpy("legs"), effort.calls(100_000)),
        LEAN: _run(_simpy("call"), effort.calls(200_000)),
    }
    yield ours | theirs


@contextmanager
def _clients(effort: Effort) -> Iterator[Mapping[str, Run]]:
    calls = effort.calls(400_000)
    yield {_of_clients(n): _run(_ours(clients=n, concurrency=1), calls) for n in CLIENTS}


def _ours(**flags: int) -> list[str | Path]:
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    return [sys.executable, "-m", "bench.clients.simulator", *words]


def _simpy(detail: str) -> list[str | Path]:
    flags = ["--pods", str(PODS[0]), "--detail", detail]
    return [sys.executable, "-m", "bench.clients.simpy_model", *flags]


def _run(command: list[str | Path], calls: int) -> Run:
    return partial(processes.sample, command, calls=calls, warm_up=WARM_UP)


def _of_pods(pods: int) -> str:
    return f"{pods:,} pods"


def _of_clients(clients: int) -> str:
    return f"{clients:,} client{'s' * (clients > 1)}"


@contextmanager
def _counted(_: Effort) -> Iterator[Mapping[str, Run]]:
    program = processes.peer("core_cost")

    def command(pods: int, calls: int) -> list[str | Path]:
        return [program, "simulate", "--times", str(calls), "--pods", str(pods)]

    yield {
        _of_pods(pods): counting.counted(
            partial(command, pods), 10_000, "instructions", "allocations"
        )
        for pods in (3, 1_000)
    }


ROWS = (
    Row(
        "simulator",
        "The simulator: a client with 64 calls in flight; SimPy: the same over 3 pods",
        (
            # The model in which all can happen to a call that can in ours. The others show how much
            # of that is SimPy's: calls that nothing can happen to.
            Bar(_of_pods(3), SIMPY, least=50),
        ),
        _pods,
    ),
    Row(
        "simulator-counted",
        "What a simulated call takes, with few and with many pods",
        (
            Bar(_of_pods(3), None, "instructions", most=1_000),
            Bar(_of_pods(1_000), _of_pods(3), "instructions", most=1.3),
        ),
        _counted,
        times=None,
    ),
    Row(
        "simulator-clients",
        "The simulator: more clients of 3 pods, each with one call in flight",
        (),
        _clients,
    ),
)

COST = (Panel("cpu_us", "CPU per call, µs"),)

CURVES = (
    Curve(
        "simulator-pods",
        "The simulator: more pods",
        "pods",
        COST,
        {"Cluster.sim": [Point(n, "simulator", _of_pods(n)) for n in PODS]},
    ),
    Curve(
        "simulator-clients",
        "The simulator: more clients",
        "clients",
        COST,
        {"Cluster.sim": [Point(n, "simulator-clients", _of_clients(n)) for n in CLIENTS]},
    ),
)
