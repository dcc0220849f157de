"""The events of a trace by their kind, as columns, and how columns are joined and counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from greetlab.trace.trace import KINDS, Trace

Column = npt.NDArray[Any]


class Facts:
    """Columns of a trace's events, kind by kind; times in seconds since `origin`."""

    def __init__(self, trace: Trace, rows: Column, origin: int) -> None:
        self._core = trace.core
        self._all = rows
        self._kind = self._core.kind[rows]
        self._origin = origin
        self._rows: dict[str, Column] = {}

    def rows(self, kind: str) -> Column:
        """Which events of the trace are of this kind."""
        if kind not in self._rows:
            self._rows[kind] = self._all[self._kind == KINDS.index(kind)]
        return self._rows[kind]

    def when(self, kind: str) -> Column:
        """When they were."""
        return (self._core.time_ns[self.rows(kind)] - self._origin) / 1e9

    def column(self, kind: str, field: str) -> Column:
        """A field of them, as numbers: see `Trace.column`."""
        values = self._core.column(self.rows(kind), kind, field)
        return values if values.dtype == np.int64 else values.astype(np.int64)

    def until(self, kind: str) -> Column:
        """Their field `until`, as a time in seconds."""
        return (self.column(kind, "until") - self._origin) / 1e9


def distinct(codes: Column) -> Column:
    """Which small numbers there are, in order."""
    return np.flatnonzero(np.bincount(codes)) if len(codes) else np.empty(0, np.int64)


def joined(keys: Column, found: Column, values: Column, missing: Any) -> Column:
    """For each of `keys` the first of `values` that has it in `found`; `missing` where none has."""
    if not len(found):
        return np.full(len(keys), missing)
    if (found[1:] < found[:-1]).any():
        order = np.argsort(found, kind="stable")
        found, values = found[order], values[order]
    place = np.minimum(np.searchsorted(found, keys), len(found) - 1)
    return np.where(found[place] == keys, values[place], missing)


def spans(begins: Column, ends: Column, gap: float = 0.0) -> list[tuple[float, float]]:
    """Intervals as (begin, length), in order; those less than `gap` apart become one."""
    if not len(begins):
        return []
    order = np.argsort(begins, kind="stable")
    begins, ends = begins[order], np.maximum.accumulate(ends[order])
    new = np.append(True, begins[1:] > ends[:-1] + gap) if gap else np.full(len(begins), True)
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(begins)) - 1
    return list(zip(begins[first].tolist(), (ends[last] - begins[first]).tolist(), strict=True))


def mean_open(begins: Column, ends: Column, edges: Column) -> Column:
    """How many are open in each bin between `edges`, on average over it.

    Those that come and go between two edges count by the time that they took.
    """
    covered = _elapsed(begins, edges) - _elapsed(ends[np.isfinite(ends)], edges)
    return np.asarray(np.diff(covered) / np.diff(edges))


def _elapsed(moments: Column, edges: Column) -> Column:
    """At each edge, the sum of the times that have passed since those of `moments` before it."""
    ordered = np.sort(moments)
    before = np.searchsorted(ordered, edges)
    return np.asarray(before * edges - np.append(0.0, np.cumsum(ordered))[before])
