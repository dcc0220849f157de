"""Interleaved rounds, and what follows from them: medians, ratios, and whether a bar is met."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from statistics import median
from typing import Literal, Self

Metric = Literal[
    "calls_per_second",
    "p50_us",
    "cpu_us",
    "seconds",
    "nanoseconds",
    "instructions",
    "system_calls",
    "allocations",
    "bytes_per_connection",
    "bytes_per_event",
    "save_seconds",
    "load_seconds",
]

Sample = Mapping[Metric, float]
"""One measurement of one contender: what it can tell of itself.

calls_per_second: calls, or lookups, by wall time. p50_us: their median latency, microseconds.
cpu_us: CPU time per call, microseconds, of the process that the row names. seconds: that it all
took. nanoseconds, allocations, instructions (of user mode), system_calls: of one of them.
bytes_per_connection: resident memory.
"""


class Skipped(Exception):  # noqa: N818 - it is not an error
    """A row cannot be measured here; the message says why."""


class BrokenError(RuntimeError):
    """A process of the bench failed, so that there is no figure; the message says which and how."""


@dataclass(frozen=True)
class Spread:
    """What some numbers have in common."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Of at least one number."""
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True)
class Bar:
    """What `ours` is held to: `least` at least, or `most` at most.

    peer: whose figure ours is divided by. None = ours is held to the number as it is.
    """

    ours: str
    peer: str | None
    metric: Metric = "calls_per_second"
    least: float | None = None
    most: float | None = None

    def figure(self, round_: Mapping[str, Sample]) -> float:
        """What is held to the bar, by the samples of one round."""
        ours = round_[self.ours][self.metric]
        return ours if self.peer is None else ours / round_[self.peer][self.metric]

    def met(self, figure: float) -> bool:
        """Whether this figure is good enough."""
        return (self.least is None or figure >= self.least) and (
            self.most is None or figure <= self.most
        )


@dataclass(frozen=True)
class Effort:
    """How much is measured: how many rounds, and which share of a row's usual calls."""

    rounds: int
    share: float = 1.0

    def calls(self, usual: int) -> int:
        """How many calls a sample has, where `usual` is what a full run takes."""
        return max(1, round(usual * self.share))


FULL = Effort(rounds=9)
QUICK = Effort(rounds=3, share=0.25)

Run = Callable[[], Sample]


@dataclass(frozen=True)
class Row:
    """One comparison.

    contenders: opens what the row needs (it may raise Skipped) and gives each contender's way to
        take one sample, by name.
    cpu_of: whose CPU time is told.
    times: the rounds of other rows. More of them, each with fewer calls, are for contenders that
        are close: which core and which memory a process gets is luck, and lasts as long as it does.
        None = what is counted repeats: one round, and none before it.
    """

    name: str
    title: str
    bars: Sequence[Bar]
    contenders: Callable[[Effort], AbstractContextManager[Mapping[str, Run]]]
    cpu_of: Literal["client", "server", "proxy"] = "client"
    times: int | None = 1

    def samples(self, runs: Mapping[str, Run], effort: Effort) -> dict[str, list[Sample]]:
        """What its contenders tell, round by round."""
        if self.times is None:
            return {name: [run()] for name, run in runs.items()}
        return interleave(runs, effort.rounds * self.times)


@dataclass(frozen=True)
class Figure:
    """A bar, and what was measured: of each round, so that slow times hit both sides."""

    bar: Bar
    spread: Spread

    @property
    def verdict(self) -> Literal["pass", "short"]:
        """By the median of the rounds."""
        return "pass" if self.bar.met(self.spread.median) else "short"


@dataclass(frozen=True)
class Outcome:
    """What became of a row: its samples, round by round, or why there are none."""

    row: Row
    samples: Mapping[str, Sequence[Sample]] = field(default_factory=dict)
    skipped: str = ""
    broken: str = ""

    def spread(self, contender: str, metric: Metric) -> Spread | None:
        """Of one contender, over the rounds; None if it does not tell of this metric."""
        samples = self.samples.get(contender, ())
        if not samples or metric not in samples[0]:
            return None
        return Spread.of([sample[metric] for sample in samples])

    @property
    def figures(self) -> list[Figure]:
        """One for each bar; none for a row that was not measured."""
        if not self.samples:
            return []
        rounds = [
            dict(zip(self.samples, taken, strict=True))
            for taken in zip(*self.samples.values(), strict=True)
        ]
        return [Figure(bar, Spread.of([bar.figure(it) for it in rounds])) for bar in self.row.bars]


def interleave(runs: Mapping[str, Run], rounds: int) -> dict[str, list[Sample]]:
    """Takes a sample of each contender in turn, `rounds` times: A B C, A B C, ...

    A round before the first warms up what they share, and does not count.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            sample = run()
            if number > 0:
                samples[name].append(sample)
    return samples


def measure(row: Row, effort: Effort) -> Outcome:
    """Measures a row. One that cannot be, or that breaks, is an outcome like any other."""
    try:
        with row.contenders(effort) as runs:
            return Outcome(row, row.samples(runs, effort))
    except Skipped as skipped:
        return Outcome(row, skipped=str(skipped))
    except BrokenError as error:
        return Outcome(row, broken=str(error))
