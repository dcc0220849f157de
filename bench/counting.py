"""What repeats, whatever else the machine does: user instructions, system calls, allocations.

Each is counted of a whole process, in two runs of different length; the difference, divided by the
calls, is what a call takes, and what the process does once is in neither.
"""

from __future__ import annotations

import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import processes
from bench.measure import BrokenError, Metric, Run, Sample

Command = Callable[[int], Sequence[str | Path]]
"""The command that makes so many calls."""

_WARM_UP = 200


def with_calls(command: Sequence[str | Path]) -> Command:
    """Of a client that takes --calls and --warm-up."""
    return lambda calls: [*command, "--calls", str(calls), "--warm-up", str(_WARM_UP)]


def counted(command: Command, calls: int, *metrics: Metric) -> Run:
    """A way to take a sample: what one call of `command` takes, by these metrics.

    calls: how many the short run has; the long one has three times as many.

    Running it raises BrokenError if a run fails, Skipped if a tool is not installed.
    """

    def sample() -> Sample:
        found: dict[Metric, float] = {}
        for metric in metrics:
            count = _COUNTERS[metric]
            short, long = count(command(calls)), count(command(3 * calls))
            found[metric] = (long - short) / (2 * calls)
        return found

    return sample


def instructions(command: Sequence[str | Path]) -> int:
    """User instructions of all threads of a program, from its start to its end (callgrind)."""
    valgrind = processes.require_program("valgrind", "valgrind")
    said = _said([valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", *command])
    return _number(r"Collected : (\d+)", said)


def allocations(command: Sequence[str | Path]) -> int:
    """How often a program asks for memory (memcheck)."""
    valgrind = processes.require_program("valgrind", "valgrind")
    said = _said([valgrind, "--leak-check=no", "--undef-value-errors=no", *command])
    return _number(r"total heap usage: ([\d,]+) allocs", said)


def system_calls(command: Sequence[str | Path]) -> int:
    """System calls of all threads of a program (strace)."""
    strace = processes.require_program("strace", "strace")
    with tempfile.NamedTemporaryFile("r") as table:
        _said([strace, "-f", "-c", "-o", table.name, *command])
        return system_calls_of(table.read())


def system_calls_while(pid: int, work: Callable[[], object]) -> int:
    """System calls of a process that runs, while `work` does."""
    strace = processes.require_program("strace", "strace")
    with tempfile.NamedTemporaryFile("r") as table:
        command = [str(strace), "-f", "-c", "-o", table.name, "-p", str(pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as it:
            assert it.stderr is not None
            if "attached" not in (line := it.stderr.readline()):
                raise BrokenError(f"strace: {line.strip()}")
            work()
            it.send_signal(signal.SIGINT)  # it lets go of the process, and writes its table
        return system_calls_of(table.read())


def system_calls_of(table: str) -> int:
    """The sum at the end of strace's table: % time, seconds, usecs/call, calls, [errors,] total.

    Raises BrokenError if there is none.
    """
    for line in table.splitlines():
        cells = line.split()
        if cells and cells[-1] == "total" and cells[0] != "%":
            return int(cells[3])
    raise BrokenError(f"nothing was counted: {table[-200:]!r}")


_COUNTERS: dict[Metric, Callable[[Sequence[str | Path]], int]] = {
    "instructions": instructions,
    "allocations": allocations,
    "system_calls": system_calls,
}


def _said(command: Sequence[str | Path]) -> str:
    """What a program says on its standard error."""
    patience = 5 * processes.CLIENT_TIMEOUT  # valgrind takes fifty times as long
    try:
        done = subprocess.run(
            command, cwd=processes.ROOT, timeout=patience, capture_output=True, text=True
        )
    except subprocess.TimeoutExpired as expired:
        raise BrokenError(f"{Path(command[0]).name}: not done after {patience:.0f} s") from expired
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise BrokenError(f"{Path(command[0]).name}: {lines[-1]}")
    return done.stderr


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    if found is None:
        raise BrokenError(f"nothing was counted: {text[-200:]!r}")
    return int(found[1].replace(",", ""))
