"""The fields of a trace's events as columns: for each kind of fact, one column per field."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from greetlab.trace.trace import KINDS, Trace

Rows = npt.NDArray[np.int64]
Column = npt.NDArray[Any]


def field_columns(trace: Trace, rows: Rows) -> dict[str, dict[str, list[Any]]]:
    """Kind to field to that field's values, in the order of `rows`; kinds that occur only."""
    kinds = trace.core.kind[rows]
    columns: dict[str, dict[str, list[Any]]] = {}
    for code in np.unique(kinds):
        read = [trace.core.fields(row) for row in rows[kinds == code].tolist()]
        columns[KINDS[code]] = {name: [fields[name] for fields in read] for name in read[0]}
    return columns


def with_causes(trace: Trace, rows: Rows) -> Rows:
    """The rows, and all that led to them: so every causal chain is whole."""
    core = trace.core
    if len(rows) == len(core):
        return rows
    kept = np.zeros(len(core), dtype=bool)
    new = rows
    while len(new):
        kept[new] = True
        causes = np.unique(core.cause[new])
        found = row_of(trace, causes[causes > 0])
        found = found[found >= 0]
        new = found[~kept[found]]
    return np.flatnonzero(kept)


def row_of(trace: Trace, ids: npt.NDArray[np.uint32]) -> Rows:
    """The row of the event with each of these ids; -1 where the trace has none."""
    known = trace.core.id
    if not len(known):
        return np.full(len(ids), -1, dtype=np.int64)
    rows = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    return np.where(known[rows] == ids, rows, -1).astype(np.int64)
