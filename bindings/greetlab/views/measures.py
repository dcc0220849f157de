"""What designs are measured by: a column of the table, a panel of the plot, a row of the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
"""What became of one design, as `greetlab compare --json` has it."""


@dataclass(frozen=True)
class Measure:
    """A figure of a row.

    field: its name there. head: its column's. unit, scale: it is shown in, and by what the figure
    is multiplied for that. digits: after the point. says: what it is, in a clause.
    bad: whether a row's is, which is shown; nothing here is good by itself.
    missing: what is said where there is none.
    """

    field: str
    head: str
    says: str
    unit: str = ""
    scale: float = 1.0
    digits: int = 0
    bad: Callable[[Row], bool] = lambda row: False
    missing: str = "-"

    def value(self, row: Row) -> float | None:
        """As it is shown; None: there is none."""
        found = row.get(self.field)
        if isinstance(found, Sequence):
            return float(len(found))
        if found is None or math.isnan(found):
            return None
        return float(found) * self.scale

    def text(self, row: Row) -> str:
        """The same, written out, without its unit."""
        value = self.value(row)
        return self.missing if value is None else f"{value:,.{self.digits}f}"


def shown(measures: Sequence[Measure], rows: Sequence[Row]) -> list[Measure]:
    """Those that any of the rows has."""
    return [one for one in measures if any(one.field in row and row[one.field] is not None
                                           for row in rows)]  # fmt: skip


def _late(row: Row) -> bool:
    return row.get("new_pod") is None


MEASURES = (
    Measure(
        "failed", "failed", "calls that failed", bad=lambda row: row["failed"] > row["calls"] / 100
    ),
    Measure("p50", "p50", "half of the calls took less", "ms", 1e3, 1),
    Measure("p99", "p99", "99 of 100 calls took less", "ms", 1e3),
    Measure(
        "unfairness", "unfair", "the busiest pod's calls as a multiple of its fair share, before "
        "the kill", "times", 1, 1, bad=lambda row: row["unfairness"] > 1.5,
    ),
    Measure("connections", "dialled", "connections made"),
    Measure(
        "new_pod", "new pod", "from the scale-up until both new pods were called", "ms", 1e3,
        bad=_late, missing="never",
    ),
    Measure("lookups", "asked", "DNS, by the clients"),
    Measure("cpu", "CPU", "microseconds a call, without the pods", "µs"),
    Measure("parts", "parts", "to operate, apart from clients and pods"),
)  # fmt: skip
"""Of `greetlab compare`, in the order in which they are read."""

FLEET = (
    Measure("failed", "failed", "calls that failed"),
    Measure(
        "unfairness", "unfair", "the busiest pod's calls as a multiple of its fair share", "times",
        1, 1, bad=lambda row: row["unfairness"] > 1.5,
    ),
    Measure("idle", "idle", "pods that nobody called"),
    Measure(
        "new_pods", "new pods", "of those added, how many were called",
        bad=lambda row: not row["new_pods"],
    ),
    Measure("connections", "dialled", "connections made"),
)  # fmt: skip
"""The same for a fleet."""


def measures(rows: Sequence[Row]) -> Sequence[Measure]:
    """Those that rows are read by.

    Raises ValueError without rows, and for those that are not of one world, or of a fleet and of a
    day.
    """
    kinds = {(row["world"], row.get("clients")) for row in rows}
    if len(kinds) != 1:
        raise ValueError(
            "rows of one world, as greetlab compare --json has them, and those of a fleet apart"
        )
    [(_, clients)] = kinds
    return MEASURES if clients is None else FLEET
