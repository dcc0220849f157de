"""A small xDS control plane: it tells proxyless gRPC, and Envoy, who the endpoints are.

One stream for each client (ADS), on which it asks for what it needs, step by step: the listener it
calls (LDS), its routes (RDS), their cluster (CDS), the cluster's endpoints (EDS). Each answer has a
version and a nonce; the client says ACK by asking again with both, or NACK with an error.
(https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol, the state-of-the-world variant;
for gRPC: gRFC A27.) Messages are PyPI's xds-protos, the server is grpcio's.
"""

from __future__ import annotations

import itertools
import json
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from greetlab.clusters.processes import StartError
from greetlab.dns.lookup import with_port
from greetlab.text import plain

if TYPE_CHECKING:
    import grpc

PORT = 18000
_METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
_CLIENTS = 64
"""Streams at a time: each has a thread."""
_KEPT = 10_000


@dataclass(frozen=True)
class XdsEvent:
    """Something that was said on a client's stream.

    time_ns: CLOCK_MONOTONIC. client: the node that it says it is. what: "asked", "pushed", "ACK" or
    "NACK". kind: "LDS", "RDS", "CDS" or "EDS". version: of the resources. detail: the resources'
    names, or why not.
    """

    time_ns: int
    client: str
    what: str
    kind: str
    version: str
    detail: str

    def __str__(self) -> str:
        version = f" version {self.version}" if self.version else ""
        return plain(f"{self.client}: {self.what} {self.kind}{version} ({self.detail})")


class ControlPlane:
    """Serves until it is closed.

    ip: where it listens, at port 18000. service: the name that clients call ("xds:///greetserver").

    Raises StartError if grpcio or xds-protos is missing, or the port is taken.
    """

    def __init__(self, ip: str, service: str) -> None:
        try:
            import grpc

            from greetlab.clusters.xds.resources import Resources
        except ImportError as error:
            raise StartError(
                f"there is no {error.name}: pip install 'greetlab[xds]' has the control plane"
            ) from error
        self.address = with_port(ip, PORT)
        self.place = (ip, PORT)
        self.events: deque[XdsEvent] = deque(maxlen=_KEPT)
        """What was said, oldest first; the newest 10,000 are kept."""
        self._resources = Resources(service)
        self._version = 1
        self._streams: set[_Stream] = set()
        self._telling = threading.RLock()  # a collected channel unlistens wherever it is collected
        self._listeners: dict[str, tuple[Callable[[XdsEvent], None], ...]] = {}
        self._lock = threading.Lock()
        self._grpc = grpc
        self._server, self._closed = self._started(), False

    def _started(self) -> grpc.Server:
        grpc = self._grpc
        server = grpc.server(
            ThreadPoolExecutor(_CLIENTS, "greetlab-xds"), options=[("grpc.so_reuseport", 0)]
        )
        handler = grpc.stream_stream_rpc_method_handler(
            self._serve, self._resources.read_request, self._resources.write_response
        )
        _, service_name, method = _METHOD.split("/")
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service_name, {method: handler}),)
        )
        try:
            server.add_insecure_port(self.address)
        except RuntimeError as error:
            raise StartError(f"the xDS control plane did not start: {error}") from error
        server.start()
        return server

    def listen(self, client: str, listener: Callable[[XdsEvent], None]) -> None:
        """Has `listener` hear all that is said on this client's stream from now on, on the stream's
        threads, until `unlisten`.
        """
        with self._telling:
            self._listeners[client] = (*self._listeners.get(client, ()), listener)

    def unlisten(self, client: str, listener: Callable[[XdsEvent], None]) -> None:
        """Has it hear no more."""
        with self._telling:
            left = tuple(one for one in self._listeners.get(client, ()) if one is not listener)
            self._listeners[client] = left
            if not left:
                del self._listeners[client]

    def set_endpoints(self, addresses: Iterable[tuple[str, int]]) -> None:
        """Replaces the endpoints, and tells those who asked for them."""
        with self._lock:
            self._version += 1
            self._resources.endpoints = list(addresses)
            for stream in self._streams:
                stream.push("EDS")

    def bootstrap(self, client: str) -> str:
        """What a gRPC client is told at its start (GRPC_XDS_BOOTSTRAP_CONFIG), as JSON."""
        return json.dumps(
            {
                "xds_servers": [
                    {
                        "server_uri": self.address,
                        "channel_creds": [{"type": "insecure"}],
                        "server_features": ["xds_v3"],
                    }
                ],
                "node": {"id": client},
            }
        )

    def of(self, what: str, kind: str | None = None) -> Sequence[XdsEvent]:
        """The events of one sort: "ACK", "EDS"."""
        events = list(self.events)
        return [e for e in events if e.what == what and kind in (None, e.kind)]

    def set_away(self, away: bool) -> None:
        """Hangs up on every client and serves no more, or serves again. Clients go on with what
        they were told (gRFC A57), and when they come back they are told everything anew.

        Raises StartError if its port is taken meanwhile.
        """
        if away:
            self.close()
        elif self._closed:
            self._server, self._closed = self._started(), False

    def close(self) -> None:
        """Ends every stream. Closing twice is fine."""
        self._closed = True
        with self._lock:
            for stream in self._streams:
                stream.end()
        self._server.stop(None).wait()

    def _serve(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        stream = _Stream(self)
        context.add_callback(stream.end)
        with self._lock:
            self._streams.add(stream)
        reader = threading.Thread(
            target=stream.read, args=(requests,), name="greetlab-xds", daemon=True
        )
        reader.start()
        try:
            yield from stream.responses()
        finally:
            with self._lock:
                self._streams.discard(stream)


class _Stream:
    """One client's. What it subscribed to, and what it was sent."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._client = "?"
        self._nonces = itertools.count(1)
        self._wanted: dict[
            str, list[str] | None
        ] = {}  # by kind: the names; None: whatever there is
        self._sent: dict[str, tuple[str, list[str] | None]] = {}  # by kind: the last version
        self._unanswered: dict[str, str] = {}  # the versions, by nonce
        self._newest: dict[str, str] = {}  # nonces, by kind
        self._todo: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read(self, requests: Iterator[Any]) -> None:
        """Until the client ends the stream."""
        try:
            for request in requests:
                self._hear(request)
        except Exception:  # grpcio has no narrower one: the client is gone
            pass
        self.end()

    def push(self, kind: str) -> None:
        """Sends it again, if it is wanted."""
        if self._wanted.get(kind, []) != []:
            self._todo.put(kind)

    def end(self) -> None:
        """Sends nothing more."""
        self._todo.put(None)

    def responses(self) -> Iterator[Any]:
        """What is sent, as it is due. What has changed twice meanwhile is sent once."""
        while (kind := self._todo.get()) is not None:
            plane = self._plane
            with plane._lock:
                version, names = str(plane._version), self._wanted[kind]
                if self._sent.get(kind) == (version, names):
                    continue
                self._sent[kind] = version, names
                self._newest[kind] = nonce = str(next(self._nonces))
                self._unanswered[nonce] = version
                made = plane._resources.response(kind, names, version, nonce)
                told = plane._resources.summary(kind)
            self._note("pushed", kind, version, told)
            yield made

    def _hear(self, request: Any) -> None:
        """A request is an answer to what was sent, or another wish, or both; to what, its
        nonce says, for its version is the last one that was taken (xds_protocol, "ACK/NACK").
        """
        kind = self._plane._resources.kind(request.type_url)
        names = sorted(request.resource_names)
        self._client = request.node.id or self._client
        nonce = request.response_nonce
        if (version := self._unanswered.pop(nonce, None)) is not None:
            if request.HasField("error_detail"):
                self._note("NACK", kind, version, request.error_detail.message)
            else:
                self._note("ACK", kind, version, ", ".join(names) or "all")
        if nonce and nonce != self._newest.get(kind):
            return  # it wished so before it saw what was sent since, and will say so again
        # Of these two "none" means all, for who has never named one (the wildcard).
        everything = kind in ("LDS", "CDS") and not names and self._wanted.get(kind) is None
        wanted = None if everything else names
        if kind in self._wanted and wanted == self._wanted[kind]:
            return
        self._wanted[kind] = wanted
        if wanted == []:
            self._sent.pop(kind, None)
            return
        self._note("asked", kind, "", ", ".join(names) or "all")
        self._todo.put(kind)

    def _note(self, what: str, kind: str, version: str, detail: str) -> None:
        event = XdsEvent(time.monotonic_ns(), self._client, what, kind, version, detail)
        with self._plane._telling:  # in one order for all
            self._plane.events.append(event)
            for listener in self._plane._listeners.get(self._client, ()):
                listener(event)
