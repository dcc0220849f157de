"""The local cluster's DNS server: questions come in over UDP and TCP, `dns_zone` has the answers.

It treats messages as CoreDNS does, whose library miekg/dns takes or rejects them by their header
(acceptfunc.go), and whose usual plugins shuffle addresses (loadbalance) and cut an answer to what
the client takes (request.Scrub).

It is held to the answers of a CoreDNS 1.14 with kubeadm's Corefile (tests/coredns.json, recorded).
What differs, and stays so, for no client asks it or there is nothing to ask:

=================================  ===============================  ===========================
asked                              CoreDNS                          here
=================================  ===============================  ===========================
NS of the domain                   kube-dns.kube-system.svc.DOMAIN  ns.dns.DOMAIN: no kube-system
class CH or ANY                    answers as in class IN           REFUSED
EDNS: size, DO, CD, a cookie       says the client's own again      its own size, nothing else
opcode NOTIFY                      answers as to a query            NOTIMP
ExternalName out of the cluster    the CNAME and its addresses      the CNAME: no upstream
any other name out of the cluster  asks upstream                    NXDOMAIN or REFUSED
SRV of a name in capitals          its targets in small letters     as asked (RFC 4343: the same)
SRV of many endpoints              an address's name is a pointer   15 bytes more each: TC sooner
=================================  ===============================  ===========================

kubeadm's Corefile of Kubernetes 1.36 no longer caches the cluster's own names; nor does this.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from greetlab.dns.lookup import with_port
from greetlab.dns.zone import Answer, Endpoint, Port, Service, Zone

_OUR_UDP_PAYLOAD = 1232  # what survives any path unfragmented (dnsflagday.net/2020)
_LARGEST_DATAGRAM = 65507  # what IPv4 can carry, whatever a client says that it takes
_PATIENCE = (
    10.0  # seconds that a TCP client may take over one question, or be idle (RFC 7766 6.2.3)
)
_MOST_CONNECTIONS = 150  # as BIND's tcp-clients; the one that is silent for longest gives way
_DATAGRAMS_A_TURN = 16  # to one question of each connection
_PAUSE = 0.1  # seconds until TCP clients are let in again, when there are no descriptors for them
_QUERIES_KEPT = 10_000
_HEADER = 12  # bytes


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


class ClusterDns:
    """A DNS server for one cluster's domain, over UDP and TCP, in one background thread.

    Args:
        address: the IP address to listen on.
        port: the same for UDP and TCP.
        domain: the cluster's domain. Any other name is REFUSED, for nothing is forwarded; but what
            a search list leaves of a name that does not exist ("web.default") is NXDOMAIN, and so
            are the reverse names of private addresses. CoreDNS forwards them all.
        ttl: seconds, of every record. 5 is the default of CoreDNS's kubernetes plugin; the Corefile
            that kubeadm and minikube install says 30.
        seed: of the order of the addresses in an answer, which CoreDNS shuffles as well.

    Raises:
        OSError: the address and port are taken, or not this machine's.
    """

    def __init__(
        self,
        address: str,
        port: int,
        domain: str = "cluster.local",
        *,
        ttl: int = 30,
        seed: int = 0,
    ) -> None:
        self.address = address
        self.port = port
        self._domain = dns.name.from_text(domain)
        self._ttl = ttl
        self._random = random.Random(seed)
        self._services: dict[tuple[str, str], Service] = {}
        self._serial = 0
        self._writing = threading.Lock()
        self._change_zone()
        self._queries: deque[DnsQuery] = deque(maxlen=_QUERIES_KEPT)
        self._outage: dns.rcode.Rcode | None = None

        # Bound before this returns, so that a client may ask at once: the kernel keeps its question
        # until the thread is there.
        self._udp, self._tcp = _listen(address, port)
        # Their tasks, that which has been silent for longest first.
        self._connections: dict[asyncio.Task[None], None] = {}
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
        cluster_ip: str | Sequence[str] | None = None,
        ports: Mapping[str, Port | tuple[int, int]] | None = None,
        endpoints: Sequence[Endpoint | tuple[str | None, str]] = (),
        publish_not_ready_addresses: bool = False,
        external_name: str | None = None,
        config: str = "",
    ) -> None:
        """Adds a service, or replaces it: an answer has either the old records or the new ones.

        Args:
            name: the service.
            namespace: where it is.
            cluster_ip: its virtual IP, or those of both families; None makes it headless.
            ports: name to (service port, target port), and the protocol if it is not "tcp". A port
                named "" has no SRV record of its own.
            endpoints: (hostname, ip) of each pod, and whether it is ready if it is not. A ClusterIP
                service has its address with them or without, and names for each.
            publish_not_ready_addresses: tells of pods that are not ready, too.
            external_name: makes it an alias, with nothing else of the above.
            config: the text of the TXT record "_grpc_config.NAME" (gRFC A2); "": there is none.

        Raises:
            ValueError: an IP address is none.
        """
        service = Service(
            (cluster_ip,) if isinstance(cluster_ip, str) else tuple(cluster_ip or ()),
            {port_name: Port(*port) for port_name, port in (ports or {}).items()},
            tuple(Endpoint(*endpoint) for endpoint in endpoints),
            publish_not_ready_addresses,
            external_name,
            config,
        )
        with self._writing:
            self._services[name, namespace] = service
            self._change_zone()

    def remove_service(self, name: str, namespace: str = "default") -> None:
        """Forgets a service: its names are NXDOMAIN from now on.

        Raises:
            KeyError: there is no such service.
        """
        with self._writing:
            del self._services[name, namespace]
            self._change_zone()

    def set_outage(self, rcode: str | None) -> None:
        """Answers every question with this, such as "SERVFAIL"; None: as it should, again.

        Raises:
            dns.rcode.UnknownRcode: there is no such rcode.
        """
        self._outage = None if rcode is None else dns.rcode.from_text(rcode)

    def _change_zone(self) -> None:
        """Another zone: a question under way keeps the one that it found."""
        self._serial += 1
        self._zone = Zone(
            self._domain,
            self._ttl,
            self._services,
            nameserver=self.address,
            serial=self._serial,
        )

    # The answers ------------------------------------------------------------------------------

    def _answer(self, wire: bytes, transport: str, client: tuple[Any, ...]) -> bytes | None:
        """The reply to one message; None if it deserves none."""
        # Noise, or a reply: to answer that could go on for ever.
        if len(wire) < _HEADER or wire[2] & 0x80:
            return None
        if wire[2] >> 3 & 0xF != dns.opcode.QUERY:
            return _rejection(wire, dns.rcode.NOTIMP)
        if int.from_bytes(wire[4:6], "big") != 1:  # RFC 9619: a query has one question
            return _rejection(wire, dns.rcode.FORMERR)
        try:
            query = dns.message.from_wire(wire, ignore_trailing=True)
        except Exception:  # whatever the bytes make dnspython raise: the server goes on
            return _rejection(wire, dns.rcode.FORMERR)

        question = query.question[0]
        response = dns.message.make_response(query, our_payload=_OUR_UDP_PAYLOAD)
        answer = self._look_up(query)
        response.set_rcode(answer.rcode)
        response.flags |= dns.flags.AA if answer.authoritative else 0
        response.answer = [self._shuffled(rrset) for rrset in answer.answer]
        response.authority = list(answer.authority)
        response.additional = [self._shuffled(rrset) for rrset in answer.additional]
        self._queries.append(
            DnsQuery(
                at_ns=time.monotonic_ns(),
                client=with_port(client[0], client[1]),
                transport=transport,
                name=question.name.to_text(omit_final_dot=True),
                type=dns.rdatatype.to_text(question.rdtype),
                rcode=dns.rcode.to_text(response.rcode()),
            )
        )
        # Without EDNS a client takes 512 bytes over UDP (RFC 1035 4.2.1), with it what it says, but
        # never less (RFC 6891 6.2.3).
        takes = min(max(512, query.payload), _LARGEST_DATAGRAM)
        return _fitted(response, takes if transport == "udp" else 65535)

    def _look_up(self, query: dns.message.Message) -> Answer:
        if self._outage is not None:
            return Answer(self._outage, authoritative=False)
        question = query.question[0]
        if question.rdclass != dns.rdataclass.IN:
            return Answer(dns.rcode.REFUSED, authoritative=False)
        if query.edns > 0:  # RFC 6891 6.1.3; -1 is none
            return Answer(dns.rcode.BADVERS, authoritative=False)
        return self._zone.answer(question.name, question.rdtype)

    def _shuffled(self, rrset: dns.rrset.RRset) -> dns.rrset.RRset:
        """Addresses in another order each time; SRV records stay as they are (loadbalance)."""
        if rrset.rdtype not in (dns.rdatatype.A, dns.rdatatype.AAAA):
            return rrset
        records = list(rrset)
        self._random.shuffle(records)
        return dns.rrset.from_rdata_list(rrset.name, rrset.ttl, records)

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
        with contextlib.suppress(OSError):  # no more are there; or one gets lost, also here
            for _ in range(_DATAGRAMS_A_TURN):
                question, client = self._udp.recvfrom(65535)
                reply = self._answer(question, "udp", client)
                if reply is not None:
                    self._udp.sendto(reply, client)

    def _accept(self) -> None:
        try:
            connection, client = self._tcp.accept()
        except OSError as error:  # the client may be gone again
            if error.errno in (errno.EMFILE, errno.ENFILE):  # it is still there, and we would spin
                self._loop.remove_reader(self._tcp)
                self._loop.call_later(_PAUSE, self._loop.add_reader, self._tcp, self._accept)
            return
        connection.setblocking(False)
        task = self._loop.create_task(self._serve_connection(connection, client))
        if len(self._connections) >= _MOST_CONNECTIONS:
            longest = next(iter(self._connections))
            del self._connections[longest]
            longest.cancel()
        self._connections[task] = None
        task.add_done_callback(lambda done: self._connections.pop(done, None))
        task.add_done_callback(lambda _: connection.close())

    async def _serve_connection(self, connection: socket.socket, client: tuple[Any, ...]) -> None:
        """One client's questions, one after the other, each behind its length (RFC 1035 4.2.2).

        One a turn of the loop, for a client may send any number at once: others have their turn
        meanwhile.
        """
        me = asyncio.current_task()
        assert me is not None

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
                if me in self._connections:
                    self._connections[me] = self._connections.pop(me)  # the last to have been heard
                await asyncio.sleep(0)  # receiving what is here already is no turn


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


def _fitted(response: dns.message.Message, limit: int) -> bytes:
    """The reply in so many bytes: with TC, and as many records as there is room for, if need be.

    CoreDNS leaves out records, not sets of them, and sets TC for any (miekg/dns msg_truncate.go):
    a client that does not come again over TCP sees some of the pods.
    """
    with contextlib.suppress(dns.exception.TooBig):
        return response.to_wire(max_size=limit, want_shuffle=False)  # our shuffling knows a seed
    for section in (response.answer, response.authority, response.additional):
        section[:] = [
            dns.rrset.from_rdata(rrset.name, rrset.ttl, record)
            for rrset in section
            for record in rrset
        ]
    response.flags |= dns.flags.TC
    return response.to_wire(max_size=limit, prefer_truncation=True, want_shuffle=False)


def _rejection(wire: bytes, rcode: dns.rcode.Rcode) -> bytes:
    """A bare header that says why a question is not looked at: its id, opcode and RD are kept."""
    return wire[:2] + bytes([0x80 | wire[2] & 0x79, rcode]) + bytes(8)
