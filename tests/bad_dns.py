"""A DNS server that does to its clients what the test says, byte by byte."""

import contextlib
import socket
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
from support import free_ip

PORT = 5353


def answer(question, *records, rcode=dns.rcode.NOERROR, flags=0):
    """A reply to the question, with records as (name, type, data...)."""
    reply = dns.message.make_response(question)
    reply.set_rcode(rcode)
    reply.flags |= flags
    for name, kind, *data in records:
        reply.answer.append(dns.rrset.from_text(name, 30, "IN", kind, *data))
    return reply


def asked_for(question):
    return question.question[0].name.to_text()


def good(question, *ips):
    return answer(question, (asked_for(question), "A", *(ips or ["10.0.0.1"])))


def wire_of(reply):
    return reply if isinstance(reply, bytes) else reply.to_wire(want_shuffle=False)


def framed(reply):
    """As TCP carries it: behind its length (RFC 1035 4.2.2)."""
    wire = wire_of(reply)
    return len(wire).to_bytes(2, "big") + wire


def truncated(question):
    return [answer(question, flags=dns.flags.TC)]


class BadServer:
    """Listens on an address of its own.

    udp: from a question to the datagrams to send, in order; None: nobody listens there.
    tcp: what to do with (connection, question) before it is closed; None: nobody listens there.
    """

    def __init__(self, udp=truncated, tcp=None):
        self.address = free_ip()
        self.asked = []
        self.stop = threading.Event()
        self._udp_script, self._tcp_script = udp, tcp
        self._threads = []
        self._udp = self._tcp = None
        if udp is not None:
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._udp.bind((self.address, PORT))
            self._start(self._run_udp)
        if tcp is not None:
            self._tcp = socket.create_server((self.address, PORT))
            self._start(self._run_tcp)

    def _start(self, run, *arguments):
        thread = threading.Thread(target=run, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _read(self, wire, transport):
        question = dns.message.from_wire(wire)
        self.asked.append((transport, question.question[0].to_text()))
        return question

    def _run_udp(self):
        while True:
            wire, client = self._udp.recvfrom(4096)
            if self.stop.is_set():
                return
            for reply in self._udp_script(self._read(wire, "udp")):
                if callable(reply):
                    reply(client)  # it sends by itself
                else:
                    self._udp.sendto(wire_of(reply), client)

    def _run_tcp(self):
        while True:
            connection, _ = self._tcp.accept()
            if self.stop.is_set():
                return connection.close()
            self._start(self._talk, connection)

    def _talk(self, connection):
        with connection:
            length = int.from_bytes(connection.recv(2, socket.MSG_WAITALL), "big")
            wire = connection.recv(length, socket.MSG_WAITALL)
            with contextlib.suppress(OSError):  # the client may have had enough
                self._tcp_script(connection, self._read(wire, "tcp"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop.set()
        if self._udp is not None:
            self._udp.sendto(b"", (self.address, PORT))
        if self._tcp is not None:
            socket.create_connection((self.address, PORT)).close()
        for thread in self._threads:
            thread.join()
        for listener in (self._udp, self._tcp):
            if listener is not None:
                listener.close()
