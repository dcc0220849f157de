"""Our simulator's model of a load, written for SimPy.

A client keeps so many calls in flight. Each goes to the next pod in turn, and takes the network's
latency there, the pod's service time, and the latency back; its start, its end and its pod are
kept. A pod answers as many calls at the same time as there are (cpp/sim/network.cc).
"""

from __future__ import annotations

import random
from collections.abc import Generator
from enum import StrEnum
from itertools import cycle
from typing import Annotated

import simpy
import typer

from bench.clients.report import Measurement

LATENCY = 250_000
"""One way, nanoseconds; each is drawn from +-20 %."""
LEAST, SPREAD = LATENCY * 4 // 5, LATENCY * 2 / 5
SERVICE = 100_000
"""What a pod takes, nanoseconds."""

Process = Generator[simpy.Event, None, None]


class Detail(StrEnum):
    """What a call is made of."""

    CALL = "call"
    """One event: its answer. Our simulator does the same, for how long a call takes is known when
    it starts. Nothing is faster in SimPy."""
    LEGS = "legs"
    """Three: it comes to the pod, is answered there, and is back."""
    WHOLE = "whole"
    """A process of those three, of which its caller waits for the end, or for the end of the
    connection: as in our simulator, a pod can be killed while it has calls."""


class Load:
    """Calls of one client through round robin, and what became of each.

    A process for each call in flight, which makes one call after the other: a new process a call
    would cost SimPy twice as much. Columns are made beforehand, and what a loop asks for again and
    again is local.
    """

    def __init__(self, calls: int, pods: int, concurrency: int, detail: Detail, seed: int) -> None:
        self.start_ns = [0.0] * calls
        self.latency_ns = [0.0] * calls
        self.pod = [-1] * calls
        self._rows = iter(range(calls))
        self._turn = cycle(range(pods))
        self._random = random.Random(seed).random
        self._env = simpy.Environment()
        self._lost = [self._env.event() for _ in range(pods)]
        caller = {
            Detail.CALL: self._caller,
            Detail.LEGS: self._caller_by_legs,
            Detail.WHOLE: self._caller_of_whole,
        }[detail]
        for _ in range(min(concurrency, calls)):
            self._env.process(caller())

    def run(self) -> None:
        """Lets time pass until the last call has ended."""
        self._env.run()

    def kill(self, pod: int, at: float) -> None:
        """Ends a pod's connection at that time, and with it every call that it has in flight.

        Only where a call is made as a `WHOLE`. Such calls keep -1 as their pod.
        """

        def killer() -> Process:
            yield self._env.timeout(at)
            self._lost[pod].succeed()

        self._env.process(killer())

    def _caller(self) -> Process:
        env, timeout, turn, drawn = self._env, self._env.timeout, self._turn, self._random
        start_ns, latency_ns, pods = self.start_ns, self.latency_ns, self.pod
        for row in self._rows:
            pod = next(turn)
            start_ns[row] = start = env.now
            yield timeout(LEAST + SPREAD * drawn() + SERVICE + LEAST + SPREAD * drawn())
            latency_ns[row] = env.now - start
            pods[row] = pod

    def _caller_by_legs(self) -> Process:
        env, timeout, turn, drawn = self._env, self._env.timeout, self._turn, self._random
        start_ns, latency_ns, pods = self.start_ns, self.latency_ns, self.pod
        for row in self._rows:
            pod = next(turn)
            start_ns[row] = start = env.now
            yield timeout(LEAST + SPREAD * drawn())
            yield timeout(SERVICE)
            yield timeout(LEAST + SPREAD * drawn())
            latency_ns[row] = env.now - start
            pods[row] = pod

    def _caller_of_whole(self) -> Process:
        env, turn, lost = self._env, self._turn, self._lost
        start_ns, latency_ns, pods = self.start_ns, self.latency_ns, self.pod
        for row in self._rows:
            pod = next(turn)
            start_ns[row] = start = env.now
            answer = env.process(self._answer())
            yield answer | lost[pod]
            latency_ns[row] = env.now - start
            if answer.triggered:
                pods[row] = pod

    def _answer(self) -> Process:
        timeout, drawn = self._env.timeout, self._random
        yield timeout(LEAST + SPREAD * drawn())
        yield timeout(SERVICE)
        yield timeout(LEAST + SPREAD * drawn())


def main(
    calls: Annotated[int, typer.Option()],
    warm_up: Annotated[int, typer.Option()],
    pods: int = 3,
    concurrency: int = 64,
    detail: Detail = Detail.CALL,
) -> None:
    """Plays the load; prints what it took as JSON."""
    Load(warm_up, pods, concurrency, detail, seed=1).run()
    measurement = Measurement()
    load = Load(calls, pods, concurrency, detail, seed=2)
    load.run()
    measurement.stop()
    if -1 in load.pod:
        raise SystemExit("some calls were not answered")
    measurement.report([round(latency) for latency in load.latency_ns])


if __name__ == "__main__":
    typer.run(main)
