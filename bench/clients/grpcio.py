"""PyPI's grpcio: its sync client, and grpc.aio."""

from __future__ import annotations

import asyncio
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import grpc
import grpc.aio
import typer
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from bench.clients.report import Measurement

METHOD = "/greet.GreetService/Greet"
OPTIONS = [("grpc.enable_http_proxy", 0)]
GREETING = {"first_name": "Ada", "last_name": "Lovelace"}
TIMEOUT = 5.0
"""Seconds that each call may take, as with `Channel.load`."""


class Kind(StrEnum):
    """Which of its clients."""

    SYNC = "sync"
    AIO = "aio"


def main(
    kind: Kind,
    target: Annotated[str, typer.Option()],
    descriptor: Annotated[Path, typer.Option()],
    calls: Annotated[int, typer.Option()],
    warm_up: Annotated[int, typer.Option()],
    concurrency: int = 64,
) -> None:
    """Calls a greet service; prints what it took as JSON. "sync" makes one call at a time.

    descriptor: greet.proto's file descriptor set.
    """
    request_class, response_class = _messages(descriptor)
    method = {
        "method": METHOD,
        "request_serializer": request_class.SerializeToString,
        "response_deserializer": response_class.FromString,
    }
    request = request_class(greeting=GREETING)
    if kind is Kind.SYNC:
        with grpc.insecure_channel(target, options=OPTIONS) as channel:
            _sync(channel.unary_unary(**method), request, calls, warm_up)
    else:
        asyncio.run(_aio(target, method, request, calls, warm_up, concurrency))


def request(descriptor: Path) -> bytes:
    """The request that all clients send, serialized."""
    return bytes(_messages(descriptor)[0](greeting=GREETING).SerializeToString())


def _messages(descriptor: Path) -> list[Any]:
    """GreetingRequest and GreetingResponse, as protoc would have made them."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(descriptor.read_bytes()).file:
        pool.Add(file)
    names = ("greet.GreetingRequest", "greet.GreetingResponse")
    return [message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in names]


def _sync(greet: Any, request: Any, calls: int, warm_up: int) -> None:
    for _ in range(warm_up):
        greet(request, timeout=TIMEOUT)
    latencies = []
    measurement = Measurement()
    for _ in range(calls):
        start = time.perf_counter_ns()
        greet(request, timeout=TIMEOUT)
        latencies.append(time.perf_counter_ns() - start)
    measurement.stop()
    measurement.report(latencies)


async def _aio(
    target: str, method: dict[str, Any], request: Any, calls: int, warm_up: int, concurrency: int
) -> None:
    async with grpc.aio.insecure_channel(target, options=OPTIONS) as channel:
        greet = channel.unary_unary(**method)
        latencies: list[int] = []

        async def worker(count: int) -> None:
            for _ in range(count):
                start = time.perf_counter_ns()
                await greet(request, timeout=TIMEOUT)
                latencies.append(time.perf_counter_ns() - start)

        async def load(total: int) -> None:
            await asyncio.gather(*(worker(total // concurrency) for _ in range(concurrency)))

        await load(warm_up)
        latencies.clear()
        measurement = Measurement()
        await load(calls)
        measurement.stop()
        measurement.report(latencies)


if __name__ == "__main__":
    typer.run(main)
