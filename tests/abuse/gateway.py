"""Attacks on a greet-gateway: python tests/abuse/gateway.py [SECONDS] [ATTACK...]

Each of them for some seconds (3) against a gateway of its own, with a greet-server behind it;
another client, at another address, asks once every 20 ms meanwhile. Fails where the gateway holds
more than 64 MiB, where 1 in 100 of the other's requests takes above 250 ms, or where one has no
answer.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from greet_server import Server
from rig import address_of, at_once, crowd, free_ip, many_descriptors, pour, rss

from greetlab import executables

MOST_MIB = 64
MOST_MS = 250
Address = tuple[str, int]
POST = b"POST /greet HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


class Gateway:
    def __init__(self, target: str, *flags: str) -> None:
        command = [executables.path("greet-gateway"), "--target", target, "--listen", free_ip()]
        self.process = subprocess.Popen(
            [*command, "--port", "0", *flags], stdout=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        self.address = address_of(line.split(",")[0].split()[-1])

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


def greeting(last_name: str = "B") -> bytes:
    body = json.dumps({"first_name": "A", "last_name": last_name}).encode()
    return POST + b"Content-Length: %d\r\n\r\n" % len(body) + body


def one_extension() -> Iterator[bytes]:
    yield b"5;x="
    yield from itertools.repeat(b"y" * 100)


def extensions() -> Iterator[bytes]:
    return itertools.repeat(b"1;" + b"y" * 4000 + b"\r\n \r\n")


def trailers() -> Iterator[bytes]:
    yield b"0\r\n"
    for n in itertools.count():
        yield b"t%d: %s\r\n" % (n, b"y" * 100)


def requests() -> Iterator[bytes]:
    return itertools.repeat(greeting())


def flooding(start: bytes, flood: Callable[[], Iterator[bytes]]) -> Callable[[Address, float], int]:
    return lambda where, seconds: pour(where, start, flood, seconds)


def crowding(first: bytes, count: int) -> Callable[[Address, float], int]:
    return lambda where, seconds: crowd(where, first, count, seconds)


def gone(where: Address, seconds: float) -> int:
    """Asks, and goes."""
    until = time.monotonic() + seconds
    for n in itertools.count():
        if time.monotonic() > until:
            return n
        with contextlib.suppress(OSError), socket.create_connection(where, timeout=1) as client:
            client.sendall(greeting())
        time.sleep(0.001)  # else Python has no time for the others
    raise AssertionError


ATTACKS = {
    "one_extension": flooding(CHUNKED, one_extension),
    "extensions": flooding(CHUNKED, extensions),
    "trailers": flooding(CHUNKED, trailers),
    "requests": flooding(b"", requests),
    "idle": crowding(b"", 1100),
    "half_header": crowding(POST + b"x: " + b"y" * 7000, 1024),
    "half_body": crowding(POST + b"Content-Length: 32000\r\n\r\n" + b"{" * 31999, 1024),
    "half_trailers": crowding(CHUNKED + b"0\r\n" + b"t: y\r\n" * 10_000, 1024),
    "gone": gone,
}


def others(where: Address, seconds: float) -> tuple[list[float], int]:
    """How long each answer took, in ms, and how many were no answer."""
    waited, failed = [], 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        try:
            with socket.create_connection(where, timeout=5, source_address=(free_ip(), 0)) as one:
                one.settimeout(5)
                one.sendall(greeting())
                failed += not one.recv(100).startswith(b"HTTP/1.1 200")
        except OSError:
            failed += 1
        waited.append((time.monotonic() - began) * 1000)
        time.sleep(0.02)
    return waited, failed


def main() -> int:
    many_descriptors()
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3
    wanted = sys.argv[2:]
    bad = 0
    print(f"{'greet-gateway':16} before   peak  after")
    for name, attack in ATTACKS.items():
        if wanted and name not in wanted:
            continue
        pod = Server()
        gateway = Gateway(f"static:{pod.address}")
        try:
            others(gateway.address, 0.1)
            before = rss(gateway.process.pid)
            work = at_once(lambda: attack(gateway.address, seconds))  # noqa: B023
            waited, failed = others(gateway.address, seconds)
            for thread in work:
                thread.join()
            pid = gateway.process.pid
            peak, after = rss(pid, "VmHWM"), rss(pid)
        finally:
            gateway.end()
            pod.end()
        p99 = sorted(waited)[int(len(waited) * 0.99)]
        good = peak < MOST_MIB and p99 < MOST_MS and not failed
        bad += not good
        print(
            f"{name:16} {before:6.0f} {peak:6.0f} {after:6.0f} MiB   p99 {p99:7.1f} ms"
            f"   {failed} of {len(waited)} failed" + ("" if good else "   TOO MUCH"),
            flush=True,
        )
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
