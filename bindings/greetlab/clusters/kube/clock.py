"""Two clocks, and how far one is ahead of the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ROUNDS = 8


@dataclass(frozen=True)
class ClockSkew:
    """How a client's clock stands to this machine's, by the quickest of some round trips.

    ahead: seconds that the client's CLOCK_REALTIME is ahead of ours; less than 0: behind.
    error: at most so much more or less: half of the round trip. News of the cluster, which come
        over this machine, stand in the trace that much later, too.
    trace_ahead: the same for CLOCK_MONOTONIC, which a trace's times are of: less this, they are
        this machine's `time.monotonic()`.
    """

    ahead: float
    error: float
    trace_ahead: float

    def __str__(self) -> str:
        how = "ahead of" if self.ahead >= 0 else "behind"
        return (
            f"the client's clock is {abs(self.ahead) * 1e3:.1f} ms {how} this machine's, "
            f"± {self.error * 1e3:.1f} ms"
        )


def measure(ask: Callable[[], Mapping[str, int]]) -> ClockSkew:
    """ask: what the client's clocks show now: "realtime_ns", "monotonic_ns"."""
    best: ClockSkew | None = None
    for _ in range(ROUNDS):
        before, real = time.monotonic_ns(), time.time_ns()
        theirs = ask()
        half = (time.monotonic_ns() - before) / 2
        if best is None or half / 1e9 < best.error:
            ahead = theirs["realtime_ns"] - (real + half)
            trace_ahead = theirs["monotonic_ns"] - (before + half)
            best = ClockSkew(ahead / 1e9, half / 1e9, trace_ahead / 1e9)
    assert best is not None
    return best
