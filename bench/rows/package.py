"""What somebody waits for before anything begins: the import, and a local cluster."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from bench import processes
from bench.curves import Curve, Panel, Point
from bench.measure import Bar, Effort, Row, Run, Sample

IMPORT = (
    "import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
)
"""Measured within a fresh interpreter: how long Python itself takes to start is not ours."""

PODS = (3, 10, 30, 100)


@contextmanager
def _imports(_: Effort) -> Iterator[Mapping[str, Run]]:
    processes.require_python("grpc")

    def seconds(module: str) -> Sample:
        program = IMPORT.format(module=module)
        return {"seconds": float(processes.output_of([sys.executable, "-c", program]))}

    yield {module: partial(seconds, module) for module in ("greetlab", "grpc")}


@contextmanager
def _clusters(_: Effort) -> Iterator[Mapping[str, Run]]:
    def seconds(pods: int) -> Sample:
        command = [sys.executable, "-m", "bench.clients.cluster_up", "--pods", str(pods)]
        return {"seconds": processes.report_of(command)["seconds"]}

    yield {_name(pods): partial(seconds, pods) for pods in PODS}


def _name(pods: int) -> str:
    return f"{pods} pods"


ROWS = (
    Row(
        "import",
        "import greetlab, in a fresh interpreter; grpcio's for scale",
        (Bar("greetlab", None, "seconds", most=0.120),),
        _imports,
    ),
    Row(
        "cluster",
        "A local cluster, until every pod serves",
        (
            Bar(_name(3), None, "seconds", most=0.2),
            Bar(_name(100), None, "seconds", most=1.5),
            # Linear: ten times the pods, and at the most that much more of time.
            Bar(_name(100), _name(10), "seconds", most=10.0),
        ),
        _clusters,
    ),
)

CURVES = (
    Curve(
        "cluster",
        "A local cluster, until every pod serves",
        "pods",
        (Panel("seconds", "seconds", logarithmic=True),),
        {"Cluster.local": [Point(pods, "cluster", _name(pods)) for pods in PODS]},
    ),
)
