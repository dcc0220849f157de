"""dnspython: one lookup after the other, or many at a time on asyncio."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Annotated

import dns.asyncquery
import dns.message
import dns.query
import dns.rdatatype
import typer

from bench.clients.report import Measurement

NAME = "greetserver-headless.default.svc.cluster.local."
ADDRESSES = 3
TIMEOUT = 5.0


def main(
    server: Annotated[str, typer.Option()],
    calls: Annotated[int, typer.Option()],
    warm_up: Annotated[int, typer.Option()],
    in_flight: int = 1,
) -> None:
    """Looks a name up many times; prints what it took as JSON.

    Below dns.resolver, which would add its own search list and cache: a question is made and sent,
    its reply is read. That is the quickest way that dnspython has.
    """
    ip, port = server.split(":")
    if in_flight == 1:
        _one_at_a_time(ip, int(port), warm_up)
        measurement = Measurement()
        latencies = _one_at_a_time(ip, int(port), calls)
        measurement.stop()
        measurement.report(latencies)
    else:
        asyncio.run(_many(ip, int(port), calls, warm_up, in_flight))


def _one_at_a_time(ip: str, port: int, count: int) -> list[int]:
    latencies = []
    # One socket for all of them, as ours has.
    with dns.query.make_socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        for _ in range(count):
            start = time.perf_counter_ns()
            question = dns.message.make_query(NAME, dns.rdatatype.A)
            reply = dns.query.udp(question, ip, TIMEOUT, port, sock=udp)
            _require_addresses(reply)
            latencies.append(time.perf_counter_ns() - start)
    return latencies


async def _many(ip: str, port: int, calls: int, warm_up: int, in_flight: int) -> None:
    latencies: list[int] = []

    async def worker(count: int) -> None:
        for _ in range(count):
            start = time.perf_counter_ns()
            question = dns.message.make_query(NAME, dns.rdatatype.A)
            _require_addresses(await dns.asyncquery.udp(question, ip, TIMEOUT, port))
            latencies.append(time.perf_counter_ns() - start)

    async def load(total: int) -> None:
        await asyncio.gather(*(worker(total // in_flight) for _ in range(in_flight)))

    await load(warm_up)
    latencies.clear()
    measurement = Measurement()
    await load(calls)
    measurement.stop()
    measurement.report(latencies)


def _require_addresses(reply: dns.message.Message) -> None:
    """A lookup without them is not a figure."""
    found = [record for rrset in reply.answer for record in rrset]
    if len(found) != ADDRESSES:
        raise SystemExit(f"a lookup gave {len(found)} addresses, not {ADDRESSES}")


if __name__ == "__main__":
    typer.run(main)
