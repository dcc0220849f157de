"""Addresses on this machine's loopback interface: of IPv4 there are plenty, of IPv6 there is one.

All of 127.0.0.0/8 is loopback. Of IPv6 only ::1 is, so a cluster's other addresses have to be put
there (ip-address(8)), which needs CAP_NET_ADMIN. A route of the kind "local" would do it for a
whole prefix, but then a server has to ask for IPV6_FREEBIND, and gRPC's does not.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

FAMILIES = {"v4": ("v4",), "v6": ("v6",), "dual": ("v4", "v6")}
"""What a cluster's `ip` means; the first is the primary one."""

_ROUTES = Path("/proc/net/ipv6_route")
_PATIENCE = 5.0  # seconds that a route may take
_IN_A_NETWORK_OF_ITS_OWN = "unshare -Urn sh -c 'ip link set lo up && exec python3 yours.py'"


def families(ip: str) -> tuple[str, ...]:
    """Of a cluster's `ip`. Raises ValueError if there are no such ones."""
    if ip not in FAMILIES:
        raise ValueError(f"ip {ip!r}: it is 'v4', 'v6' or 'dual'")
    return FAMILIES[ip]


class Network:
    """The addresses of one cluster.

    127.N.0.0/16, and fd00:7f:N::/48 beside it or in its place: unique local addresses (RFC 4193),
    as those of most clusters' pods are.
    """

    def __init__(self, number: int, families: Sequence[str]) -> None:
        self.number = number
        self._families = families
        self._put_there: list[str] = []

    def __str__(self) -> str:
        names = {"v4": f"127.{self.number}.0.0/16", "v6": f"fd00:7f:{self.number}::/48"}
        return " and ".join(names[family] for family in self._families)

    @property
    def dns(self) -> str:
        """Of the primary family, as kube-dns's own Service is."""
        return self._each(f"127.{self.number}.0.10", "::a")[0]

    @property
    def cluster_ips(self) -> list[str]:
        """Of `greetserver`."""
        return self._each(f"127.{self.number}.96.1", ":96::1")

    def proxy(self, number: int) -> str:
        """Of the `number`th L7 proxy, of the primary family: 127.N.97.1 is the first."""
        return self._each(f"127.{self.number}.97.{number}", f":97::{number:x}")[0]

    def pod(self, number: int) -> list[str]:
        """Of the pod that is made as the `number`th: 127.N.1.1, fd00:7f:N:1::1 is the first."""
        high, low = divmod(number - 1, 254)
        return self._each(f"127.{self.number}.{1 + high}.{1 + low}", f":{1 + high:x}::{1 + low:x}")

    def _each(self, v4: str, v6: str) -> list[str]:
        of_family = {"v4": v4, "v6": str(ipaddress.ip_address(f"fd00:7f:{self.number}{v6}"))}
        return [of_family[family] for family in self._families]

    def add(self, ips: Sequence[str]) -> None:
        """Puts the IPv6 ones of these on the loopback interface.

        Raises OSError saying what it needs.
        """
        new = [ip for ip in ips if ":" in ip and ip not in self._put_there]
        if not new:
            return
        # One that is there already was left behind by a process that was killed.
        # Without "nodad" an address cannot be used at once (RFC 4862 5.4).
        failure = _ip("replace", new)
        if failure:
            raise OSError(
                errno.EADDRNOTAVAIL,
                f"put {new[0]} on the loopback interface: {failure}; a cluster with IPv6 needs "
                "IPv6 on it and the right to add addresses to it: run it as root, or in a network "
                f"of its own: {_IN_A_NETWORK_OF_ITS_OWN}",
            )
        self._put_there += new
        _await_routes(new)

    def close(self) -> None:
        """Takes them away again."""
        if self._put_there:
            _ip("del", self._put_there)
            self._put_there.clear()


def _await_routes(ips: Sequence[str]) -> None:
    """The kernel adds an address at once, and the route to it a little later, in a work queue."""
    wanted = {ipaddress.ip_address(ip).exploded.replace(":", "") + " 80" for ip in ips}  # /128
    deadline = time.monotonic() + _PATIENCE

    def usable() -> bool:
        # Listed is not yet looked up; and before it is listed a SYN might leave the machine.
        listed = {line[:35] for line in _ROUTES.read_text().splitlines()}
        return wanted <= listed and all(map(_is_routed, ips))

    while not usable():
        if time.monotonic() > deadline:
            raise OSError(errno.ENETUNREACH, f"use {ips[0]} on the loopback interface: no route")
        time.sleep(0.001)


def _is_routed(ip: str) -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        return probe.connect_ex((ip, 9)) != errno.ENETUNREACH


def _ip(what: str, addresses: Sequence[str]) -> str:
    """Does it to all of them at once. Returns why not; empty: it is done."""
    batch = "".join(
        f"addr {what} {ip}/128 dev lo{' nodad' * (what != 'del')}\n" for ip in addresses
    )
    try:
        done = subprocess.run(
            ["ip", "-6", "-force", "-batch", "-"], input=batch, capture_output=True, text=True
        )
    except FileNotFoundError:
        return "there is no ip(8): install iproute2"
    return done.stderr.strip().partition("\n")[0] if done.returncode else ""
