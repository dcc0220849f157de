"""PyPI's grpcio in a process of its own: JSON lines in, JSON lines out.

It imports nothing of ours, so it is a client that knows only gRPC. Each line that comes in is
{"id": 7, "do": "calls", "channel": 1, ...}; each that goes out {"id": 7, "result": ...} or
{"id": 7, "error": "..."}. Commands run side by side, so the answers come in any order.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
import traceback
from base64 import b64decode, b64encode
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

REQUEST = b"\n\x05\n\x03Ada"  # GreetingRequest{greeting: {first_name: "Ada"}}


def response_class() -> Any:
    """GreetingResponse, with the field numbers of proto/greet.proto that are used here."""
    file = descriptor_pb2.FileDescriptorProto(name="g.proto", package="greet", syntax="proto3")
    message = file.message_type.add(name="GreetingResponse")
    message.field.add(name="pod_name", number=2, type=9, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("greet.GreetingResponse"))


class Channel:
    """One channel; `state` is the latest that gRPC told."""

    def __init__(self, target: str, options: list[list[Any]]) -> None:
        self._channel = grpc.insecure_channel(target, options=[tuple(o) for o in options])
        self._greet = self._channel.unary_unary(
            "/greet.GreetService/Greet", response_deserializer=response_class().FromString
        )
        self.state = "IDLE"
        self._closed = False
        self._channel.subscribe(self._told, try_to_connect=False)

    def _told(self, state: grpc.ChannelConnectivity) -> None:
        self.state = state.name

    def connect(self) -> None:
        """Leaves IDLE, as a call would."""
        self._channel.subscribe(_nothing, try_to_connect=True)
        self._channel.unsubscribe(_nothing)

    def calls(self, n: int, concurrency: int, **how: Any) -> list[list[Any]]:
        """[status, pod, seconds, message] of each call."""
        if concurrency == 1:
            return [self._call(**how) for _ in range(n)]
        with ThreadPoolExecutor(concurrency) as pool:
            return list(pool.map(lambda _: self._call(**how), range(n)))

    def _call(self, timeout: float, wait_for_ready: bool) -> list[Any]:
        start = time.monotonic()
        pod, message = None, ""
        try:
            answer = self._greet(REQUEST, timeout=timeout, wait_for_ready=wait_for_ready)
            # None: it ended with OK, and without a message, which grpcio takes for an answer.
            status, pod = "OK", answer and answer.pod_name
        except grpc.RpcError as error:
            status, message = error.code().name, error.details()
        except ValueError:  # grpcio's way to say that the channel was closed
            if not self._closed:
                raise
            status = "CANCELLED"
        return [status, pod, time.monotonic() - start, message]

    def method(
        self,
        path: str,
        message: str,
        metadata: list[list[str]],
        stream: bool,
        most: int,
        **how: Any,
    ) -> dict[str, Any]:
        """One call of any method. Bytes are in base64, both ways."""
        given = [(name, b64decode(value)) for name, value in metadata]
        how["metadata"] = [(n, v if n.endswith("-bin") else v.decode()) for n, v in given]
        messages = []
        if stream:
            call = self._channel.unary_stream(path)(b64decode(message), **how)
            with contextlib.suppress(grpc.RpcError):
                for one in call:
                    messages.append(one)
                    if len(messages) == most:
                        call.cancel()
        else:
            call = self._channel.unary_unary(path).future(b64decode(message), **how)
            with contextlib.suppress(grpc.RpcError, grpc.FutureCancelledError):
                messages.append(call.result())
        return {
            "status": call.code().name,
            "error": call.details() or "",
            "messages": [_text(one) for one in messages],
            "headers": [[n, _text(v)] for n, v in call.initial_metadata() or ()],
            "trailers": [[n, _text(v)] for n, v in call.trailing_metadata() or ()],
        }

    def close(self) -> None:
        """Cancels what is in flight and closes the connections."""
        self._closed = True
        self._channel.unsubscribe(self._told)
        self._channel.close()


def _text(value: str | bytes) -> str:
    return b64encode(value.encode() if isinstance(value, str) else value).decode()


def _nothing(state: grpc.ChannelConnectivity) -> None:
    pass


class Commands:
    """What can be asked for: a method each."""

    def __init__(self) -> None:
        self._channels: dict[int, Channel] = {}

    def version(self) -> str:
        """Of grpcio, which is the C-core's, too."""
        return grpc.__version__

    def open(self, channel: int, target: str, options: list[list[Any]]) -> None:
        """Makes a channel, under a number that the caller chose."""
        self._channels[channel] = Channel(target, options)

    def state(self, channel: int) -> str:
        """Its connectivity state."""
        return self._channels[channel].state

    def connect(self, channel: int) -> None:
        """Leaves IDLE."""
        self._channels[channel].connect()

    def calls(self, channel: int, **how: Any) -> list[list[Any]]:
        """Makes calls, and says what became of each."""
        return self._channels[channel].calls(**how)

    def method(self, channel: int, **what: Any) -> dict[str, Any]:
        """Calls any method."""
        return self._channels[channel].method(**what)

    def close(self, channel: int) -> None:
        """Closes a channel."""
        self._channels[channel].close()


def main() -> None:
    """Serves until the end of the standard input."""
    commands = Commands()
    writing = threading.Lock()

    def answer(line: str) -> None:
        command = json.loads(line)
        number, do = command.pop("id"), command.pop("do")
        try:
            reply = {"id": number, "result": getattr(commands, do)(**command)}
        except Exception:
            reply = {"id": number, "error": traceback.format_exc()}
        with writing:
            print(json.dumps(reply), flush=True)

    for line in sys.stdin:
        threading.Thread(target=answer, args=[line], daemon=True).start()


if __name__ == "__main__":
    main()
