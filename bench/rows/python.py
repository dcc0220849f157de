"""Calls in bulk from Python: `channel.load` against PyPI's grpcio."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from bench import processes
from bench.measure import Bar, Effort, Row, Run

ENGINE = "lab"
OURS, SYNC, AIO = f"load, {ENGINE}", "grpcio sync", "grpc.aio"


@contextmanager
def _contenders(effort: Effort) -> Iterator[Mapping[str, Run]]:
    processes.require_python("grpc", "google.protobuf")
    with processes.serving(processes.cq_server()) as server:
        # As many calls as each of them makes in about the same time.
        contenders = {
            OURS: (processes.our_client(server, engine=ENGINE), 50_000),
            SYNC: (processes.grpcio_client(server, "sync"), 5_000),
            AIO: (processes.grpcio_client(server, "aio"), 19_200),
        }
        yield {
            name: partial(
                processes.sample,
                command,
                calls=effort.calls(usual),
                warm_up=effort.calls(usual // 10),
            )
            for name, (command, usual) in contenders.items()
        }


ROWS = (
    Row(
        "python",
        f"Bulk calls from Python, engine {ENGINE}: 64 in flight; grpcio sync: one thread",
        (Bar(OURS, SYNC, "cpu_us", most=0.12), Bar(OURS, AIO, "cpu_us", most=0.35)),
        _contenders,
    ),
)
