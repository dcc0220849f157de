"""The engines by name."""

from __future__ import annotations

from collections.abc import Callable

from conformance.engine import Engine
from conformance.grpcio_engine import GrpcioEngine
from conformance.grpcio_process import GrpcioProcess
from conformance.local_engine import LocalEngine
from conformance.model import ClusterSpec
from conformance.sim_engine import SimEngine

NAMES = ("sim", "lab", "grpc", "grpcio")
"""Our core in the virtual world, our core on real connections, gRPC C++ 1.51 and PyPI's newest."""


def make(name: str, spec: ClusterSpec, process: Callable[[], GrpcioProcess]) -> Engine:
    """An engine by its name. `process` starts grpcio's, or gives the one that runs."""
    if name == "sim":
        return SimEngine(spec)
    if name == "grpcio":
        return GrpcioEngine(spec, process())
    return LocalEngine(spec, name)
