"""The local cluster's DNS: what CoreDNS answers in a real one.

It follows the kubernetes/dns specification, version 1.1.0, for services and the pods behind them:
https://github.com/kubernetes/dns/blob/master/docs/specification.md
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, Self

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

_Records = dict[dns.rdatatype.RdataType, list[dns.rdata.Rdata]]
_Zone = dict[dns.name.Name, _Records]

_SPECIFICATION = "1.1.0"
_OUR_UDP_PAYLOAD = 1232  # what survives any path unfragmented (dnsflagday.net/2020)
_PATIENCE = 10.0  # seconds that a TCP client may take over one question
_QUERIES_KEPT = 10_000


class DnsQuery(NamedTuple):
    """One question that the server answered."""

    at_ns: int
    """CLOCK_MONOTONIC, as `time.monotonic_ns()` reads it."""
    client: str
    """'ip:port'."""
    transport: str
    """'udp' or 'tcp'."""
    name: str
    """As asked, without the final dot."""
    type: str
    """'A', 'AAAA', 'SRV', ..."""
    rcode: str
    """'NOERROR', 'NXDOMAIN', ..."""


@dataclass(frozen=True)
class _Service:
    cluster_ip: str | None
    ports: Mapping[str, tuple[int, int]]
    endpoints: Sequence[tuple[str | None, str]]


class ClusterDns:
    """A DNS server for one cluster's domain, over UDP and TCP, in one background thread.

    Args:
        address: the IP address to listen on.
        port: the same for UDP and TCP.
        domain: the cluster's domain. Any other name is REFUSED, for nothing is forwarded; but what
            a search list leaves of a name that does not exist ("web.default") is NXDOMAIN.
        ttl: seconds, of every record. 5 is the default of CoreDNS's kubernetes plugin; the Corefile
            that most clusters run says 30.
        seed: of the order of the addresses in an answer, which CoreDNS shuffles as well.

    Raises:
        OSError: the address and port are taken, or not this machine's.
    """

    def __init__(
        self, address: str, port: int, domain: str = "cluster.local", *, ttl: int = 5, seed: int = 0
    ) -> None:
        self.address = address
        self.port = port
        self._domain = dns.name.from_text(domain)
        self._ttl = ttl
        self._random = random.Random(seed)
        self._services: dict[tuple[str, str], _Service] = {}
        self._writing = threading.Lock()
        self._zone = self._make_zone()
        self._queries: deque[DnsQuery] = deque(maxlen=_QUERIES_KEPT)
        self._outage: dns.rcode.Rcode | None = None

        # Bound before this returns, so that a client may ask at once: the kernel keeps its question
        # until the thread is there.
        self._udp, self._tcp = _listen(address, port)
        self._connections: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="cluster-dns", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stops answering and gives the address back. Once is enough, twice does no harm."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    @property
    def queries(self) -> list[DnsQuery]:
        """The questions answered, oldest first: the last 10,000."""
        return list(self._queries.copy())

    def set_service(
        self,
        name: str,
        namespace: str = "default",
        *,
        cluster_ip: str | None = None,
        ports: Mapping[str, tuple[int, int]] | None = None,
        endpoints: Sequence[tuple[str | None, str]] = (),
    ) -> None:
        """Adds a service, or replaces it: an answer has either the old records or the new ones.

        Args:
            name: the service.
            namespace: where it is.
            cluster_ip: its virtual IP; None makes it headless.
            ports: name to (service port, target port). Only named ports have an SRV record: with
                the service port of a ClusterIP, with the target port of a headless service.
            endpoints: (hostname, ip) of each *ready* pod, for a headless service. The hostname is
                the one in the pod's specification, as a StatefulSet sets it; pods of a Deployment
                have None, and are named after their IP (10-244-0-3).

        Raises:
            ValueError: an IP address is none.
        """
        for ip in [cluster_ip] if cluster_ip else [ip for _, ip in endpoints]:
            ipaddress.ip_address(ip)
        service = _Service(cluster_ip, dict(ports or {}), tuple(endpoints))
        with self._writing:
            self._services[name, namespace] = service
            self._zone = self._make_zone()

    def remove_service(self, name: str, namespace: str = "default") -> None:
        """Forgets a service: its names are NXDOMAIN from now on.

        Raises:
            KeyError: there is no such service.
        """
        with self._writing:
            del self._services[name, namespace]
            self._zone = self._make_zone()

    def set_outage(self, rcode: str | None) -> None:
        """Answers every question with this, such as "SERVFAIL"; None: as it should, again.

        Raises:
            dns.rcode.UnknownRcode: there is no such rcode.
        """
        self._outage = None if rcode is None else dns.rcode.from_text(rcode)

    # The records ------------------------------------------------------------------------------

    def _make_zone(self) -> _Zone:
        """Every name with its records, anew: a reader holds either the old zone or this one."""
        zone: _Zone = {}

        def add(name: dns.name.Name, kind: str, data: str) -> None:
            records = zone.setdefault(name, {})
            records.setdefault(dns.rdatatype.from_text(kind), []).append(_rdata(kind, data))
            # The names above one that exists exist, too, without records (RFC 8020).
            while name != self._domain:
                name = name.parent()
                zone.setdefault(name, {})

        def add_address(name: dns.name.Name, ip: str) -> None:
            add(name, "AAAA" if ":" in ip else "A", ip)

        add(
            self._domain,
            "SOA",
            f"ns.dns.{self._domain} hostmaster.{self._domain} 1 7200 1800 86400 {self._ttl}",
        )
        add(_under(self._domain, "dns-version"), "TXT", f'"{_SPECIFICATION}"')
        for (name, namespace), service in self._services.items():
            at = _under(self._domain, name, namespace, "svc")
            if service.cluster_ip:
                add_address(at, service.cluster_ip)
                hosts = [at]
            else:
                hosts = []
                for hostname, ip in service.endpoints:
                    hosts.append(_under(at, hostname or ip.replace(".", "-").replace(":", "-")))
                    add_address(at, ip)
                    add_address(hosts[-1], ip)
            for port_name, (service_port, target_port) in service.ports.items():
                port = service_port if service.cluster_ip else target_port
                for host in hosts:
                    weight = max(1, 100 // len(hosts))  # CoreDNS: the pods share 100
                    add(_under(at, f"_{port_name}", "_tcp"), "SRV", f"0 {weight} {port} {host}")
        return zone

    # The answers ------------------------------------------------------------------------------

    def _answer(self, wire: bytes, transport: str, client: tuple[Any, ...]) -> bytes | None:
        """The reply to one message; None if it deserves none."""
        try:
            query = dns.message.from_wire(wire)
        except Exception:  # whatever the bytes make dnspython raise: the server goes on
            return _formerr(wire)
        if query.flags & dns.flags.QR:  # a reply: to answer it could go on for ever
            return None

        response = dns.message.make_response(query, our_payload=_OUR_UDP_PAYLOAD)
        response.set_rcode(self._fill(query, response))
        if query.question:
            question = query.question[0]
            self._queries.append(
                DnsQuery(
                    at_ns=time.monotonic_ns(),
                    client=f"{client[0]}:{client[1]}",
                    transport=transport,
                    name=question.name.to_text(omit_final_dot=True),
                    type=dns.rdatatype.to_text(question.rdtype),
                    rcode=dns.rcode.to_text(response.rcode()),
                )
            )
        # Without EDNS a client takes 512 bytes over UDP (RFC 1035 4.2.1), with it what it says, but
        # never less (RFC 6891 6.2.3). An answer that does not fit is left out, and TC set.
        limit = max(512, query.payload) if transport == "udp" else 65535
        # The shuffling is ours: dnspython's own knows no seed.
        return response.to_wire(max_size=limit, prefer_truncation=True, want_shuffle=False)

    def _is_short(self, name: dns.name.Name) -> bool:
        """Whether it is the bare end of a search list: "web", "web.default", "web.default.svc".

        A real cluster's DNS sends those upstream, where they are NXDOMAIN: there is no such TLD.
        """
        labels = name.labels[:-1]  # without the root's
        ends = {b"svc", *(namespace.encode() for _, namespace in list(self._services))}
        return len(labels) == 1 or (len(labels) > 1 and labels[-1].lower() in ends)

    def _fill(self, query: dns.message.Message, response: dns.message.Message) -> dns.rcode.Rcode:
        if query.opcode() != dns.opcode.QUERY:
            return dns.rcode.NOTIMP
        if self._outage is not None:
            return self._outage
        if len(query.question) != 1:
            return dns.rcode.FORMERR
        question = query.question[0]
        name = question.name
        if question.rdclass != dns.rdataclass.IN:
            return dns.rcode.REFUSED
        if not name.is_subdomain(self._domain):
            return dns.rcode.NXDOMAIN if self._is_short(name) else dns.rcode.REFUSED

        response.flags |= dns.flags.AA
        zone = self._zone
        found = zone.get(name, {}).get(question.rdtype)
        if not found:
            soa = zone[self._domain][dns.rdatatype.SOA]
            response.authority.append(self._rrset(self._domain, soa))
            return dns.rcode.NOERROR if name in zone else dns.rcode.NXDOMAIN

        answer = list(found)
        self._random.shuffle(answer)
        response.answer.append(self._rrset(name, answer))
        if question.rdtype == dns.rdatatype.SRV:
            for target in [record.target for record in answer]:  # type: ignore[attr-defined]
                for addresses in zone.get(target, {}).values():
                    response.additional.append(self._rrset(target, addresses))
        return dns.rcode.NOERROR

    def _rrset(self, name: dns.name.Name, records: Sequence[dns.rdata.Rdata]) -> dns.rrset.RRset:
        return dns.rrset.from_rdata_list(name, self._ttl, records)

    # The sockets ------------------------------------------------------------------------------

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop.add_reader(self._udp, self._serve_datagram)
        self._loop.add_reader(self._tcp, self._accept)
        await self._stop.wait()
        for listener in (self._udp, self._tcp):
            self._loop.remove_reader(listener)
            listener.close()
        # Whoever is connected is cut off, when the runner cancels what is left of the tasks.

    def _serve_datagram(self) -> None:
        with contextlib.suppress(OSError):  # a datagram may get lost, also here
            question, client = self._udp.recvfrom(65535)
            reply = self._answer(question, "udp", client)
            if reply is not None:
                self._udp.sendto(reply, client)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the client may be gone again
            connection, client = self._tcp.accept()
            connection.setblocking(False)
            task = self._loop.create_task(self._serve_connection(connection, client))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
            task.add_done_callback(lambda _: connection.close())

    async def _serve_connection(self, connection: socket.socket, client: tuple[Any, ...]) -> None:
        """One client's questions, one after the other, each behind its length (RFC 1035 4.2.2)."""

        async def receive(size: int) -> bytes:
            data = b""
            while len(data) < size:
                part = await self._loop.sock_recv(connection, size - len(data))
                if not part:
                    raise EOFError
                data += part
            return data

        with contextlib.suppress(EOFError, TimeoutError, OSError):  # it is done, stuck or gone
            while True:
                async with asyncio.timeout(_PATIENCE):
                    question = await receive(int.from_bytes(await receive(2), "big"))
                    reply = self._answer(question, "tcp", client)
                    if reply is None:
                        return
                    await self._loop.sock_sendall(connection, len(reply).to_bytes(2, "big") + reply)


def _listen(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """The UDP and the TCP socket. The UDP one keeps any other server off the address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    udp = socket.socket(family, socket.SOCK_DGRAM)
    tcp = socket.socket(family, socket.SOCK_STREAM)
    try:
        udp.bind((address, port))
        # Connections of a server that was here before may linger in TIME_WAIT.
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind((address, port))
        tcp.listen()
    except OSError as error:
        udp.close()
        tcp.close()
        raise OSError(
            error.errno, f"listen for DNS on {address}:{port}: {error.strerror}"
        ) from error
    udp.setblocking(False)
    tcp.setblocking(False)
    return udp, tcp


def _under(parent: dns.name.Name, *labels: str) -> dns.name.Name:
    return dns.name.from_text(".".join(labels), origin=parent)


def _rdata(kind: str, data: str) -> dns.rdata.Rdata:
    return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(kind), data)


def _formerr(wire: bytes) -> bytes | None:
    """FORMERR to what looks like a question; silence to noise, and to replies."""
    if len(wire) < 12 or wire[2] & 0x80:
        return None
    return wire[:2] + bytes([0x80 | wire[2] & 0x79, dns.rcode.FORMERR]) + bytes(8)
