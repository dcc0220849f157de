"""The engines of `greetlab.Channel`, and pods that answer by a script."""

from __future__ import annotations

import time
from collections.abc import Callable

from conformance.engine import Caller, Engine
from conformance.local_engine import POLL, Environment, NativeCaller
from conformance.model import Client, ScriptedSpec
from conformance.scripted_pods import ScriptedCluster


class ScriptedEngine(Engine):
    """Some scripted pods, and an engine by its name."""

    def __init__(self, spec: ScriptedSpec, engine: str) -> None:
        self.engine = engine
        self.cluster = ScriptedCluster(spec)
        self._environment = Environment()

    def open(self, client: Client) -> Caller:
        self._environment.set(dict(client.environment))
        return ScriptedCaller(self, client)  # type: ignore[arg-type]

    def target(self, client: Client) -> str:
        """All of the pods, or a list of some."""
        return self.cluster.target(client.addresses)

    def until(self, holds: Callable[[], bool], timeout: float) -> bool:
        end = time.monotonic() + timeout
        while not (held := holds()) and time.monotonic() < end:
            time.sleep(POLL)
        return held

    def hang(self, pod: str) -> None:
        raise NotImplementedError("scripted pods answer or do not: Replies")

    hang_up = silence = hang

    def close(self) -> None:
        self._environment.restore()
        super().close()

    def dials(self, pod: str) -> list[float]:
        raise NotImplementedError("nobody writes that down here")


class ScriptedCaller(NativeCaller):
    """A client of theirs. It has a list, so it looks nothing up."""

    def _queries(self) -> list[float]:
        return []
