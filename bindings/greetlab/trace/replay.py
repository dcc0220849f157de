"""What there was, as tables: the core's replay (cpp/trace/replay.h), as far as it is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from greetlab import _core

TABLES = _core.tables()
"""Table to column to what its numbers stand for, and the column with the row of its event."""


def replayed(
    core: _core.Trace, table: str, shown: npt.NDArray[np.bool_]
) -> dict[str, npt.NDArray[Any]]:
    """A table, without what is not shown, and without what was known since then.

    A call is there if any of its events is shown, for a view may begin in its midst; anything else
    if its first is. Rows are the trace's; those that are not shown are -1. Places are those of the
    whole table: `place` has the one of each row.

    shown: whether each event of the trace is.
    """
    kinds = TABLES[table]
    columns = core.table(table)
    shown = np.append(shown, False)  # for -1, the row of what did not happen
    known = {name: shown[columns[name]] for name, (kind, _) in kinds.items() if kind == "row"}
    keep = np.any(list(known.values()), axis=0) if table == "calls" else known["start"]
    cut = {"place": np.flatnonzero(keep)}
    for name, (kind, since) in kinds.items():
        column = columns[name]
        if kind == "row":
            column = np.where(known[name], column, -1)
        elif since != "start":
            column = np.where(known[since], column, -1 if kind == "place" else 0)
        cut[name] = column[keep]
    return cut
