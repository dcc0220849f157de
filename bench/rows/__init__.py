"""What is measured: a file for each group of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.curves import Curve
from bench.measure import Row
from bench.rows import (
    blocking,
    clusterip,
    core,
    h2load,
    outstanding,
    package,
    play,
    python,
    resolver,
    round_robin,
    server,
    simulator,
    trace,
    trace_length,
)

_MODULES = {
    "server": server,
    "round-robin": round_robin,
    "outstanding": outstanding,
    "trace": trace,
    "blocking": blocking,
    "python": python,
    "h2load": h2load,
    "resolver": resolver,
    "clusterip": clusterip,
    "package": package,
    "core": core,
    "simulator": simulator,
    "play": play,
    "trace-length": trace_length,
}

GROUPS: Mapping[str, Sequence[Row]] = {name: module.ROWS for name, module in _MODULES.items()}

CURVES: Sequence[Curve] = [
    curve for module in _MODULES.values() for curve in getattr(module, "CURVES", ())
]
"""How cost grows over some of the rows."""


def choose(names: Sequence[str]) -> list[Row]:
    """The rows of these names, which may be groups' too, in our order; all for no name.

    Raises ValueError, with the names that there are, for one that there is not.
    """
    every = {row.name for rows in GROUPS.values() for row in rows}
    for name in names:
        if name not in GROUPS and name not in every:
            known = ", ".join(dict.fromkeys([*GROUPS, *sorted(every)]))
            raise ValueError(f"no row {name!r}: there is {known}")
    return [
        row
        for group, rows in GROUPS.items()
        for row in rows
        if not names or group in names or row.name in names
    ]
