"""Interleaved rounds, and what follows from them: medians, ratios, and whether a bar is met."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from statistics import median
from typing import Literal, Self

Metric = Literal["calls_per_second", "p50_us", "cpu_us"]


class Skipped(Exception):  # noqa: N818 - it is not an error
    """A row cannot be measured here; the message says why."""


class BrokenError(RuntimeError):
    """A process of the bench failed, so that there is no figure; the message says which and how."""


@dataclass(frozen=True)
class Sample:
    """One measurement of one contender."""

    calls_per_second: float
    p50_us: float
    """Median latency of a call, microseconds."""
    cpu_us: float
    """CPU time per call, microseconds, of the process that its row names."""


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
    """`ours` is held to `peer`: the ratio of their figures is to be `least` at least, or `most`."""

    ours: str
    peer: str
    metric: Metric = "calls_per_second"
    least: float | None = None
    most: float | None = None

    def met(self, ratio: float) -> bool:
        """Whether this ratio, ours by the peer's, is good enough."""
        return (self.least is None or ratio >= self.least) and (
            self.most is None or ratio <= self.most
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
    """

    name: str
    title: str
    bars: Sequence[Bar]
    contenders: Callable[[Effort], AbstractContextManager[Mapping[str, Run]]]
    cpu_of: Literal["client", "server"] = "client"


@dataclass(frozen=True)
class Figure:
    """A bar, and the ratio that was measured: of each round, so that slow times hit both sides."""

    bar: Bar
    ratio: Spread

    @property
    def verdict(self) -> Literal["pass", "short"]:
        """By the median of the rounds."""
        return "pass" if self.bar.met(self.ratio.median) else "short"


@dataclass(frozen=True)
class Outcome:
    """What became of a row: its samples, round by round, or why there are none."""

    row: Row
    samples: Mapping[str, Sequence[Sample]] = field(default_factory=dict)
    skipped: str = ""
    broken: str = ""

    def spread(self, contender: str, metric: Metric) -> Spread:
        """Of one contender, over the rounds."""
        return Spread.of([getattr(sample, metric) for sample in self.samples[contender]])

    @property
    def figures(self) -> list[Figure]:
        """One for each bar; none for a row that was not measured."""
        if not self.samples:
            return []
        return [Figure(bar, Spread.of(self._ratios(bar))) for bar in self.row.bars]

    def _ratios(self, bar: Bar) -> list[float]:
        pairs = zip(self.samples[bar.ours], self.samples[bar.peer], strict=True)
        return [getattr(ours, bar.metric) / getattr(peer, bar.metric) for ours, peer in pairs]


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
            return Outcome(row, interleave(runs, effort.rounds))
    except Skipped as skipped:
        return Outcome(row, skipped=str(skipped))
    except BrokenError as error:
        return Outcome(row, broken=str(error))
