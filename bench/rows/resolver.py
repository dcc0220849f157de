"""The resolver against c-ares, the library below it, and against dnspython."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import processes
from bench.measure import Bar, Effort, Row, Run

OURS, ARES, PYTHON = "lab", "c-ares", "dnspython"
PYTHON_IN_SEQUENCE = "dnspython, one at a time"


@contextmanager
def _contenders(effort: Effort, *, in_flight: int, usual: int) -> Iterator[Mapping[str, Run]]:
    processes.require_python("dns")
    with processes.serving(processes.dns_server()) as server:
        address = server.target.removeprefix("ipv4:")

        def client(engine: str) -> list[str | Path]:
            flags = ["--server", address, "--in-flight", str(in_flight)]
            return [processes.peer("dns_client"), "--engine", engine, *flags]

        def in_python(in_flight: int) -> list[str | Path]:
            flags = ["--server", address, "--in-flight", str(in_flight)]
            return [sys.executable, "-m", "bench.clients.dns_python", *flags]

        contenders = {
            OURS: (client("lab"), usual),
            ARES: (client("c-ares"), usual),
            PYTHON: (in_python(in_flight), 1_500),
        }
        if in_flight > 1:
            contenders[PYTHON_IN_SEQUENCE] = (in_python(1), 1_500)
        yield {
            name: partial(
                processes.sample,
                command,
                calls=effort.calls(calls),
                warm_up=max(in_flight, effort.calls(calls // 10)),
            )
            for name, (command, calls) in contenders.items()
        }


ROWS = (
    Row(
        "resolver-1",
        "Lookups of a name's A records, one at a time",
        (Bar(OURS, ARES, least=0.9), Bar(OURS, PYTHON, least=4.0)),
        partial(_contenders, in_flight=1, usual=10_000),
    ),
    Row(
        "resolver-100",
        "Lookups of a name's A records, 100 in flight",
        (
            Bar(OURS, ARES, least=0.9),
            Bar(OURS, PYTHON, least=40.0),
            Bar(OURS, PYTHON_IN_SEQUENCE, least=40.0),
        ),
        partial(_contenders, in_flight=100, usual=80_000),
    ),
)
