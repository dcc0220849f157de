"""Pods that answer by a script, on PyPI's h2: what an engine does shows in what they are sent."""

from __future__ import annotations

import base64
import contextlib
import heapq
import itertools
import select
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from conformance.model import Reply, ScriptedSpec
from http2_server import OK, frame, message, prefixed
from support import free_ip

from greetlab.trace.trace import STATUS_NAMES

WATCH = b"/grpc.health.v1.Health/Watch"
REFUSED_STREAM = 0x7
SERVING = {True: b"\x08\x01", False: b"\x08\x02"}  # HealthCheckResponse{status}


@dataclass(frozen=True)
class Seen:
    """A request that came: to whom, when, over which of his connections, with what."""

    pod: str
    seconds: float
    connection: int
    headers: dict[bytes, bytes] = field(hash=False)


class ScriptedPod:
    """One of them, at an address of its own.

    `replies` are what the next calls are answered, in their order; `always` those after them.
    """

    def __init__(self, name: str, port: int, seen: list[Seen]) -> None:
        self.name = name
        self.replies: deque[Reply] = deque()
        self.always = Reply()
        self.healthy: bool | None = None  # None: it has no health service
        self.seen = seen
        self.connections = 0
        self.pings: list[float] = []
        self.listener = socket.create_server((free_ip(), port))
        self.ip, self.port = self.listener.getsockname()
        self._open: dict[int, _Connection] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def set_healthy(self, healthy: bool | None) -> None:
        """What it tells those who watch."""
        self.healthy = healthy
        with self._lock:
            for each in self._open.values():
                each.wake()

    def next(self) -> Reply:
        """What the next call is answered."""
        return self.replies.popleft() if self.replies else self.always

    def close(self) -> None:
        """Ends its connections, and gives its address back."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            open_now = [*self._open.values()]
        for each in open_now:
            each.end()
        for each in open_now:
            each.join()

    def _accept(self) -> None:
        while True:
            try:
                there, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            one = _Connection(self, there, self.connections)
            with self._lock:
                self._open[self.connections] = one
            one.start()

    def forget(self, number: int) -> None:
        """A connection has ended."""
        with self._lock:
            self._open.pop(number, None)


class _Connection(threading.Thread):
    """One connection: answers each stream when its reply is due."""

    def __init__(self, pod: ScriptedPod, there: socket.socket, number: int) -> None:
        super().__init__(daemon=True)
        self._pod = pod
        self._socket = there
        self._number = number
        self._woken, self._wakes = socket.socketpair()
        self._h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, validate_outbound_headers=False)
        )
        self._headers: dict[int, dict[bytes, bytes]] = {}
        self._due: list[tuple[float, int, int, Reply]] = []
        self._order = itertools.count()
        self._watches: dict[int, bool | None] = {}

    def wake(self) -> None:
        """Has it look at its pod's health."""
        with contextlib.suppress(OSError):
            self._wakes.send(b"x")

    def end(self) -> None:
        """Ends it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def run(self) -> None:
        """Until either end hangs up."""
        with (
            self._socket,
            self._woken,
            self._wakes,
            contextlib.suppress(OSError, h2.exceptions.ProtocolError),
        ):
            self._h2.initiate_connection()
            self._flush()
            while self._turn():
                pass
        self._pod.forget(self._number)

    def _turn(self) -> bool:
        wait = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
        readable, _, _ = select.select([self._socket, self._woken], [], [], wait)
        if self._woken in readable:
            self._woken.recv(64)
            self._tell_health()
        if self._socket in readable:
            came = self._socket.recv(65536)
            if not came:
                return False
            for event in self._h2.receive_data(came):
                self._hear(event)
        while self._due and self._due[0][0] <= time.monotonic():
            _, _, stream, reply = heapq.heappop(self._due)
            with contextlib.suppress(h2.exceptions.StreamClosedError, KeyError):  # given up
                self._answer(stream, reply)
        self._flush()
        return True

    def _hear(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._headers[event.stream_id] = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.PingReceived):
            self._pod.pings.append(time.monotonic())
        elif isinstance(event, h2.events.StreamReset):
            self._watches.pop(event.stream_id, None)
        if isinstance(event, h2.events.StreamEnded):
            headers = self._headers.pop(event.stream_id)
            if headers[b":path"] == WATCH:
                self._watch(event.stream_id)
                return
            now = time.monotonic()
            self._pod.seen.append(Seen(self._pod.name, now, self._number, headers))
            reply = self._pod.next()
            if not reply.never:
                due = (now + reply.after, next(self._order), event.stream_id, reply)
                heapq.heappush(self._due, due)

    def _watch(self, stream: int) -> None:
        if self._pod.healthy is None:
            self._h2.send_headers(stream, [*OK, ("grpc-status", "12")], end_stream=True)
            return
        self._h2.send_headers(stream, OK)
        self._watches[stream] = None
        self._tell_health()

    def _tell_health(self) -> None:
        healthy = self._pod.healthy
        for stream, told in self._watches.items():
            if told != healthy and healthy is not None:
                self._h2.send_data(stream, prefixed(SERVING[healthy]))
                self._watches[stream] = healthy
        self._flush()

    def _answer(self, stream: int, reply: Reply) -> None:
        if reply.too_many_pings:
            calm = stream.to_bytes(4, "big") + (0xB).to_bytes(4, "big") + b"too_many_pings"
            self._flush()
            self._socket.sendall(frame(7, 0, 0, calm))
        if reply.reset is not None:
            self._h2.reset_stream(stream, reply.reset)
            return
        trailers = [("grpc-status", str(STATUS_NAMES.index(reply.code)))]
        trailers += [("grpc-message", reply.message)] if reply.message else []
        trailers += [*reply.trailers]
        if reply.pushback is not None:
            trailers.append(("grpc-retry-pushback-ms", reply.pushback))
        if reply.load is not None:
            trailers.append(("endpoint-load-metrics-bin", _load_report(*reply.load)))
        if reply.code == "OK" or reply.headers_first:
            self._h2.send_headers(stream, [*OK, *reply.headers])
            if reply.code == "OK":
                self._h2.send_data(stream, message(self._pod.name))
            self._h2.send_headers(stream, trailers, end_stream=True)
        else:
            self._h2.send_headers(stream, [*OK, *trailers], end_stream=True)

    def _flush(self) -> None:
        if said := self._h2.data_to_send():
            self._socket.sendall(said)


def _load_report(utilization: float, rate: float) -> str:
    """OrcaLoadReport{application_utilization, rps_fractional}, as a header has it (gRFC A51)."""
    report = b"\x49" + struct.pack("<d", utilization) + b"\x31" + struct.pack("<d", rate)
    return base64.b64encode(report).decode().rstrip("=")


class ScriptedCluster:
    """Some of them, all at one port."""

    def __init__(self, spec: ScriptedSpec) -> None:
        self.seen: list[Seen] = []
        self.pods: dict[str, ScriptedPod] = {}
        port = 0
        for number in range(1, spec.pods + 1):
            pod = ScriptedPod(f"pod-{number}", port, self.seen)
            port = pod.port
            self.pods[pod.name] = pod
        self.port = port

    def target(self, names: tuple[str, ...] = ()) -> str:
        """Their addresses, in their order, or those of some in that order."""
        listed = [self.pods[name] for name in names or self.pods]
        return "static:" + ",".join(f"{pod.ip}:{pod.port}" for pod in listed)

    def kill(self, pod: str) -> None:
        """It is there no more; its address stays listed."""
        self.pods[pod].close()

    def close(self) -> None:
        """Ends all of them."""
        for pod in self.pods.values():
            pod.close()
