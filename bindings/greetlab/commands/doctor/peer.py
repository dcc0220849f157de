"""What the other end of a connection says of itself: one connection, a few questions.

The lab's channel shows where calls go. What it does not show are the headers of the answers, in
which proxies tell who they are, and what a server has beside its service: health, reflection, a
certificate. HTTP/2 is PyPI's h2 here; nobody's proto files are needed.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from greetlab.commands.doctor.certificate import Certificate, client_context, in_words, look_at

HEALTH = "/grpc.health.v1.Health/Check"
"""grpc/grpc doc/health-checking.md."""
REFLECTION = (
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
)
"""grpc/grpc doc/server-reflection.md."""
_LIST_SERVICES = b"\x3a\x00"  # ServerReflectionRequest{list_services: ""}
HUNG_UP = "it hangs up"
_UNIMPLEMENTED = 12
_LONGEST_WORD = 80  # of a header, as it is shown

_PROXIES = (
    # header, what its value begins with, what it is called
    ("x-envoy-upstream-service-time", "", "Envoy"),
    ("server", "envoy", "Envoy"),
    ("server", "istio-envoy", "Envoy (Istio)"),
    ("server", "nginx", "nginx"),
    ("server", "openresty", "nginx (OpenResty)"),
    ("server", "awselb", "AWS's load balancer"),
    ("server", "cloudflare", "Cloudflare"),
    ("server", "caddy", "Caddy"),
    ("server", "haproxy", "HAProxy"),
    ("l5d-proxy-error", "", "linkerd"),
    ("l5d-proxy-connection", "", "linkerd"),
)
"""What proxies put into answers: `server` (RFC 9110 10.2.4) where a gRPC server sends none, and
headers of their own. HAProxy, Traefik and linkerd mostly put nothing."""


@dataclass(frozen=True)
class Peer:
    """What an address said.

    speaks: whether it speaks HTTP/2. proxy: what it calls itself, if it is a proxy that looks into
    requests; "" where nothing says so. health, reflection: whether it has the service; None: it
    did not say. certificate: of its TLS. failure: why it said less.
    """

    speaks: bool = False
    proxy: str = ""
    health: bool | None = None
    reflection: bool | None = None
    certificate: Certificate | None = None
    failure: str = ""


@dataclass
class _Answer:
    headers: dict[str, str] = field(default_factory=dict)
    ended: bool = False

    @property
    def has_service(self) -> bool | None:
        status = self.headers.get("grpc-status", "")
        if not status.isdecimal():
            return None
        return int(status) != _UNIMPLEMENTED


def ask(address: str, host: str, *, tls: bool, timeout: float) -> Peer:
    """Connects to "ip:port" and asks.

    host: what the client calls the server: its :authority, and its name in TLS. timeout: seconds
    for all of it.
    """
    certificate = look_at(address, host, timeout) if tls else None
    if certificate and certificate.failure and not certificate.names:
        return Peer(certificate=certificate, failure=certificate.failure)
    ip, _, port = address.rpartition(":")
    place = (ip.strip("[]"), int(port))
    try:
        with contextlib.ExitStack() as stack:
            wire = stack.enter_context(socket.create_connection(place, timeout))
            if tls:  # whom it is, is `certificate`'s to say
                wire = stack.enter_context(client_context().wrap_socket(wire, server_hostname=host))
            answers, failure = _talk(wire, f"{host}:{port}", tls, time.monotonic() + timeout)
    except OSError as error:
        return Peer(certificate=certificate, failure=error.strerror or str(error))
    health, *reflections = answers
    known = [each.has_service for each in reflections if each.has_service is not None]
    return Peer(
        speaks=not failure or any(each.headers for each in answers),
        proxy=_proxy({k: v for each in answers for k, v in each.headers.items()}),
        health=health.has_service,
        reflection=any(known) if known else None,
        certificate=certificate,
        failure=failure,
    )


def _talk(wire: socket.socket, authority: str, tls: bool, end: float) -> tuple[list[_Answer], str]:
    """Asks all questions at once, and waits for all answers; what is missing, and why."""
    h2_end = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    h2_end.initiate_connection()
    answers = []
    for path, body in ((HEALTH, b""), *((path, _LIST_SERVICES) for path in REFLECTION)):
        stream = h2_end.get_next_available_stream_id()
        h2_end.send_headers(
            stream,
            [
                (":method", "POST"), (":scheme", "https" if tls else "http"), (":path", path),
                (":authority", authority), ("te", "trailers"),
                ("content-type", "application/grpc"), ("user-agent", "greetlab-doctor"),
            ],
        )  # fmt: skip
        h2_end.send_data(stream, b"\0" + len(body).to_bytes(4, "big") + body, end_stream=True)
        answers.append(_Answer())
    by_stream = {2 * number + 1: answer for number, answer in enumerate(answers)}
    try:
        wire.sendall(h2_end.data_to_send())
        while not all(answer.ended for answer in answers):
            wire.settimeout(max(end - time.monotonic(), 0.001))
            received = wire.recv(65536)
            if not received:
                return answers, HUNG_UP
            for event in h2_end.receive_data(received):
                _take(event, by_stream)
                if isinstance(event, h2.events.DataReceived):
                    h2_end.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            wire.sendall(h2_end.data_to_send())
    except TimeoutError:
        return answers, "it does not answer in time"
    except ssl.SSLError as error:
        return answers, in_words(error)
    except (OSError, h2.exceptions.ProtocolError, UnicodeError) as error:
        return answers, f"no HTTP/2: {error}"
    return answers, ""


def _take(event: h2.events.Event, answers: dict[int, _Answer]) -> None:
    if isinstance(event, h2.events.ConnectionTerminated):
        for answer in answers.values():
            answer.ended = True
        return
    answer_of = answers.get(getattr(event, "stream_id", None) or 0)
    if answer_of is None:  # a stream that we did not open
        return
    if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
        answer_of.headers |= {str(name): str(value) for name, value in event.headers or ()}
    elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
        answer_of.ended = True


def _proxy(headers: dict[str, str]) -> str:
    for header, start, name in _PROXIES:
        if header in headers and headers[header].lower().startswith(start):
            return name
    return f"a proxy (via: {headers['via'][:_LONGEST_WORD]})" if "via" in headers else ""
