"""greetlab's channel, with either engine; or several of them, each with a loop of its own."""

from __future__ import annotations

from contextlib import ExitStack
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
    loops: int = 1,
    trace_capacity: int = 1_000_000,
) -> None:
    """Calls a greet service through greetlab.Channel; prints what it took as JSON.

    trace_capacity: how many events its trace keeps.
    """
    with ExitStack() as stack:
        channels = [
            stack.enter_context(
                gl.Channel(target, policy=policy, engine=engine, trace_capacity=trace_capacity)
            )
            for _ in range(loops)
        ]
        for channel in channels:
            channel.wait_ready(all=True)
            found = len(channel.subchannels)
            if found != backends:
                raise SystemExit(f"the channel has {found} subchannels, not {backends}")

        def load(n: int) -> gl.Calls:
            if loops > 1:
                return gl.load(channels, n, concurrency)
            return channels[0].load(n, concurrency)

        _require_ok(load(warm_up))
        measurement = Measurement()
        made = load(calls)
        measurement.stop()
        _require_ok(made)
        if trace_capacity and loops == 1:
            _require_whole(channels[0].trace, calls)
        measurement.report(made.latency_ns)


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
