"""The engines by name."""

from __future__ import annotations

from collections.abc import Callable

from conformance.engine import Engine, NotThereError
from conformance.grpcio_engine import GrpcioEngine
from conformance.grpcio_process import GrpcioProcess
from conformance.local_engine import LocalEngine
from conformance.model import World
from conformance.sim_engine import SimEngine

from greetlab.channel import ENGINES

NAMES = ("sim", "lab", "grpc", "grpcio")
"""Our core in the virtual world, our core on real connections, gRPC C++ 1.51 and PyPI's newest."""


def make(name: str, world: World, process: Callable[[], GrpcioProcess]) -> Engine:
    """An engine by its name. `process` starts grpcio's, or gives the one that runs.

    Raises NotThereError for one that this greetlab lacks.
    """
    if name == "sim":
        return SimEngine(world)
    if name == "grpcio":
        return GrpcioEngine(world, process())
    if name not in ENGINES:
        raise NotThereError(f"engine {name!r}")
    return LocalEngine(world, name)
