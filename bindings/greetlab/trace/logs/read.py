"""A file, whatever it is: a trace of ours, a log of grpc-go's or of C-core's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from greetlab.trace.logs import core, go
from greetlab.trace.logs.facts import Facts
from greetlab.trace.trace import Trace

GO_VARIABLES = "GRPC_GO_LOG_SEVERITY_LEVEL=info GRPC_GO_LOG_VERBOSITY_LEVEL=99"
C_CORE_TRACERS = (
    "GRPC_VERBOSITY=debug GRPC_TRACE=client_channel,client_channel_call,client_channel_lb_call,"
    "subchannel,round_robin,pick_first,cares_resolver,connectivity_state"
)
_LONGEST_LINE = 1 << 20
"""Characters; what is longer is no line of a log, and is read in pieces."""


def load(path: str | Path) -> Trace:
    """Reads what `Trace.save` wrote, or a log, whose facts are all inferred.

    Raises OSError if it cannot be read; ValueError, with the reason, for what is neither, and for a
    log that tells nothing of channels.
    """
    path = Path(path)
    try:
        return Trace.load(path)
    except ValueError as error:
        if not path.is_file():
            raise
        read = _reader(path)
        if read is None:
            raise ValueError(
                f"{error}; nor is it a log of grpc-go ({GO_VARIABLES}) or of C-core (GRPC_TRACE)"
            ) from None
    facts: Facts = read.read(_lines(path))
    if not len(facts):
        asked = GO_VARIABLES if read is go else C_CORE_TRACERS
        raise ValueError(f"{path}: a log that tells nothing of channels; set {asked}")
    return facts.trace()


def _reader(path: Path) -> ModuleType | None:
    for line in _lines(path):
        for reader in (go, core):
            if reader.is_one(line):
                return reader
    return None


def _lines(path: Path) -> Iterator[str]:
    """Bytes that are no UTF-8 are shown as their escapes."""
    with path.open(encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        while line := file.readline(_LONGEST_LINE):
            yield line.rstrip("\r\n")
