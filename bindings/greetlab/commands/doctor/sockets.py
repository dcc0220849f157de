"""The TCP sockets of this machine, and whose they are, as /proc tells it (proc(5), "/proc/net").

A process has the sockets of its own network namespace: /proc/PID/net is that of PID.
"""

from __future__ import annotations

import ipaddress
import itertools
import os
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
ESTABLISHED = 0x01
LISTENING = 0x0A
"""linux/include/net/tcp_states.h."""


@dataclass(frozen=True)
class Socket:
    """One of them: its two ends, "127.0.0.1:50051" or "[::1]:50051", its state, its inode."""

    local: str
    remote: str
    state: int
    inode: int


def tcp_sockets(pid: int | str = "self") -> list[Socket]:
    """All TCP sockets of the network namespace of a process.

    Raises OSError if there is no such process. A machine without IPv6 has no such table.
    """
    found = []
    for table in ("tcp", "tcp6"):
        path = PROC / str(pid) / "net" / table
        if table == "tcp6" and not path.exists():
            continue
        found += parse_table(path.read_text())
    return found


def parse_table(text: str) -> list[Socket]:
    """The sockets of a /proc/net/tcp or tcp6, or of one after the other.

    Raises ValueError, or IndexError, for a text that is none.
    """
    lines = (line.split() for line in text.splitlines())
    return [_socket(columns) for columns in lines if columns and columns[0] != "sl"]


def _socket(columns: list[str]) -> Socket:
    return Socket(_end(columns[1]), _end(columns[2]), int(columns[3], 16), int(columns[9]))


def _end(text: str) -> str:
    """Words of four bytes, each in the machine's own order: "0100007F:C383" is 127.0.0.1:50051."""
    digits, _, port = text.partition(":")
    order = "<" if sys.byteorder == "little" else ">"
    raw = bytes.fromhex(digits)
    packed = b"".join(struct.pack(">I", *struct.unpack(f"{order}I", raw[i : i + 4]))
                      for i in range(0, len(raw), 4))  # fmt: skip
    ip = ipaddress.ip_address(packed)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:  # an IPv4 peer of an IPv6 socket
        ip = ip.ipv4_mapped
    return f"[{ip}]:{int(port, 16)}" if ip.version == 6 else f"{ip}:{int(port, 16)}"


def inodes_of(pid: int) -> set[int]:
    """The sockets that a process has open.

    Raises PermissionError for another user's, and FileNotFoundError for one that is not there.
    """
    found = set()
    for entry in (PROC / str(pid) / "fd").iterdir():
        try:
            name = str(entry.readlink())
        except FileNotFoundError:  # closed meanwhile
            continue
        if name.startswith("socket:["):
            found.add(int(name[len("socket:[") : -1]))
    return found


def processes() -> Iterator[int]:
    """The ids of all processes that can be seen."""
    return (int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal())


def command_of(pid: int) -> list[str]:
    """The words that a process was started with; none if it has gone, or is the kernel's."""
    try:
        raw = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(word) for word in raw.split(b"\0") if word]


def environment_of(pid: int) -> dict[str, str]:
    """What a process was started with; nothing of another user's."""
    try:
        raw = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return {}
    pairs = (os.fsdecode(word).partition("=") for word in raw.split(b"\0") if word)
    return {name: value for name, _, value in pairs}


def listener(address: str) -> list[str]:
    """The command of who listens on an address of this machine; nothing where it cannot be seen.

    address: "127.0.0.1:50051", as a client dials it.
    """
    host, _, port = address.rpartition(":")
    everywhere = {f"0.0.0.0:{port}", f"[::]:{port}"}
    try:
        mine = {
            each.inode
            for each in tcp_sockets()
            if each.state == LISTENING and each.local in {f"{host}:{port}", *everywhere}
        }
    except OSError:  # no /proc
        return []
    for pid in processes() if mine else ():
        try:
            if mine & inodes_of(pid):
                return command_of(pid)
        except OSError:  # not ours to see, or gone
            continue
    return []


def own_addresses() -> list[str]:
    """The IPv4 addresses of this network namespace, but not loopback's.

    /proc/net/fib_trie has each local one as "|-- ADDRESS" with "/32 host LOCAL" under it.
    """
    try:
        lines = (PROC / "net" / "fib_trie").read_text().splitlines()
    except OSError:
        return []
    found = {
        before.split()[-1]
        for before, line in itertools.pairwise(lines)
        if line.strip() == "/32 host LOCAL"
    }
    return sorted(ip for ip in found if not ipaddress.ip_address(ip).is_loopback)


def can_connect(address: str, timeout: float) -> bool:
    """Whether a TCP connection to "ip:port" comes up."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout):
            return True
    except OSError:
        return False
