"""Our simulator: calls of virtual clients to virtual pods."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import typer

import greetlab as gl
from bench.clients.report import Measurement

SEED = 1
SERVICE = "greetserver-headless"
STEP = 1.0
"""Virtual seconds to run at a time. A world in which nothing happens any more costs nothing."""


def main(
    calls: Annotated[int, typer.Option()],
    warm_up: Annotated[int, typer.Option()],
    pods: int = 3,
    clients: int = 1,
    concurrency: int = 64,
) -> None:
    """Makes calls in a virtual cluster without a trace; prints what it took as JSON.

    clients: how many there are, each with its own connections. They share out the calls.
    concurrency: how many calls each of them has in flight.
    """
    cluster = gl.Cluster.sim(pods, SEED, trace_capacity=0)
    channels = [cluster.channel(SERVICE, policy="round_robin") for _ in range(clients)]
    for channel in channels:
        channel.wait_ready(all=True)

    def load(count: int) -> list[gl.Calls]:
        if clients == 1:
            return [channels[0].load(count, concurrency)]
        loads = [channel.start(max(1, count // clients), concurrency) for channel in channels]
        while not all(each.done for each in loads):
            cluster.run(STEP)
        return [channel.calls(each) for channel, each in zip(channels, loads, strict=True)]

    load(warm_up)
    measurement = Measurement()
    ended = load(calls)
    measurement.stop()
    for each in ended:
        _require_shared_out(each, pods)
    measurement.report(np.concatenate([each.latency_ns for each in ended]))


def _require_shared_out(calls: gl.Calls, pods: int) -> None:
    """Every call was answered, and round robin was fair."""
    counts = [*calls.by_pod.values(), *[0] * (pods - len(calls.by_pod))]
    if calls.ok < len(calls) or max(counts) - min(counts) > 1:
        raise SystemExit(f"of {len(calls)} calls {calls.ok} were answered, by {calls.by_pod}")


if __name__ == "__main__":
    typer.run(main)
