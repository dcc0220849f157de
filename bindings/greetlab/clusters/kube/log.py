"""What a pod's log holds: greet-client's trace, its words, or both at once.

`greet-client --trace -` writes its trace to standard output and its words to standard error;
`kubectl logs` gives both, mixed by the line.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from greetlab.trace.trace import Trace

_HEADER = '{"greetlab_trace":'
_EVENT = '{"id":'


def split(log: str) -> tuple[list[str], list[str]]:
    """The trace's lines, and the others: the client's words."""
    trace: list[str] = []
    words: list[str] = []
    for line in log.removesuffix("\n").split("\n"):  # not where else Unicode would
        (trace if line.startswith((_HEADER, _EVENT)) else words).append(line)
    return trace, words


def read_trace(lines: list[str]) -> Trace:
    """The trace that the lines are.

    Raises ValueError, in words, if they are not the whole of one: a node keeps only so much of a
    container's log, and cuts it.
    """
    if not lines:
        raise ValueError("the log has no trace")
    if not lines[0].startswith(_HEADER):
        raise ValueError(
            f"the log has lost the trace's beginning, and has its last {len(lines):,} lines: the "
            "node cut it; fewer calls make a shorter trace"
        )
    told = json.loads(lines[0])["events"]
    if len(lines) - 1 != told:
        raise ValueError(
            f"the log has {len(lines) - 1:,} of the trace's {told:,} events: it was cut; fewer "
            "calls make a shorter trace"
        )
    with tempfile.TemporaryDirectory(prefix="greetlab-") as folder:
        file = Path(folder) / "trace.jsonl"
        file.write_text("\n".join([*lines, ""]), encoding="utf-8")
        return Trace.load(file)
