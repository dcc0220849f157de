"""What the rows about the lab's own channel share."""

from __future__ import annotations

from bench.measure import Skipped
from bench.processes import has_lab_engine


def need_lab_engine() -> None:
    """Raises Skipped as long as the channel has no engine of the lab's own."""
    if not has_lab_engine():
        raise Skipped('engine "lab" is not there yet')
