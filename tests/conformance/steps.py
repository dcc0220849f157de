"""What a scenario can do and look at, a class each. All of them are data: a scenario is a tuple.

A step that finds something else than it expects fails the test with a sentence.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from itertools import pairwise

from conformance.engine import Caller, Engine
from conformance.model import ALL_OK, LAST, Client, Expect, Outcome

PATIENCE = 10.0
"""Seconds that a condition may take to hold, where a step does not say it."""


@dataclass
class Stage:
    """Where the steps play: an engine, the client, and what its calls brought last."""

    engine: Engine
    client: Client
    caller: Caller
    last_pod: str | None = None
    placed: dict[str, str] = field(default_factory=dict)  # which pod had which key

    def expect(self, expected: Expect, seen: Outcome) -> None:
        """Fails if calls did not end as expected."""
        self.last_pod = seen.last_pod or self.last_pod
        problem = expected.problem(seen)
        assert problem is None, problem

    def pod(self, name: str) -> str:
        """A pod's name, with LAST resolved."""
        if name != LAST:
            return name
        assert self.last_pod is not None, "no pod has answered yet"
        return self.last_pod


class Step(ABC):
    """Something that is done, or looked at."""

    @abstractmethod
    def run(self, stage: Stage) -> None:
        """Does it."""


@dataclass(frozen=True)
class WaitReady(Step):
    """Connects and waits until READY; all: each pod's connection, too."""

    all: bool = False

    def run(self, stage: Stage) -> None:
        stage.caller.wait_ready(self.all, PATIENCE)


@dataclass(frozen=True)
class Calls(Step):
    """Makes calls."""

    n: int
    expect: Expect = ALL_OK
    concurrency: int = 1
    timeout: float = 5.0
    wait_for_ready: bool = False

    def run(self, stage: Stage) -> None:
        how = (self.n, self.concurrency, self.timeout, self.wait_for_ready)
        stage.expect(self.expect, stage.caller.calls(*how))


@dataclass(frozen=True)
class Until(Step):
    """Makes `n` calls again and again until they end as expected."""

    n: int
    expect: Expect
    timeout: float = PATIENCE

    def run(self, stage: Stage) -> None:
        seen: list[Outcome] = []

        def holds() -> bool:
            seen.append(stage.caller.calls(self.n, 1, 5.0, False))
            return self.expect.problem(seen[-1]) is None

        stage.engine.until(holds, self.timeout)
        stage.expect(self.expect, seen[-1])


@dataclass(frozen=True)
class During(Step):
    """Takes steps while calls go on, `concurrency` at a time, before, meanwhile and after."""

    steps: tuple[Step, ...]
    expect: Expect
    concurrency: int = 8

    def run(self, stage: Stage) -> None:
        result = stage.caller.background(self.concurrency)
        try:
            for step in self.steps:
                step.run(stage)
        finally:
            seen = result()
        stage.expect(self.expect, seen)


@dataclass(frozen=True)
class Queued(Step):
    """Takes steps while a wait_for_ready call waits, then looks at how it ended."""

    steps: tuple[Step, ...]
    expect: Expect = ALL_OK
    timeout: float = PATIENCE

    def run(self, stage: Stage) -> None:
        result = stage.caller.start(self.timeout)
        for step in self.steps:
            step.run(stage)
        stage.expect(self.expect, result())


@dataclass(frozen=True)
class Action(Step):
    """Something done to a pod: "kill", "restart", "drain", "hang", "hang_up", "silence"."""

    deed: str
    pod: str

    def run(self, stage: Stage) -> None:
        doer = stage.engine if self.deed in ("hang", "hang_up", "silence") else stage.engine.cluster
        getattr(doer, self.deed)(stage.pod(self.pod))


@dataclass(frozen=True)
class Set(Step):
    """How a pod behaves: "slow" (seconds), "fail" (a share of its calls), "set_serving"."""

    what: str
    pod: str
    value: float | bool

    def run(self, stage: Stage) -> None:
        getattr(stage.engine.cluster, self.what)(self.pod, self.value)


@dataclass(frozen=True)
class Scale(Step):
    """Adds or drains pods, until this many serve."""

    pods: int

    def run(self, stage: Stage) -> None:
        stage.engine.cluster.scale(self.pods)


@dataclass(frozen=True)
class DnsOutage(Step):
    """The DNS answers everything with this rcode; None: properly again."""

    rcode: str | None

    def run(self, stage: Stage) -> None:
        stage.engine.cluster._discovery.dns.set_outage(self.rcode)


@dataclass(frozen=True)
class AwaitState(Step):
    """Waits until the channel is in one of these states."""

    states: tuple[str, ...]
    timeout: float = PATIENCE

    def run(self, stage: Stage) -> None:
        held = stage.engine.until(lambda: stage.caller.state in self.states, self.timeout)
        assert held, f"expected one of {self.states}; the channel is {stage.caller.state}"


@dataclass(frozen=True)
class StateIs(Step):
    """The channel is in this state now: nobody has waited for it to come, so it has stayed."""

    state: str

    def run(self, stage: Stage) -> None:
        assert stage.caller.state == self.state


@dataclass(frozen=True)
class Hours(Step):
    """Time passes, where time is virtual. Elsewhere the calls around it have to do."""

    hours: float = 1.0

    def run(self, stage: Stage) -> None:
        if stage.engine.virtual:
            stage.engine.cluster.run(self.hours * 3600)


@dataclass(frozen=True)
class AwaitLookups(Step):
    """Waits until the DNS was asked for the service so often: at least, or exactly.

    gap: seconds between the last two.
    """

    count: int
    exactly: bool = False
    gap: tuple[float, float] | None = None

    def run(self, stage: Stage) -> None:
        lookups = stage.caller.lookups
        held = stage.engine.until(lambda: len(lookups()) >= self.count, PATIENCE)
        seen = lookups()
        assert held, f"expected {self.count} lookups; saw {len(seen)}"
        assert not self.exactly or len(seen) == self.count, f"{len(seen)} lookups: {seen}"
        if self.gap is not None:
            least, most = self.gap
            assert least <= seen[-1] - seen[-2] <= most


@dataclass(frozen=True)
class Lookups(Step):
    """How often the service was looked up so far, by this client."""

    count: int

    def run(self, stage: Stage) -> None:
        assert len(stage.caller.lookups()) == self.count


@dataclass(frozen=True)
class Backoff(Step):
    """Looks at the attempts to connect to a pod that hangs up, and at the gaps between them.

    Each gap is 1.6 times the one before (120 s at most), give or take 20 % of jitter, and on real
    engines `slack` seconds for a busy machine. The pod must hang up before the client connects.

    seconds: so many gaps are looked at as fit into this time without the jitter.
    """

    pod: str
    seconds: float
    slack: float = 0.15

    def run(self, stage: Stage) -> None:
        nominal = [1.0]
        while sum(nominal) + (following := min(nominal[-1] * 1.6, 120.0)) <= self.seconds:
            nominal.append(following)

        def dials() -> list[float]:
            return stage.engine.dials(stage.pod(self.pod))[: len(nominal) + 1]

        stage.engine.until(lambda: len(dials()) > len(nominal), 1.2 * self.seconds + 1)
        gaps = [after - before for before, after in pairwise(dials())]
        assert len(gaps) == len(nominal), f"expected gaps of {nominal}; saw {gaps}"
        late = 0.0 if stage.engine.virtual else self.slack
        for gap, expected in zip(gaps, nominal, strict=True):
            assert 0.79 * expected <= gap <= 1.21 * expected + late, f"{gaps}, not {nominal}"


@dataclass(frozen=True)
class Connections(Step):
    """Makes calls for a while, and counts the connections through the ClusterIP meanwhile.

    age: seconds that each lives, 10 % more or less (gRFC A9). at_once: how many may stand at a
        time.
    """

    age: float
    at_once: int = 1
    seconds: float = 1.2

    def run(self, stage: Stage) -> None:
        before, started = stage.engine.connections(), time.monotonic()
        result = stage.caller.background(4)
        stage.engine.until(lambda: False, self.seconds)
        stage.expect(ALL_OK, result())
        took = time.monotonic() - started
        made = stage.engine.connections() - before
        most = self.at_once * (took / (0.9 * self.age) + 1)
        assert 2 <= made <= most, f"{made} connections in {took:.2f} s; at most {most:.0f} expected"


@dataclass(frozen=True)
class ProxyUnasked(Step):
    """Nobody connected to the watched proxy."""

    def run(self, stage: Stage) -> None:
        assert stage.engine.proxy_asked() == 0


@dataclass(frozen=True)
class Clients(Step):
    """Opens more clients like the one there is, each of which makes calls.

    each: what is expected of each one's calls.
    firsts: the pods that answered their first calls, altogether; at_least_pods: how many did.
    """

    count: int
    calls: int = 1
    each: Expect = ALL_OK
    firsts: tuple[str, ...] | None = None
    at_least_pods: int = 1
    timeout: float = 5.0

    def run(self, stage: Stage) -> None:
        pods: set[str] = set()
        for _ in range(self.count):
            caller = stage.engine.open(stage.client)
            try:
                outcome = caller.calls(self.calls, 1, self.timeout, False)
            finally:
                caller.close()
            stage.expect(self.each, outcome)
            pods |= set(outcome.by_pod)
        assert self.firsts is None or pods == set(self.firsts), pods
        assert len(pods) >= self.at_least_pods, pods
