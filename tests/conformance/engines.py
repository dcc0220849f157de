"""The engines by name."""

from __future__ import annotations

from conformance.engine import Engine
from conformance.local_engine import LocalEngine
from conformance.model import ClusterSpec, ScriptedSpec
from conformance.scenario import Scenario
from conformance.scripted_engine import ScriptedEngine
from conformance.sim_engine import SimEngine

NAMES = ("sim", "lab", "grpc", "grpcio")
"""Our core in the virtual world, our core on real connections, gRPC C++ 1.51 and PyPI's newest."""


TAKE_A_SERVICE_CONFIG = ("lab", "grpc", "grpcio")
"""The engines that can be told one."""


def make(name: str, spec: ClusterSpec | ScriptedSpec) -> Engine:
    """An engine by its name."""
    if isinstance(spec, ScriptedSpec):
        return ScriptedEngine(spec, name)
    return SimEngine(spec) if name == "sim" else LocalEngine(spec, name)


def cannot(name: str, scenario: Scenario) -> str | None:
    """Why none of a scenario's kind can be played by this engine; None: it can."""
    if name == "sim" and isinstance(scenario.cluster, ScriptedSpec):
        return "the sim's pods have no script"
    if scenario.client.service_config is not None and name not in TAKE_A_SERVICE_CONFIG:
        return "this engine cannot be told a service config"
    return None
