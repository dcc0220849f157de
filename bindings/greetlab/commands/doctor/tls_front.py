"""Ends TLS here, for the lab's channel, which speaks none: a front on loopback for each address.

A connection to a front is one connection to its address, so what is seen of connections and of who
answers stays true. Whose certificate it is, is not this one's business: see `certificate`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import threading
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from greetlab.commands.doctor.certificate import client_context, in_words


@dataclass
class Fronts:
    """places: each front's address to the one behind it. failures: address to why TLS to it was
    not to be had, as far as it was tried."""

    places: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def tls_fronts(addresses: Sequence[str], host: str, timeout: float) -> Iterator[Fronts]:
    """Fronts of these addresses ("ip:port"), as long as it lasts.

    host: the name that is asked for (SNI). timeout: seconds for a connection and its handshake.
    """
    fronts = Fronts()
    listening: concurrent.futures.Future[asyncio.Event] = concurrent.futures.Future()
    serving = _serve(fronts, addresses, host.strip("[]").rstrip("."), timeout, listening)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=_run, args=(loop, serving, listening), name="tls-fronts")
    thread.start()
    ended = listening.result()
    try:
        yield fronts
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()


def _run(
    loop: asyncio.AbstractEventLoop,
    serving: Coroutine[Any, Any, None],
    listening: concurrent.futures.Future[asyncio.Event],
) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:  # which ends what is left of it
        try:
            runner.run(serving)
        except BaseException as error:  # whatever it is, somebody waits to be told
            if listening.done():
                raise
            listening.set_exception(error)


async def _serve(
    fronts: Fronts,
    addresses: Sequence[str],
    name: str,
    timeout: float,
    listening: concurrent.futures.Future[asyncio.Event],
) -> None:
    ended = asyncio.Event()
    servers = []
    for address in addresses:
        accept = functools.partial(_accepted, fronts, address, name, timeout)
        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        servers.append(server)
        front_ip, front_port = server.sockets[0].getsockname()
        fronts.places[f"{front_ip}:{front_port}"] = address
    listening.set_result(ended)
    await ended.wait()
    for server in servers:
        server.close()


async def _accepted(
    fronts: Fronts,
    address: str,
    name: str,
    timeout: float,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    ip, _, port = address.rpartition(":")
    dialled = asyncio.open_connection(
        ip.strip("[]"), int(port), ssl=client_context(), server_hostname=name
    )
    try:
        far_reader, far_writer = await asyncio.wait_for(dialled, timeout)
    except OSError as error:  # TimeoutError and ssl.SSLError are
        fronts.failures[address] = in_words(error)
        writer.transport.abort()
        return
    ways = [
        asyncio.ensure_future(_copy(reader, far_writer)),
        asyncio.ensure_future(_copy(far_reader, writer)),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        writer.transport.abort()
        far_writer.transport.abort()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):  # either of them has gone
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
