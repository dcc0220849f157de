"""A server under attack: what it holds in memory, and how long others wait meanwhile."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import re
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path


def free_ip() -> str:
    """As in tests/support.py."""
    return f"127.255.{random.randrange(1, 255)}.{random.randrange(1, 255)}"


def rss(pid: int, what: str = "VmRSS") -> float:
    """MiB; "VmHWM": the most that it ever was."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{what}:\s+(\d+)", status)[1]) / 1024


def forget_peak(pid: int) -> None:
    """VmHWM begins anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def many_descriptors() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def address_of(text: str) -> tuple[str, int]:
    ip, _, port = text.rpartition(":")
    return ip.strip("[]"), int(port)


def swallow(connection: socket.socket) -> None:
    """Reads what comes, so that the server is never held up by us."""
    with contextlib.suppress(OSError):
        while connection.recv(1 << 16):
            pass


def pour(
    address: tuple[str, int],
    start: bytes,
    flood: Callable[[], Iterator[bytes]],
    seconds: float,
    *,
    again: bool = True,
) -> int:
    """Sends what a flood has on one connection, and on another once that is cut, until the time is
    over. How many connections that took is returned.
    """
    until = time.monotonic() + seconds
    connections = 0
    while time.monotonic() < until and (again or connections == 0):
        connections += 1
        with (
            contextlib.suppress(OSError),
            socket.create_connection(address, timeout=1) as connection,
        ):
            reader = threading.Thread(target=swallow, args=[connection], daemon=True)
            reader.start()
            connection.sendall(start)
            pieces = flood()
            while time.monotonic() < until:
                some = b"".join(itertools.islice(pieces, 500))
                if not some:
                    break
                connection.settimeout(max(0.01, until - time.monotonic()))
                connection.sendall(some)
            else:
                connection.shutdown(socket.SHUT_RDWR)
    return connections


def crowd(address: tuple[str, int], first: bytes, connections: int, seconds: float) -> int:
    """So many connections at once, each of which begins so, and then waits for the end. How many
    of them are still there by then is returned.
    """
    until = time.monotonic() + seconds
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(connections):
            with contextlib.suppress(OSError):
                one = stack.enter_context(socket.create_connection(address, timeout=1))
                opened.append(one)
                one.sendall(first)
                one.setblocking(False)
            if time.monotonic() > until:
                break
        time.sleep(max(0, until - time.monotonic()))
        alive = 0
        for one in opened:
            with contextlib.suppress(BlockingIOError, OSError):
                while one.recv(1 << 16):
                    pass
                continue
            with contextlib.suppress(OSError):
                alive += one.send(b"") == 0 and one.getpeername() is not None
    return alive


def at_once(work: Callable[[], object], others: int = 1) -> list[threading.Thread]:
    threads = [threading.Thread(target=work, daemon=True) for _ in range(others)]
    for thread in threads:
        thread.start()
    return threads


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
