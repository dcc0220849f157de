"""The engines of `greetlab.Channel`, and pods that answer by a script."""

from __future__ import annotations

import time
from collections.abc import Callable

from conformance.engine import Caller, Engine
from conformance.local_engine import POLL, Environment, LocalEngine, NativeCaller, RealCaller
from conformance.model import Client, Outcome, ScriptedSpec
from conformance.scripted_pods import ScriptedCluster


class ScriptedEngine(Engine):
    """Some scripted pods, and an engine by its name."""

    def __init__(self, spec: ScriptedSpec, engine: str) -> None:
        self.engine = engine
        self.cluster = ScriptedCluster(spec)
        self._environment = Environment()

    def open(self, client: Client) -> Caller:
        self._environment.set(dict(client.environment))
        try:
            return ScriptedCaller(self, client)  # type: ignore[arg-type]
        except ValueError as why:
            if not str(why).startswith("service config: "):
                raise
            return Refused(self, client, str(why))  # type: ignore[arg-type]

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


class Refused(RealCaller):
    """A config that is refused where a channel is made: there is none.

    C-core makes one all of whose calls fail; an error in its place is the same to who calls.
    """

    def __init__(self, engine: LocalEngine, client: Client, why: str) -> None:
        super().__init__(engine, client)
        self._why = why

    def calls(self, n: int, concurrency: int, timeout: float, wait_for_ready: bool) -> Outcome:
        return Outcome({"INVALID_ARGUMENT": n}, {}, 0.0, 0.0, messages=(self._why,))

    def wait_ready(self, all: bool, timeout: float) -> None:
        raise ValueError(self._why)

    @property
    def state(self) -> str:
        return "TRANSIENT_FAILURE"

    def close(self) -> None:
        pass

    def _queries(self) -> list[float]:
        return []
