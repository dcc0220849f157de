"""PyPI's grpcio, in a process of its own: pickled commands in, pickled news out.

It imports nothing of ours, so it is a client that knows gRPC only, and ours does not meet another
gRPC in one process. It is started as a file, with a socket's number, and ends with that socket.

In comes (number, name, arguments): a method of `Commands`. Out go lists of

    ("result", number, what it returned)       ("error", number, the traceback)
    ("started", call, at_ns, wait_for_ready)   ("ended", call, at_ns, code, response, message)

Commands run side by side. Times are CLOCK_MONOTONIC, which all processes of a machine share.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import queue
import sys
import threading
import time
import traceback
from base64 import b64decode
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import unquote

import grpc
from grpc._cython import cygrpc  # whose channelz functions are what grpcio-channelz goes by

GREET = "/greet.GreetService/Greet"
CANCELLED = 1
ASK = 0.001
"""Seconds between two looks at what gRPC tells nobody: the states of a channel's subchannels."""

Tell = Callable[[tuple[Any, ...]], None]
_dialling = threading.Lock()


class Channel:
    """One channel.

    credentials: None, or the authorities, the certificate and its key, as PEM; None for none.
    own_connections: a call dials anew, and hangs up after it.
    """

    def __init__(
        self,
        tell: Tell,
        target: str,
        options: list[tuple[str, Any]],
        credentials: tuple[bytes | None, bytes | None, bytes | None] | None,
        own_connections: bool,
    ) -> None:
        self._tell = tell
        self._target = target
        self._options = options
        self._credentials = credentials
        self._own_connections = own_connections
        self._loads: list[Load] = []
        self._methods: dict[int, Any] = {}
        self._closed = False
        # gRPC tells no channel its channelz id, and gives it one only when it is listed: so it is,
        # at once, before there is another one.
        with _dialling:
            self._channel = self._dial(("grpc.enable_channelz", 1))
            self._id = _newest_channel(target)

    def dial(self) -> grpc.Channel:
        """Another channel of gRPC's, in no list."""
        return self._dial(("grpc.enable_channelz", 0))

    def _dial(self, *more: tuple[str, Any]) -> grpc.Channel:
        options = [*self._options, *more]
        if self._credentials is None:
            return grpc.insecure_channel(self._target, options)
        ca, cert, key = self._credentials
        return grpc.secure_channel(
            self._target, grpc.ssl_channel_credentials(ca, key, cert), options
        )

    def state(self) -> str:
        """Its connectivity state."""
        if self._closed:
            return "SHUTDOWN"
        return _state(_channelz(cygrpc.channelz_get_channel, self._id))

    def subchannels(self) -> list[tuple[str, str, list[str]]]:
        """(address, state, our end of each connection) of each subchannel."""
        if self._closed:
            return []
        found = []
        for ref in _channelz(cygrpc.channelz_get_channel, self._id).get("subchannelRef", []):
            # It may have gone since.
            with contextlib.suppress(ValueError):
                one = _channelz(cygrpc.channelz_get_subchannel, int(ref["subchannelId"]))
                sockets = [int(each["socketId"]) for each in one.get("socketRef", [])]
                address = unquote(one["data"]["target"].partition(":")[2])  # without "ipv4:"
                found.append((address, _state(one), _local_ends(sockets)))
        return found

    def await_ready(self, all: bool, timeout: float) -> str:
        """Connects, and waits: "ready", "timeout" or "closed"."""
        end = time.monotonic() + timeout
        connected = False
        while not self._closed:
            state = self.state()
            if state == "READY" and not (
                all and any(each[1] != "READY" for each in self.subchannels())
            ):
                return "ready"
            if time.monotonic() >= end:
                return "timeout"
            if not connected or state == "IDLE":  # as pick_first is again, when it has lost it
                self._connect()
                connected = True
            time.sleep(ASK)
        return "closed"

    def _connect(self) -> None:
        # `subscribe` would do, but takes a thread and the channel's end 0.2 s for it.
        with contextlib.suppress(ValueError):  # closed
            self._channel._channel.check_connectivity_state(True)

    def run(self, first_call: int, request: bytes, n: int, **how: Any) -> None:
        """Makes calls of the method Greet, and tells of each."""
        load = Load(self, self._tell, first_call, request, n, **how)
        self._loads.append(load)
        if self._closed:
            load.cancel()
        load.run(self.dial if self._own_connections else None, self._channel)
        self._loads.remove(load)

    def cancel(self, call: int) -> None:
        """Ends the load of which this is the first call, or the call of a method."""
        for load in [load for load in self._loads if load.first_call == call]:
            load.cancel()
        if (method := self._methods.get(call)) is not None:
            method.cancel()

    def method(
        self,
        number: int,
        path: str,
        message: bytes,
        metadata: list[tuple[str, bytes]],
        stream: bool,
        most: int,
        timeout: float,
        wait_for_ready: bool,
    ) -> tuple[Any, ...]:
        """One call of any method: (code, error, messages, headers, trailers)."""
        how = {
            "metadata": _as_grpcio_has_it(metadata),
            "timeout": timeout,
            "wait_for_ready": wait_for_ready or None,
        }
        messages = []
        self._tell(("started", number, time.monotonic_ns(), wait_for_ready))
        try:
            if stream:
                call = self._channel.unary_stream(path)(message, **how)
            else:
                call = self._channel.unary_unary(path).future(message, **how)
        except ValueError:
            ended: tuple[Any, ...] = (CANCELLED, "the channel is closed", [], [], [])
        else:
            self._methods[number] = call
            with contextlib.suppress(grpc.RpcError, grpc.FutureCancelledError):
                if stream:
                    for one in call:
                        messages.append(one)
                        if len(messages) == most:
                            call.cancel()
                else:
                    messages.append(call.result())
            del self._methods[number]
            ended = (
                call.code().value[0],
                call.details() or "",
                [one for one in messages if one is not None],
                [(n, _bytes(v)) for n, v in call.initial_metadata() or ()],
                [(n, _bytes(v)) for n, v in call.trailing_metadata() or ()],
            )
        self._tell(("ended", number, time.monotonic_ns(), ended[0], b"", ended[1]))
        return ended

    def close(self) -> None:
        """Cancels what is in flight and closes the connections."""
        self._closed = True
        for load in [*self._loads]:
            load.cancel()
        self._channel.close()


class Load:
    """Calls by the hundred: so many at a time, or each some time after the one before it.

    Their numbers go up from `first_call`. gaps_ns: those times, one a call, if there are any.
    """

    def __init__(
        self,
        channel: Channel,
        tell: Tell,
        first_call: int,
        request: bytes,
        n: int,
        concurrency: int,
        gaps_ns: list[int],
        timeout: float,
        wait_for_ready: bool,
        metadata: list[tuple[str, bytes]],
        keys: tuple[str, int],
    ) -> None:
        self.first_call = first_call
        self._tell = tell
        self._request = request
        self._left = n
        self._next = first_call
        self._concurrency = concurrency
        self._gaps_ns = gaps_ns
        # None: nothing is said, and a service config may.
        self._how = {"timeout": timeout, "wait_for_ready": wait_for_ready or None}
        self._metadata = _as_grpcio_has_it(metadata)
        self._keys = keys
        self._ended: queue.SimpleQueue[tuple[int, int, Any] | None] = queue.SimpleQueue()
        self._in_flight: dict[int, tuple[Any, grpc.Channel | None]] = {}

    def cancel(self) -> None:
        """Ends it soon; what was not started never is."""
        self._ended.put(None)

    def run(self, dial: Callable[[], grpc.Channel] | None, channel: grpc.Channel) -> None:
        """Until the last call has ended."""
        self._dial, self._greet = dial, channel.unary_unary(GREET)
        gaps = iter(self._gaps_ns)
        paced = bool(self._gaps_ns)
        next_ns = time.monotonic_ns()
        for _ in range(min(1 if paced else self._concurrency, self._left)):
            self._start()
            next_ns += next(gaps, 0)
        while self._in_flight or self._left:
            wait = max(0, next_ns - time.monotonic_ns()) / 1e9 if paced and self._left else None
            try:
                one = self._ended.get(timeout=wait)
            except queue.Empty:
                self._start()
                next_ns += next(gaps, 0)
                continue
            if one is None:
                self._left = 0
                for call, _ in [*self._in_flight.values()]:
                    call.cancel()
            else:
                self._record(*one)
                if self._left and not paced:
                    self._start()

    def _start(self) -> None:
        number = self._next
        self._next += 1
        self._left -= 1
        self._tell(("started", number, time.monotonic_ns(), bool(self._how["wait_for_ready"])))
        own = None if self._dial is None else self._dial()
        greet = self._greet if own is None else own.unary_unary(GREET)
        try:
            call = greet.future(self._request, metadata=self._metadata_of(number), **self._how)
        except ValueError:  # grpcio's way to say that the channel was closed
            self._tell(self._cancelled(number, "the channel is closed"))
            return
        self._in_flight[number] = (call, own)
        call.add_done_callback(lambda one: self._ended.put((number, time.monotonic_ns(), one)))

    def _metadata_of(self, number: int) -> list[tuple[str, str | bytes]]:
        header, many = self._keys
        if not many:
            return self._metadata
        return [*self._metadata, (header, str((number - self.first_call) % many + 1))]

    def _record(self, number: int, at_ns: int, call: Any) -> None:
        _, own = self._in_flight.pop(number)
        code = call.code()
        if code is grpc.StatusCode.OK:
            # None: it ended with OK, and without a message, which grpcio takes for an answer.
            self._tell(("ended", number, at_ns, 0, call.result() or b"", ""))
        else:
            self._tell(("ended", number, at_ns, code.value[0], b"", call.details() or ""))
        if own is not None:
            own.close()

    def _cancelled(self, number: int, why: str) -> tuple[Any, ...]:
        return ("ended", number, time.monotonic_ns(), CANCELLED, b"", why)


def _channelz(get: Callable[[int], bytes], number: int) -> dict[str, Any]:
    [(_, found)] = json.loads(get(number)).items()
    return dict(found)


def _newest_channel(target: str) -> int:
    newest = start = 0
    while True:
        page = json.loads(cygrpc.channelz_get_top_channels(start))
        for channel in page.get("channel", []):  # in no order
            number = int(channel["ref"]["channelId"])
            start = max(start, number + 1)
            if channel["data"]["target"] == target:
                newest = max(newest, number)
        if page.get("end", True):
            return newest


def _state(shown: dict[str, Any]) -> str:
    return str(shown["data"].get("state", {}).get("state", "IDLE"))  # not told: it is new


def _local_ends(sockets: list[int]) -> list[str]:
    ends = []
    for number in sockets:
        with contextlib.suppress(ValueError):  # closed since
            end = _channelz(cygrpc.channelz_get_socket, number)["local"]["tcpipAddress"]
            ip = ipaddress.ip_address(b64decode(end["ipAddress"]))
            ends.append(f"[{ip}]:{end['port']}" if ip.version == 6 else f"{ip}:{end['port']}")
    return ends


def _as_grpcio_has_it(metadata: list[tuple[str, bytes]]) -> list[tuple[str, str | bytes]]:
    return [(n, v if n.endswith("-bin") else v.decode()) for n, v in metadata]


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


class Commands:
    """What can be asked for: a method each. A channel has a number that the caller chose."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._channels: dict[int, Channel] = {}

    def version(self) -> str:
        """Of grpcio, which is the C-core's, too."""
        return str(grpc.__version__)

    def open(self, channel: int, **how: Any) -> None:
        """Makes a channel."""
        self._channels[channel] = Channel(self._tell, **how)

    def ask(self, channel: int, what: str, how: dict[str, Any]) -> Any:
        """A method of a channel's."""
        return getattr(self._channels[channel], what)(**how)

    def close(self, channel: int) -> None:
        """Closes a channel."""
        self._channels.pop(channel).close()


def main() -> None:
    """Serves until the socket's other end has gone."""
    ours = Connection(int(sys.argv[1]))
    outbox: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()

    def write() -> None:
        with contextlib.suppress(OSError):  # nobody listens any more
            while True:
                news = [outbox.get()]
                while not outbox.empty():
                    news.append(outbox.get())
                ours.send(news)

    threading.Thread(target=write, daemon=True).start()
    commands = Commands(outbox.put)

    def do(number: int, name: str, arguments: dict[str, Any]) -> None:
        try:
            outbox.put(("result", number, getattr(commands, name)(**arguments)))
        except Exception:
            outbox.put(("error", number, traceback.format_exc()))

    with contextlib.suppress(EOFError, OSError):
        while True:
            number, name, arguments = ours.recv()
            if name == "open":  # what comes after it may ask for it
                do(number, name, arguments)
            else:
                threading.Thread(target=do, args=(number, name, arguments), daemon=True).start()
    os._exit(0)  # whatever calls there are: nobody waits for them


if __name__ == "__main__":
    main()
