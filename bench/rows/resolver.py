"""The resolver against c-ares, the library below it, and against dnspython."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import counting, processes
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


@contextmanager
def _counted(_: Effort, *, in_flight: int) -> Iterator[Mapping[str, Run]]:
    with processes.serving(processes.dns_server()) as server:
        flags = ["--server", server.target.removeprefix("ipv4:"), "--in-flight", str(in_flight)]
        yield {
            engine: counting.counted(
                counting.with_calls([processes.peer("dns_client"), "--engine", engine, *flags]),
                3_000,
                "instructions",
            )
            for engine in (OURS, ARES)
        }


ROWS = (
    Row(
        "resolver-1",
        "Lookups of a name's A records, one at a time",
        (),
        partial(_contenders, in_flight=1, usual=10_000),
    ),
    Row(
        "resolver-100",
        "Lookups of a name's A records, 100 in flight",
        (
            Bar(OURS, PYTHON, least=40.0),
            Bar(OURS, PYTHON_IN_SEQUENCE, least=40.0),
        ),
        partial(_contenders, in_flight=100, usual=80_000),
    ),
    *(
        Row(
            f"resolver-{in_flight}-counted",
            f"What a lookup takes, {in_flight} in flight",
            (Bar(OURS, ARES, "instructions", most=1.3),),
            partial(_counted, in_flight=in_flight),
            times=None,
        )
        for in_flight in (1, 100)
    ),
)
