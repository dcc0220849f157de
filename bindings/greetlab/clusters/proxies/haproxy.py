"""A real HAProxy (Debian's) in front of the pods: the other proxy that balances requests.

It speaks HTTP/2 to both sides. Its servers are slots of a template, which its runtime API gives an
address and takes out of maintenance. Of a call whose pod dies before it answers it tells the client
that nobody has looked at it (REFUSED_STREAM), so gRPC sends it again, once, even if the pod had
begun.
(https://docs.haproxy.org/2.6/management.html#9.3, and configuration.html: server-template)
"""

from __future__ import annotations

import csv
import shutil
import socket
import tempfile
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from greetlab.clusters.processes import START_TIMEOUT, Lifeline, StartError
from greetlab.clusters.proxies.l7 import ANSWER_TIMEOUT, L7Proxy
from greetlab.dns.lookup import with_port

_SLOTS = 512
"""Servers that it can have. A cluster lists half as many; one that is left rests before it is used
again, for calls may be on their way there.
"""
_CONFIG = """
global
  nbthread 1
  noreuseport  # or two of them could listen at one address
  stats socket fd@0 level admin
defaults
  mode http
  timeout connect 1s
  timeout client 1h  # the client has a deadline of its own
  timeout server 1h
  retries 1          # of what could not be sent, at another server: gRPC does so by itself (A6)
  option redispatch 1
listen pods
  bind {listen} proto h2
  balance roundrobin
  server-template pod 1-{slots} 127.0.0.1:1 proto h2 disabled
"""


def program() -> Path:
    """Where HAProxy is.

    Raises StartError, which says how to get it.
    """
    found = shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy")  # not in everybody's PATH
    if found is None:
        raise StartError("there is no HAProxy: apt install haproxy")
    return Path(found)


class HAProxy(L7Proxy):
    """One HAProxy; see `L7Proxy`.

    name: of the Service that it stands behind.
    ip, port: where it listens.
    """

    def __init__(self, name: str, ip: str, port: int, *, lifeline: Lifeline) -> None:
        haproxy = program()
        folder = tempfile.TemporaryDirectory(prefix="greetlab-haproxy-")
        self._admin = f"{folder.name}/admin"
        self._used: dict[tuple[str, int], str] = {}
        self._free = deque(f"pod{number + 1}" for number in range(_SLOTS))
        self._sent_before: dict[str, int] = {}  # by slot: to those who had it
        config = Path(folder.name) / "haproxy.cfg"
        config.write_text(_CONFIG.format(listen=with_port(ip, port), slots=_SLOTS))
        # Its socket for commands is its standard input: there from the start, and no one else's.
        with socket.socket(socket.AF_UNIX) as commands:
            commands.bind(self._admin)
            commands.listen()
            super().__init__(
                name,
                ip,
                haproxy,
                ["-db", "-f", str(config)],
                folder=folder,
                lifeline=lifeline,
                stdin=commands.fileno(),
            )

    def await_serving(self) -> None:
        """Waits until it takes connections.

        Raises StartError with its last words if it ended, or took too long, instead.
        """
        try:
            self.ask("show info", START_TIMEOUT)  # it answers when all is bound
        except TimeoutError as error:
            raise StartError(f"{self.name}: not serving after {START_TIMEOUT:.0f} s") from error
        except ConnectionError as error:
            self._silent.wait(START_TIMEOUT)
            said = [line for line in self._log if line.startswith("[ALERT]")]
            why = said[0].partition(" : ")[2] if said else str(error)
            raise StartError(f"{self.name} (HAProxy) did not start: {why}") from error

    def set_endpoints(self, addresses: Iterable[tuple[str, int]]) -> None:
        """Says who the endpoints are; it knows it then. Calls that are on their way go on.

        Raises OSError if it has ended, or does not answer.
        """
        listed = list(addresses)
        for address in self._used.keys() - listed:
            slot = self._used[address]
            self.ask(f"set server pods/{slot} state maint")
            self._free.append(self._used.pop(address))
        for ip, port in listed:
            if (ip, port) not in self._used:
                slot = self._free[0]
                self._sent_before[slot] = _sent(self._servers()[slot])
                self.ask(f"set server pods/{slot} addr {ip} port {port}")
                self.ask(f"set server pods/{slot} state ready")
                self._used[ip, port] = self._free.popleft()

    def hosts(self) -> dict[str, dict[str, Any]]:
        """What it says of each endpoint: "ip:port" to what `show stat` has in a number, and Envoy's
        "cx_active", "rq_total" and "health" beside it.
        """
        told = {}
        for slot, server in self._servers().items():
            if not server["status"].startswith("MAINT"):
                stats: dict[str, Any] = {k: int(v) for k, v in server.items() if v.isdecimal()}
                # One that failed to connect stays counted among those in use (2.6).
                used = max(stats["used_conn_cur"] - _failed(server), 0)
                stats["cx_active"] = stats["idle_conn_cur"] + stats["safe_conn_cur"] + used
                stats["rq_total"] = max(_sent(server) - self._sent_before.get(slot, 0), 0)
                stats["health"] = server["status"]
                told[server["addr"]] = stats
        return told

    def connections_made(self) -> int:
        """How many it has made to pods so far."""
        return sum(int(one["connect"]) - _failed(one) for one in self._servers().values())

    def ask(self, command: str, timeout: float = ANSWER_TIMEOUT) -> str:
        """A command of its runtime API, and the answer.

        Raises ConnectionError if it has ended, TimeoutError if it does not answer.
        """
        answer = b""
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(timeout)
            try:
                asked.connect(self._admin)
                asked.sendall(f"{command}\n".encode())
                while part := asked.recv(1 << 16):
                    answer += part
            except (ConnectionError, FileNotFoundError):
                answer = b""
        if not answer.endswith(b"\n"):  # it always says something, if only an empty line
            raise ConnectionError(f"{self.name} (HAProxy) has ended")
        return answer.decode()

    def _servers(self) -> dict[str, dict[str, str]]:
        return {one["svname"]: one for one in self._stats() if one["type"] == "2"}

    def _stats(self) -> list[dict[str, str]]:
        table = self.ask("show stat pods -1 -1").removeprefix("# ").splitlines()
        return list(csv.DictReader(table))


def _failed(server: dict[str, str]) -> int:
    """How often it did not get through to it, and called another one, or it again."""
    return int(server["wredis"]) + int(server["wretr"])


def _sent(server: dict[str, str]) -> int:
    """Calls: each attempt is counted as a session, one that failed, too."""
    return int(server["stot"]) - _failed(server)
