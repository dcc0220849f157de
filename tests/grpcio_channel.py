"""PyPI's grpcio with the few methods of `greetlab.channels.channel.Channel` that tests of the wire
ask for. It lives in the process of `conformance/grpcio_client.py`."""

from base64 import b64decode, b64encode
from collections import Counter
from dataclasses import dataclass
from types import SimpleNamespace

from conformance.grpcio_process import GrpcioProcess

from greetlab.channels.channel import Channel

ENGINES = ("lab", "grpc", "grpcio")
"""Ours, gRPC C++ 1.51, and PyPI's newest."""


@dataclass(frozen=True)
class Greeted:
    """What became of calls, as `Calls` has it."""

    by_status: dict
    by_pod: dict
    errors: list

    @property
    def ok(self):
        return self.by_status.get("OK", 0)


class GrpcioChannel:
    """One channel."""

    def __init__(self, process, target):
        self._process = process
        self._number = process.number()
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
        self._ask("open", target=target.replace("static:", "ipv4:"), options=options)

    def greet(self, _, *, times=1, timeout=5.0, wait_for_ready=False):
        return self._calls(times, 1, timeout, wait_for_ready)

    def load(self, n, concurrency, *, timeout=5.0):
        return self._calls(n, concurrency, timeout, False)

    def wait_ready(self):
        self._ask("connect")

    def call_method(
        self, path, message=b"", *, metadata=(), timeout=5.0, wait_for_ready=False, stream=False,
        most=0,
    ):  # fmt: skip
        said = self._ask(
            "method", path=path, message=b64encode(message).decode(), stream=stream, most=most,
            metadata=[(n, b64encode(v).decode()) for n, v in metadata],
            timeout=timeout, wait_for_ready=wait_for_ready,
        )  # fmt: skip
        return SimpleNamespace(
            status=said["status"],
            error=said["error"],
            messages=[b64decode(one) for one in said["messages"]],
            headers=[(n, b64decode(v)) for n, v in said["headers"]],
            trailers=[(n, b64decode(v)) for n, v in said["trailers"]],
        )

    def close(self):
        self._process.later("close", channel=self._number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _calls(self, n, concurrency, timeout, wait_for_ready):
        how = {"timeout": timeout, "wait_for_ready": wait_for_ready}
        rows = self._ask("calls", n=n, concurrency=concurrency, **how)
        return Greeted(
            dict(Counter(row[0] for row in rows)),
            dict(Counter(row[1] for row in rows if row[1])),
            sorted({row[3] for row in rows} - {""}),
        )

    def _ask(self, do, **arguments):
        return self._process.ask(do, channel=self._number, **arguments)


def open_with(engine: str, target: str, process: GrpcioProcess):
    """A channel of any of the three. `process` gives grpcio's."""
    return (
        GrpcioChannel(process(), target) if engine == "grpcio" else Channel(target, engine=engine)
    )
