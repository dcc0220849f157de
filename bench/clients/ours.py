"""greetlab's channel, with either engine."""

from __future__ import annotations

import threading
from typing import Annotated, Any

import numpy as np
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
    threads: int = 0,
    trace_capacity: int | None = None,
) -> None:
    """Calls a greet service through greetlab.Channel; prints what it took as JSON.

    threads: 0: one `load` with `concurrency` calls in flight. Otherwise so many threads, each in a
        `load` of its own with one call in flight.
    trace_capacity: the channel's; None = its default.
    """
    # An engine without a trace has no such argument.
    traced: dict[str, Any] = {} if trace_capacity is None else {"trace_capacity": trace_capacity}
    with gl.Channel(target, policy=policy, engine=engine, **traced) as channel:
        channel.wait_ready(all=True)
        found = len(channel.subchannels)
        if found != backends:
            raise SystemExit(f"the channel has {found} subchannels, not {backends}")
        _require_ok(channel.load(warm_up, concurrency))
        if threads == 0:
            measurement = Measurement()
            loads = [channel.load(calls, concurrency)]
            measurement.stop()
        else:
            measurement, loads = _load_by_threads(channel, calls // threads, threads)
        for load in loads:
            _require_ok(load)
        if trace_capacity:
            _require_whole(channel.trace, calls)
        measurement.report(np.concatenate([load.latency_ns for load in loads]))


def _load_by_threads(
    channel: gl.Channel, calls: int, count: int
) -> tuple[Measurement, list[gl.Calls]]:
    loads: list[gl.Calls] = []
    together = threading.Barrier(count + 1)

    def call() -> None:
        together.wait()
        loads.append(channel.load(calls, concurrency=1))

    callers = [threading.Thread(target=call) for _ in range(count)]
    for caller in callers:
        caller.start()
    measurement = Measurement()
    together.wait()
    for caller in callers:
        caller.join()
    measurement.stop()
    if len(loads) < count:
        raise SystemExit("a thread failed: see above")
    return measurement, loads


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
