"""A client of the sim with a fixed list of addresses.

The virtual cluster's channels know services only, so the list goes to a policy on the bench, whose
network does what the cluster's pods would: those that serve answer, dead ones refuse, lost ones
are silent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from conformance.engine import SEED, Caller, Engine
from conformance.model import Client, Outcome

from greetlab import _core
from greetlab.channels.policies import policy_config

STEP = 0.005
"""Seconds of the bench's clock between two looks."""


class BenchCaller(Caller):
    """Our policy, with its connections made here."""

    _made = 0

    def __init__(self, engine: Engine, client: Client) -> None:
        self._engine = engine
        BenchCaller._made += 1
        seed = SEED + BenchCaller._made
        policy = policy_config(client.policy or "pick_first", shuffle_address_list=client.shuffle)
        self._bench = _core.PolicyBench(policy, seed)
        self._bench.update(list(client.addresses))

    def calls(self, n: int, concurrency: int, timeout: float, wait_for_ready: bool) -> Outcome:
        statuses: Counter[str] = Counter()
        pods: list[str] = []
        seconds = []
        for _ in range(n):
            start = self._bench.now
            picked = self._pick(start + timeout, wait_for_ready)
            seconds.append(self._bench.now - start)
            status = {"wait": "DEADLINE_EXCEEDED", "fail": "UNAVAILABLE"}.get(picked, "OK")
            statuses[status] += 1
            pods += [picked] if status == "OK" else []
        last = pods[-1] if pods else None
        return Outcome(statuses, Counter(pods), max(seconds), min(seconds), last)

    def _pick(self, deadline: float, wait_for_ready: bool) -> str:
        while True:
            self._settle()
            self._bench.exit_idle()
            self._settle()
            picked = self._bench.picks(1)[0].split(":")[0]
            waits = picked == "wait" or (picked == "fail" and wait_for_ready)
            if not waits:
                return picked
            if self._bench.now >= deadline:
                return "wait"
            self._bench.run(STEP)

    def _settle(self) -> None:
        states = {pod.name: pod.state for pod in self._engine.cluster.pods}
        for pod, state in self._bench.subchannels.items():
            if state == "READY" and states[pod] != "serving":
                self._bench.lose(pod)
        for pod in self._bench.connecting():
            if states[pod] == "serving":
                self._bench.ready(pod)
            elif states[pod] == "dead":
                self._bench.fail(pod)

    def wait_ready(self, all: bool, timeout: float) -> None:
        self._pick(self._bench.now + timeout, True)

    @property
    def state(self) -> str:
        self._settle()
        return self._bench.state

    def start(self, timeout: float) -> Callable[[], Outcome]:
        raise NotImplementedError("the bench waits for each call")

    def background(self, concurrency: int) -> Callable[[], Outcome]:
        raise NotImplementedError("the bench waits for each call")

    def lookups(self) -> list[float]:
        return []

    def close(self) -> None:
        """There is nothing to close."""
