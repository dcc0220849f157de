"""A Kubernetes API in miniature: LIST and WATCH of EndpointSlices, for clients that are told of
their endpoints ("k8s:///greetserver-headless.default:50051").

HTTP/2 without TLS, as one speaks it who knows beforehand (RFC 9113 3.3):

    curl --http2-prior-knowledge -H "authorization: Bearer $TOKEN" \\
      "http://127.N.0.10:6443/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?watch=1"
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import ssl
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from greetlab import _core
from greetlab.dns.lookup import with_port

PORT = 6443
_SERVICE = "kubernetes.io/service-name"
_MOST = 100
"""Endpoints of a slice (kube-controller-manager --max-endpoints-per-slice)."""
_KEPT = 1000
"""Changes. Who knows less than the oldest of them is told 410 Gone, as etcd compacts its own."""


@dataclass
class _Slice:
    family: str
    object: dict[str, Any]
    endpoints: list[_core.SliceEndpoint]


@dataclass
class _Watch:
    service: str | None  # None: all
    connection: _Connection
    stream: int


@dataclass
class _Service:
    slices: list[_Slice] = field(default_factory=list)
    made: int = 0


class EndpointApi:
    """Serves in one background thread, until it is closed.

    address: to listen on, at `api_port`; 0: any.
    namespace: whose EndpointSlices it has.
    port: the endpoints' own, after the name that they have for it.
    tls: over it; None: without.

    Raises OSError if the address is taken.
    """

    def __init__(
        self,
        address: str,
        namespace: str,
        port: tuple[str, int],
        *,
        api_port: int = PORT,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.token = secrets.token_urlsafe(24)
        self._namespace, self._port = namespace, port
        self._version = 1
        self._services: dict[str, _Service] = {}
        self._changes: deque[tuple[int, str, dict[str, Any]]] = deque(maxlen=_KEPT)
        self._watches: list[_Watch] = []
        self._connections: set[_Connection] = set()
        self._away = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="kube-api", daemon=True)
        self._thread.start()
        try:  # on its own thread: the caller's may have a loop that runs, as a notebook's has
            self._server = asyncio.run_coroutine_threadsafe(
                self._loop.create_server(lambda: _Connection(self), address, api_port, ssl=tls),
                self._loop,
            ).result()
        except BaseException:
            self._end_loop(self._loop.stop)
            raise
        found = self._server.sockets[0].getsockname()[1]
        self.url = f"{'http' if tls is None else 'https'}://{with_port(address, found)}"
        self._folder = Path(tempfile.mkdtemp(prefix="greetlab-kube-"))  # for its owner's eyes only
        self.kubeconfig = str(self._folder / "config")
        Path(self.kubeconfig).write_text(json.dumps(self._config()))  # JSON is YAML

    def set_endpoints(
        self, service: str, endpoints: Iterable[_core.SliceEndpoint], lag: float = 0.0
    ) -> None:
        """Says what a service's endpoints are now; who watches hears of it after `lag` seconds.

        From any thread; one after the other.
        """
        now = list(endpoints)
        self._loop.call_soon_threadsafe(
            lambda: (
                self._loop.call_later(lag, self._reconcile, service, now)
                if lag
                else self._reconcile(service, now)
            )
        )

    def set_away(self, away: bool) -> None:
        """Hangs up on everybody, and on whoever comes, until it is back."""

        def change() -> None:
            self._away = away
            for connection in list(self._connections) if away else []:
                connection.hang_up()

        self._loop.call_soon_threadsafe(change)

    def close(self) -> None:
        """Hangs up on everybody. Closing twice is fine."""
        if self._loop.is_closed():
            return

        def end() -> None:
            self._server.close()
            for connection in list(self._connections):
                connection.hang_up()
            self._loop.call_soon(self._loop.stop)

        self._end_loop(end)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end_loop(self, end: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(end)
        self._thread.join()
        self._loop.close()

    def _config(self) -> dict[str, Any]:
        named = {"name": "greetlab"}
        context = {"cluster": "greetlab", "user": "greetlab", "namespace": self._namespace}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "greetlab",
            "clusters": [named | {"cluster": {"server": self.url}}],
            "users": [named | {"user": {"token": self.token}}],
            "contexts": [named | {"context": context}],
        }

    # On the thread.

    def _reconcile(self, name: str, endpoints: list[_core.SliceEndpoint]) -> None:
        """As the EndpointSlice controller does it: each stays in its slice, a new one comes where
        there is room."""
        service = self._services.setdefault(name, _Service())
        now = {one.address: one for one in endpoints}
        changed: list[_Slice] = []
        for part in service.slices:
            kept = [now.pop(one.address) for one in part.endpoints if one.address in now]
            if [_told(one) for one in kept] != [_told(one) for one in part.endpoints]:
                part.endpoints = kept
                changed.append(part)
        new = []
        for one in now.values():
            family = "IPv6" if one.address.startswith("[") else "IPv4"
            part = next(
                (
                    part
                    for part in service.slices
                    if part.family == family and len(part.endpoints) < _MOST
                ),
                None,
            ) or self._add_slice(service, name, family)
            if not part.endpoints and part not in changed:
                new.append(part)
            part.endpoints.append(one)
            if part not in changed:
                changed.append(part)
        if not service.slices:
            changed.append(self._add_slice(service, name, "IPv4"))
        for part in changed:
            gone = not part.endpoints and len(service.slices) > 1
            if gone:
                service.slices.remove(part)
            self._tell("DELETED" if gone else "ADDED" if part in new else "MODIFIED", part)

    def _add_slice(self, service: _Service, name: str, family: str) -> _Slice:
        service.made += 1
        metadata = {
            "name": f"{name}-{service.made}",
            "namespace": self._namespace,
            "labels": {_SERVICE: name},
        }
        part = _Slice(family, {"metadata": metadata, "addressType": family}, [])
        service.slices.append(part)
        return part

    def _tell(self, change: str, part: _Slice) -> None:
        self._version += 1
        port, number = self._port
        part.object = part.object | {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": part.object["metadata"] | {"resourceVersion": str(self._version)},
            "endpoints": [_told(one) for one in part.endpoints],
            "ports": [{"name": port, "port": number, "protocol": "TCP"}],
        }
        self._changes.append((self._version, change, part.object))
        service = part.object["metadata"]["labels"][_SERVICE]
        for watch in self._watches:
            if watch.service in (None, service):
                watch.connection.send_line(watch.stream, {"type": change, "object": part.object})

    def _answer(self, connection: _Connection, stream: int, headers: dict[str, str]) -> None:
        url = urlsplit(headers.get(":path", ""))
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        path = f"/apis/discovery.k8s.io/v1/namespaces/{self._namespace}/endpointslices"
        if headers.get("authorization") != f"Bearer {self.token}":
            connection.refuse(stream, 401, "Unauthorized", "Unauthorized")
        elif url.path != path or headers.get(":method") != "GET":
            wanted = "the server could not find the requested resource"
            connection.refuse(stream, 404, "NotFound", wanted)
        elif query.get("watch") in ("1", "true"):
            self._watch(connection, stream, query)
        else:
            service = _service_of(query)
            items = [
                part.object
                for name, one in self._services.items()
                for part in one.slices
                if service in (None, name)
            ]
            connection.send_whole(
                stream,
                200,
                {
                    "kind": "EndpointSliceList",
                    "apiVersion": "discovery.k8s.io/v1",
                    "metadata": {"resourceVersion": str(self._version)},
                    "items": items,
                },
            )

    def _watch(self, connection: _Connection, stream: int, query: dict[str, str]) -> None:
        service = _service_of(query)
        known = query.get("resourceVersion", "")
        since = int(known) if known.isascii() and known.isdecimal() else 0
        connection.begin(stream, 200)
        missed = [change for change in self._changes if change[0] > since]
        if since and len(missed) < self._version - since:
            message = f"too old resource version: {since} ({self._version})"
            error = _status(410, "Expired", message)
            connection.send_line(stream, {"type": "ERROR", "object": error})
            connection.end(stream)
            return
        for _, change, what in missed:
            if service in (None, what["metadata"]["labels"][_SERVICE]):
                connection.send_line(stream, {"type": change, "object": what})
        self._watches.append(_Watch(service, connection, stream))
        seconds = query.get("timeoutSeconds", "")
        if seconds.isascii() and seconds.isdecimal():
            self._loop.call_later(float(seconds), self._end_watch, connection, stream)

    def _end_watch(self, connection: _Connection, stream: int) -> None:
        if not self._forget(connection, stream):
            return
        metadata = {"resourceVersion": str(self._version)}
        bookmark = {"kind": "EndpointSlice", "metadata": metadata}
        connection.send_line(stream, {"type": "BOOKMARK", "object": bookmark})
        connection.end(stream)

    def _forget(self, connection: _Connection, stream: int | None = None) -> bool:
        kept = [
            watch
            for watch in self._watches
            if watch.connection is not connection or stream not in (None, watch.stream)
        ]
        found = len(kept) < len(self._watches)
        self._watches = kept
        return found


class _Connection(asyncio.Protocol):
    """A client, and what it has still to be sent: as much as its windows take."""

    def __init__(self, api: EndpointApi) -> None:
        self._api = api
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self._h2 = h2.connection.H2Connection(config)
        self._waiting: dict[int, bytearray] = {}
        self._ended: set[int] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._api._away:
            transport.abort()
            return
        self._api._connections.add(self)
        self._h2.initiate_connection()
        self._flush()

    def connection_lost(self, _: Exception | None) -> None:
        self._api._connections.discard(self)
        self._api._forget(self)

    def data_received(self, data: bytes) -> None:
        try:
            for event in self._h2.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    headers = {str(name): str(value) for name, value in event.headers or ()}
                    assert event.stream_id is not None
                    self._api._answer(self, event.stream_id, headers)
                elif isinstance(event, h2.events.StreamReset):
                    self._api._forget(self, event.stream_id)
                    self._waiting.pop(event.stream_id, None)
                elif isinstance(event, h2.events.WindowUpdated):
                    self._send_waiting()
        except h2.exceptions.ProtocolError:
            self._flush()
            self._transport.close()
            return
        self._flush()

    def hang_up(self) -> None:
        self._transport.abort()

    def refuse(self, stream: int, code: int, reason: str, message: str) -> None:
        self.send_whole(stream, code, _status(code, reason, message))

    def send_whole(self, stream: int, code: int, answer: dict[str, Any]) -> None:
        self.begin(stream, code)
        self.send_line(stream, answer)
        self.end(stream)

    def begin(self, stream: int, code: int) -> None:
        headers = [(":status", str(code)), ("content-type", "application/json")]
        self._h2.send_headers(stream, headers)
        self._waiting[stream] = bytearray()

    def send_line(self, stream: int, what: dict[str, Any]) -> None:
        if stream not in self._waiting:
            return
        self._waiting[stream] += json.dumps(what, separators=(",", ":")).encode() + b"\n"
        self._send_waiting()
        self._flush()

    def end(self, stream: int) -> None:
        self._ended.add(stream)
        self._send_waiting()
        self._flush()

    def _send_waiting(self) -> None:
        for stream in list(self._waiting):
            left = self._waiting[stream]
            while left and (room := self._room(stream)):
                self._h2.send_data(stream, bytes(left[:room]))
                del left[:room]
            if not left and stream in self._ended:
                self._ended.discard(stream)
                del self._waiting[stream]
                self._h2.end_stream(stream)

    def _room(self, stream: int) -> int:
        return min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)

    def _flush(self) -> None:
        if data := self._h2.data_to_send():
            self._transport.write(data)


def _told(one: _core.SliceEndpoint) -> dict[str, Any]:
    ip = one.address.rpartition(":")[0].strip("[]")
    return {
        "addresses": [ip],
        "conditions": {
            "ready": one.ready,
            "serving": one.serving,
            "terminating": one.terminating,
        },
        "targetRef": {"kind": "Pod", "name": one.pod},
    }


def _status(code: int, reason: str, message: str) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


def _service_of(query: dict[str, str]) -> str | None:
    """Of `labelSelector`; None: any."""
    label, _, name = query.get("labelSelector", "").partition("=")
    return name if label == _SERVICE else None
