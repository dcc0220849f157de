"""greetlab's channel, with either engine."""

from __future__ import annotations

from typing import Annotated

import typer

import greetlab as gl
from bench.clients.report import Measurement


def main(
    target: Annotated[str, typer.Option()],
    engine: Annotated[str, typer.Option()],
    calls: Annotated[int, typer.Option()],
    warm_up: Annotated[int, typer.Option()],
    policy: str = "pick_first",
    backends: int = 1,
    concurrency: int = 64,
    trace_capacity: int = 1_000_000,
) -> None:
    """Calls a greet service through greetlab.Channel; prints what it took as JSON.

    trace_capacity: how many events its trace keeps.
    """
    with gl.Channel(target, policy=policy, engine=engine, trace_capacity=trace_capacity) as channel:
        channel.wait_ready(all=True)
        found = len(channel.subchannels)
        if found != backends:
            raise SystemExit(f"the channel has {found} subchannels, not {backends}")
        _require_ok(channel.load(warm_up, concurrency))
        measurement = Measurement()
        load = channel.load(calls, concurrency)
        measurement.stop()
        _require_ok(load)
        if trace_capacity:
            _require_whole(channel.trace, calls)
        measurement.report(load.latency_ns)


def _require_ok(calls: gl.Calls) -> None:
    """A call that fails is not a figure."""
    if calls.ok < len(calls):
        raise SystemExit(f"{len(calls) - calls.ok} calls failed: {calls.errors[0]}")


def _require_whole(trace: gl.Trace, calls: int) -> None:
    """What a full trace does not keep costs next to nothing, and would flatter the figure."""
    if trace.dropped or len(trace) < calls:
        raise SystemExit(f"the trace has {len(trace)} events and lost {trace.dropped}")


if __name__ == "__main__":
    typer.run(main)
