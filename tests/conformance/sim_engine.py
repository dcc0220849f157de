"""The sim's adapter: our core in the virtual world."""

from __future__ import annotations

from collections.abc import Callable

from conformance.bench_caller import BenchCaller
from conformance.engine import SEED, Caller, Engine, outcome_of
from conformance.model import Client, ClusterSpec, Outcome

import greetlab as gl
from greetlab.channels.calls import Calls
from greetlab.clusters.sim import SimChannel

STEP = 0.005
"""Virtual seconds between two looks at a condition, where it may not take long."""
LOOKS = 2000
"""How often it is looked at where it may."""


class SimEngine(Engine):
    """The virtual cluster."""

    virtual = True

    def __init__(self, spec: ClusterSpec) -> None:
        self.cluster = gl.Cluster.sim(
            spec.pods,
            SEED,
            endpoint_lag=1e6 if spec.listed_when_dead else 0.0,
            max_connection_age=spec.max_connection_age,
            max_concurrent_streams=spec.max_concurrent_streams,
        )

    def open(self, client: Client) -> Caller:
        if client.addresses:
            return BenchCaller(self, client)
        options = {
            "policy": client.policy,
            "cooldown": client.cooldown,
            "keepalive_time": client.keepalive_time,
            "keepalive_timeout": client.keepalive_timeout,
            "idle_timeout": client.idle_timeout,
            "shuffle_address_list": client.shuffle or None,
        }
        said = {name: value for name, value in options.items() if value is not None}
        return SimCaller(self, self.cluster.channel(client.service, **said))

    def until(self, holds: Callable[[], bool], timeout: float) -> bool:
        end = self.cluster.seconds + timeout
        while not (held := holds()) and self.cluster.seconds < end:
            self.cluster.run(max(STEP, timeout / LOOKS))
        return held

    def hang(self, pod: str) -> None:
        self.cluster.lose(pod)

    def silence(self, pod: str) -> None:
        self.cluster.lose(pod)

    def hang_up(self, pod: str) -> None:
        self.cluster.kill(pod)  # it refuses, which ends an attempt at once, too

    def dials(self, pod: str) -> list[float]:
        [ip] = [each.ip for each in self.cluster.pods if each.name == pod]
        trace = self.cluster.trace
        there = {
            (event.who, event.subchannel)
            for event in trace.of(gl.SubchannelCreated, address=f"{ip}:{self.cluster.port}")
        }
        died = trace.last(gl.PodChanged, pod=pod, change="killed").seconds
        return [
            event.seconds
            for event in trace.of(gl.ConnectStarted)
            if (event.who, event.subchannel) in there and event.seconds > died
        ]


class SimCaller(Caller):
    """A client of the virtual cluster."""

    def __init__(self, engine: SimEngine, channel: SimChannel) -> None:
        self._engine = engine
        self._channel = channel
        self._name = channel.name

    def calls(self, n: int, concurrency: int, timeout: float, wait_for_ready: bool) -> Outcome:
        how = {"timeout": timeout, "wait_for_ready": wait_for_ready}
        return outcome_of(self._channel.load(n, concurrency, **how))

    def start(self, timeout: float) -> Callable[[], Outcome]:
        load = self._channel.start(1, timeout=timeout, wait_for_ready=True)

        def result() -> Outcome:
            assert self._engine.until(lambda: load.done, timeout + 1)
            return outcome_of(Calls(load.log))

        return result

    def background(self, concurrency: int) -> Callable[[], Outcome]:
        load = self._channel.start(1_000_000, concurrency)
        assert self._engine.until(lambda: load.ended > 0, 10)

        def result() -> Outcome:
            before = load.ended
            assert self._engine.until(lambda: load.ended > before, 10)
            load.cancel()
            return outcome_of(Calls(load.log))

        return result

    def wait_ready(self, all: bool, timeout: float) -> None:
        self._channel.wait_ready(all=all, timeout=timeout)

    @property
    def state(self) -> str:
        return self._channel.state

    def lookups(self) -> list[float]:
        events = self._engine.cluster.trace.of(gl.LookupStarted, who=self._name)
        return [event.seconds for event in events]

    def close(self) -> None:
        self._channel.close()
