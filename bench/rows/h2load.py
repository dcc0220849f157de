"""The lab's client against h2load, which speaks HTTP/2 and nothing above it."""

from __future__ import annotations

import re
import struct
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import processes
from bench.clients import grpcio
from bench.measure import Bar, BrokenError, Effort, Row, Run, Sample

OURS, H2LOAD = "lab, untraced", "h2load"
IN_FLIGHT = 64
LEAST_ANSWER = 60
"""Bytes that a greeting has, with gRPC's frame."""


@contextmanager
def _contenders(effort: Effort) -> Iterator[Mapping[str, Run]]:
    program = processes.require_program("h2load", "nghttp2-client")
    processes.require_python("google.protobuf")
    calls, warm_up = effort.calls(50_000), effort.calls(4_000)
    with processes.serving(processes.cq_server()) as server, tempfile.TemporaryDirectory() as it:
        body = Path(it) / "request"
        body.write_bytes(_framed(grpcio.request(processes.peer("greet.desc"))))
        url = f"http://{server.target.removeprefix('ipv4:')}{grpcio.METHOD}"
        headers = ["content-type: application/grpc", "te: trailers"]
        command: list[str | Path] = [
            program,
            *("-n", str(calls), "-c", "1", "-m", str(IN_FLIGHT), "-d", body),
            *(flag for header in headers for flag in ("-H", header)),
            url,
        ]
        ours = processes.our_client(server, engine="lab", trace_capacity=0, concurrency=IN_FLIGHT)
        yield {
            OURS: partial(processes.sample, ours, calls=calls, warm_up=warm_up),
            H2LOAD: partial(_h2load, command, calls),
        }


def _framed(message: bytes) -> bytes:
    """As gRPC has it on the wire: not compressed, so long, the message."""
    return struct.pack(">?I", False, len(message)) + message


def _h2load(command: list[str | Path], calls: int) -> Sample:
    """One run of it. It has no warm-up by number; its connection is a small part of the run."""
    taken = processes.timed(command)
    rate = calls_per_second(taken.output, calls)
    return {"calls_per_second": rate, "cpu_us": taken.cpu_seconds / calls * 1e6}


def calls_per_second(said: str, calls: int) -> float:
    """What h2load measured, if all its calls were answered.

    An error of gRPC's is an HTTP 200, too, but it has no greeting: the bytes tell.

    Raises BrokenError if one was not.
    """
    rate = re.search(r"finished in .*?, ([\d.]+) req/s", said)
    succeeded = re.search(rf"status codes: {calls} 2xx, 0 3xx, 0 4xx, 0 5xx", said)
    data = re.search(r"traffic:.*\((\d+)\) data", said)
    if not (rate and succeeded and data and int(data[1]) >= calls * LEAST_ANSWER):
        raise BrokenError(f"h2load: not all of {calls} calls were answered:\n{said}")
    return float(rate[1])


ROWS = (
    Row(
        "h2load",
        f"Clients, on the same bare CQ server: one connection, {IN_FLIGHT} in flight",
        (Bar(OURS, H2LOAD, "cpu_us", most=1.25),),
        _contenders,
    ),
)
