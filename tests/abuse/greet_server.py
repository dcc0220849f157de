"""Floods against a greet-server: python tests/abuse/greet_server.py [SECONDS] [FLOOD...]

Each of them for some seconds (3) against a server of its own, on one connection, and on another as
soon as that is cut (the "many": on many connections at once); another client makes a call each 5 ms
meanwhile. Fails where the server holds more than 96 MiB, or 1 in 100 of the others' calls takes
longer than 250 ms, or one fails. The Pod's limit is 128Mi.
"""

from __future__ import annotations

import subprocess
import sys

import http2_floods
import numpy
from rig import address_of, at_once, crowd, free_ip, many_descriptors, pour, rss

from greetlab import executables
from greetlab.channels.channel import Channel

MOST_MIB = 96
MOST_MS = 250


class Server:
    def __init__(self, *flags: str) -> None:
        self.process = subprocess.Popen(
            [executables.path("greet-server"), "--listen", free_ip(), "--port", "0", *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.address = self.process.stdout.readline().split()[-1]

    def end(self) -> str:
        self.process.kill()
        return self.process.communicate()[1]


def flooded(name: str, attack, seconds: float, calls_each: float = 0.005) -> tuple[str, bool]:
    """A row of the table, and whether the server held."""
    server = Server()
    try:
        with Channel(f"ipv4:{server.address}") as others:
            others.load(20)
            before = rss(server.process.pid)
            connections = []
            work = at_once(lambda: connections.append(attack(address_of(server.address), seconds)))
            calls = others.load(int(seconds / calls_each), every=calls_each)
            for thread in work:
                thread.join()
            waited = numpy.percentile(calls.latency_ns / 1e6, 99)
            failed = sum(n for code, n in calls.by_status.items() if code != "OK")
            peak, after = rss(server.process.pid, "VmHWM"), rss(server.process.pid)
    finally:
        words = server.end()
    good = peak < MOST_MIB and waited < MOST_MS and not failed
    row = (
        f"{name:20} {before:6.0f} {peak:6.0f} {after:6.0f} MiB   p99 {waited:7.1f} ms"
        f"   {failed} of {len(calls)} failed   {connections[0]} connections"
    )
    return row + "".join(f"\n    {line}" for line in words.splitlines()[:3]), good


def main() -> int:
    many_descriptors()
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3
    wanted = sys.argv[2:]
    print(f"{'greet-server':20} before   peak  after")
    attacks = [
        (
            flood.__name__,
            lambda where, seconds, f=flood: pour(where, http2_floods.start(), f, seconds),
        )
        for flood in http2_floods.FLOODS
    ] + [
        (
            first.__name__,
            lambda where, seconds, f=first, n=n: crowd(
                where, http2_floods.start() + f(), n, seconds
            ),
        )
        for first, n in http2_floods.CROWDS
    ]
    bad = 0
    for name, attack in attacks:
        if not wanted or name in wanted:
            row, good = flooded(name, attack, seconds)
            bad += not good
            print(row + ("" if good else "   TOO MUCH"), flush=True)
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
