"""Servers that no gRPC server is: each gets one status, and it is stock gRPC's.

gRPC's own "negative" HTTP/2 interop cases (grpc/grpc
doc/negative-http2-interop-test-descriptions.md) are among them.
"""

import os
import socket
import threading
import time

import h2.events
import h2.settings
import psutil
import pytest
from http2_server import DONE, OK, frame, message, serving
from support import free_ip, wait_until

from greetlab.channels.channel import Channel
from greetlab.channels.options import ENGINES

MAX_STREAMS = h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS
WINDOW = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture
def channel_to(engine):
    """Opens a channel of the engine's: the lab's, gRPC 1.51's, or that of PyPI's newest grpcio."""
    return lambda target: Channel(target, engine=engine)


def answers(peer):
    """A good server."""
    while True:
        peer.answer(peer.request())


# --- Answers that are no answers -----------------------------------------------------------------


def trailers_only(peer, stream):
    peer.say(
        stream,
        [*OK, ("grpc-status", "5"), ("grpc-message", "no%20such%20gr%C3%BC%C3%9Fe%")],
        last=True,
    )


def rst_after_header(peer, stream):
    peer.say(stream, OK)
    peer.reset(stream, 0x2)


def rst_during_data(peer, stream):
    peer.say(stream, OK)
    peer.send(stream, message()[:-3])
    peer.reset(stream, 0x2)


def rst_after_data(peer, stream):
    peer.say(stream, OK)
    peer.send(stream, message())
    peer.reset(stream, 0x2)


def rst_cancel(peer, stream):
    peer.reset(stream, 0x8)


def rst_calm(peer, stream):
    peer.reset(stream, 0xB)


def http_503(peer, stream):
    peer.say(stream, [(":status", "503"), ("content-type", "text/html")])
    peer.send(stream, b"<html>Service Unavailable</html>", last=True)


def http_404(peer, stream):
    peer.say(stream, [(":status", "404")], last=True)


def http_418(peer, stream):
    peer.say(stream, [(":status", "418")], last=True)


def no_status(peer, stream):
    peer.say(stream, OK)
    peer.send(stream, message(), last=True)


def status_99(peer, stream):
    peer.say(stream, [*OK, ("grpc-status", "99")], last=True)


def status_in_words(peer, stream):
    peer.say(stream, [*OK, ("grpc-status", "OK")], last=True)


def no_message_but_a_failure(peer, stream):
    peer.say(stream, OK)
    peer.say(stream, [("grpc-status", "9"), ("grpc-message", "not now")], last=True)


def header_bomb(peer, stream):
    peer.say(stream, OK + [(f"x-{number}", "x" * 1000) for number in range(40)])
    peer.send(stream, message())
    peer.say(stream, DONE, last=True)


def five_megabytes(peer, stream):
    peer.say(stream, OK)
    peer.send(stream, b"\0" + (5 << 20).to_bytes(4, "big") + bytes(50_000))


def no_prefix(peer, stream):
    peer.say(stream, OK)
    peer.send(stream, b"\x7f" + message()[1:])
    peer.say(stream, DONE, last=True)


def no_protobuf(peer, stream):
    peer.say(stream, OK)
    peer.send(stream, b"\0\0\0\0\4\xff\xff\xff\xff")
    peer.say(stream, DONE, last=True)


def compressed(peer, stream):
    peer.say(stream, OK)
    peer.send(stream, message(flag=1))
    peer.say(stream, DONE, last=True)


def compressed_somehow(peer, stream):
    peer.say(stream, [*OK, ("grpc-encoding", "zstd")])
    peer.send(stream, message(flag=1))
    peer.say(stream, DONE, last=True)


def two_messages(peer, stream):
    peer.say(stream, OK)
    peer.send(stream, message() + message())
    peer.say(stream, DONE, last=True)


def no_message(peer, stream):
    peer.say(stream, OK)
    peer.say(stream, DONE, last=True)


def cut_off(peer, stream):
    peer.say(stream, OK)
    peer.send(stream, message()[:-3])
    peer.say(stream, DONE, last=True)


def two_statuses(peer, stream):
    peer.say(stream, OK)
    peer.say(stream, [("grpc-status", "5"), ("grpc-status", "9")], last=True)


def trailers_first(peer, stream):
    peer.say(stream, DONE, last=True)


def html_200(peer, stream):
    peer.say(stream, [(":status", "200"), ("content-type", "text/html")])
    peer.send(stream, b"<html>Hello</html>", last=True)


def half_a_frame(peer, stream):
    peer.say(stream, OK)
    peer.socket.sendall(frame(0, 0, stream, message())[:11])
    peer.socket.shutdown(socket.SHUT_RDWR)


def goaway_and_no_answer(peer, stream):
    peer.go_away(stream)
    peer.socket.shutdown(socket.SHUT_RDWR)


BAD = {
    trailers_only: "NOT_FOUND",
    rst_after_header: "INTERNAL",
    rst_during_data: "INTERNAL",
    rst_after_data: "INTERNAL",
    rst_cancel: "CANCELLED",
    rst_calm: "RESOURCE_EXHAUSTED",
    http_503: "UNAVAILABLE",
    http_404: "UNIMPLEMENTED",
    http_418: "UNKNOWN",
    no_status: "UNKNOWN",
    status_99: "UNKNOWN",
    status_in_words: "UNKNOWN",
    no_message_but_a_failure: "FAILED_PRECONDITION",
    header_bomb: "RESOURCE_EXHAUSTED",
    five_megabytes: "RESOURCE_EXHAUSTED",
    no_prefix: "INTERNAL",
    no_protobuf: "INTERNAL",
    compressed: "INTERNAL",
    compressed_somehow: "INTERNAL",
    two_messages: "UNIMPLEMENTED",
    no_message: "UNIMPLEMENTED",
    cut_off: "INTERNAL",
    two_statuses: "FAILED_PRECONDITION",
    trailers_first: "INTERNAL",
    html_200: "UNKNOWN",
    half_a_frame: "UNAVAILABLE",
    goaway_and_no_answer: "UNAVAILABLE",
}


STOCK_1_51 = {
    # It waits for all of it before it looks at its length.
    five_megabytes: "DEADLINE_EXCEEDED",
    two_messages: "DEADLINE_EXCEEDED",
    # Its asynchronous calls take what they cannot read for an empty answer.
    no_prefix: "OK",
    no_protobuf: "OK",
    no_message: "OK",
    cut_off: "OK",
    compressed: "OK",
    compressed_somehow: "OK",
    trailers_first: "OK",
}
"""Where gRPC 1.51 is not as grpc/grpc's own doc/statuscodes.md and doc/compression.md have it."""

GRPCIO = {
    two_messages: "DEADLINE_EXCEEDED",
    no_prefix: "OK",
    no_message: "OK",
    cut_off: "OK",
    trailers_first: "OK",
    status_in_words: "INTERNAL",
}
"""The same of PyPI's newest, whose calls give None for an answer that they cannot read."""

STOCK = {"grpc": STOCK_1_51, "grpcio": GRPCIO}

HARMED = {("grpcio", status_in_words)}
"""Whose connection is of no more use: it reads that status again in answers that have another."""


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_a_bad_answer_has_stock_grpcs_status_and_does_no_harm(engine, channel_to, bad):
    def script(peer):
        bad(peer, peer.request())
        answers(peer)

    expected = STOCK.get(engine, {}).get(bad, BAD[bad])
    timeout = 0.5 if expected == "DEADLINE_EXCEEDED" else 9
    with serving(script, answers) as target, channel_to(target) as channel:
        assert channel.greet("A", timeout=timeout).by_status == {expected: 1}
        if (engine, bad) in HARMED:
            return
        if engine == "lab":
            assert channel.greet("A", wait_for_ready=True).ok == 1
        else:
            # Until it has noticed, it may meet the connection that the first call has broken: where
            # the server has hung up, or where it says of all calls what was wrong with one.
            wait_until(lambda: channel.greet("A", wait_for_ready=True).ok == 1)


def test_a_message_is_percent_decoded(channel_to):
    def script(peer):
        trailers_only(peer, peer.request())

    with serving(script) as target, channel_to(target) as channel:
        assert channel.greet("A").errors == ["no such grüße%"]


def test_a_server_that_cancels_a_call_does_not_end_the_load():
    """A C++ server that is told to end does so to what has just come (grpc/grpc issue 41785)."""

    def script(peer):
        peer.say(peer.request(), [*OK, ("grpc-status", "1"), ("grpc-message", "no")], last=True)
        answers(peer)

    with serving(script) as target, Channel(target) as channel:
        assert channel.greet("A", times=5).by_status == {"OK": 4, "CANCELLED": 1}


# --- Answers that are good, though strange -------------------------------------------------------


def test_an_interim_answer_is_passed_by():
    """As doc/http-grpc-status-mapping.md asks; gRPC 1.51 does not."""

    def script(peer):
        while True:
            stream = peer.request()
            peer.socket.sendall(frame(1, 4, stream, b"\x08\x03103"))  # :status 103
            peer.answer(stream)

    with serving(script) as target, Channel(target) as channel:
        assert channel.greet("A", times=3).by_pod == {"pod-1": 3}


def test_bytes_may_come_one_by_one(channel_to):
    def script(peer):
        stream = peer.request()
        peer.h2.send_headers(stream, OK)
        peer.h2.send_data(stream, message())
        peer.h2.send_headers(stream, DONE, end_stream=True)
        for byte in peer.h2.data_to_send():
            peer.socket.sendall(bytes([byte]))
        answers(peer)

    with serving(script) as target, channel_to(target) as channel:
        assert channel.greet("A").by_pod == {"pod-1": 1}


def test_a_ping_is_answered_and_so_are_many(channel_to):
    acknowledged = []

    def script(peer):
        stream = peer.request()
        for number in range(300):
            peer.h2.ping(number.to_bytes(8, "big"))
            peer.flush()
            peer.wait_for(h2.events.PingAckReceived)
            acknowledged.append(number)
        peer.answer(stream)
        answers(peer)

    with serving(script) as target, channel_to(target) as channel:
        assert channel.greet("A").ok == 1
    assert len(acknowledged) == 300


def test_the_request_is_what_the_specification_says():
    seen = []

    def script(peer):
        while True:
            stream = peer.request()
            seen.append(peer.headers[stream])
            peer.answer(stream)

    with serving(script) as target, Channel(target) as channel:
        assert channel.greet("A", times=2).ok == 2
    for headers in seen:
        assert headers.pop(b"user-agent").startswith(b"grpc-greetlab/")
        assert headers == {
            b":method": b"POST", b":scheme": b"http", b":path": b"/greet.GreetService/Greet",
            b":authority": target.removeprefix("static:").encode(), b"te": b"trailers",
            b"content-type": b"application/grpc", b"grpc-timeout": b"5S",
        }  # fmt: skip


# --- Streams and windows -------------------------------------------------------------------------


def test_no_more_streams_than_the_server_takes_and_who_waits_is_told(engine, channel_to):
    """h2 ends a connection that has more."""
    with (
        serving(answers, settings={MAX_STREAMS: 2}) as target,
        channel_to(target) as channel,
    ):
        channel.wait_ready()
        assert channel.load(40, concurrency=8).ok == 40
        if engine == "lab":
            waited = channel.trace.of("StreamAwaited")
            assert {event.most for event in waited} == {2}
            assert "waits on its connection" in str(waited[0])
            assert len(channel.trace.of("ConnectStarted")) == 1


def test_a_call_that_waits_for_a_stream_can_be_given_up(channel_to):
    came, free = threading.Event(), threading.Event()

    def script(peer):
        stream = peer.request()
        came.set()
        free.wait(20)
        peer.answer(stream)
        answers(peer)

    with (
        serving(script, settings={MAX_STREAMS: 1}) as target,
        channel_to(target) as channel,
    ):
        first = []
        caller = threading.Thread(target=lambda: first.append(channel.greet("A", timeout=20)))
        caller.start()
        assert came.wait(10)
        assert channel.greet("B", timeout=0.2).by_status == {"DEADLINE_EXCEEDED": 1}
        free.set()
        caller.join()
        assert first[0].ok == 1
        assert channel.greet("C").ok == 1


def test_a_window_that_is_never_opened_ends_at_the_deadline(channel_to):
    def script(peer):
        peer.wait_for(h2.events.ConnectionTerminated)

    with serving(script, settings={WINDOW: 0}) as target, channel_to(target) as channel:
        assert channel.greet("A", timeout=0.3).by_status == {"DEADLINE_EXCEEDED": 1}


# --- Servers that do not stop --------------------------------------------------------------------


def endless_pings(stream):
    return frame(6, 0, 0, bytes(8)) * 1000


def endless_settings(stream):
    return frame(4, 0, 0, b"\0\4\0\1\0\0") * 1000


def endless_continuation(stream):
    # A header of 1,000 bytes, again and again: never indexed (RFC 7541 6.2.3), of no stream's end.
    return frame(9, 0, stream, b"\x10\x01x\x7f\xe9\x06" + b"y" * 1000) * 10


def endless_interim_answers(stream):
    return frame(1, 4, stream, b"\x08\x03103") * 1000


ENDLESS = [endless_pings, endless_settings, endless_continuation, endless_interim_answers]


@pytest.mark.parametrize("endless", ENDLESS, ids=lambda endless: endless.__name__)
def test_a_server_that_does_not_stop_costs_one_call_and_no_memory(engine, channel_to, endless):
    """It reads nothing, either. Whether the call's deadline or the connection's end ends it is left
    to each; but that it ends is not, and of the lab what it may take (gRPC 1.51 takes 130 MB of
    CONTINUATION in half a second)."""

    def script(peer):
        stream = peer.request()
        if endless is endless_continuation:
            peer.socket.sendall(frame(1, 0, stream, b"\x88"))
        while True:
            peer.socket.sendall(endless(stream))

    before = psutil.Process().memory_info().rss
    with serving(script) as target, channel_to(target) as channel:
        started = time.monotonic()
        calls = channel.greet("A", timeout=0.5)
        assert time.monotonic() - started < 5
        ends = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}
        if engine != "lab":
            ends.add("UNKNOWN")  # so they take an interim answer
        assert set(calls.by_status) <= ends
    if engine == "lab":
        assert psutil.Process().memory_info().rss - before < 32 << 20


# --- GOAWAY --------------------------------------------------------------------------------------


def test_what_a_goaway_excludes_is_sent_again_and_reaches_nobody_twice():
    reached = []

    def refuses(peer):
        reached.append(peer.request())
        peer.go_away(0, debug=b"not you")
        peer.wait_for(h2.events.ConnectionTerminated)

    def takes(peer):
        while True:
            stream = peer.request()
            reached.append("taken")
            peer.answer(stream)

    with serving(refuses, takes) as target, Channel(target) as channel:
        assert channel.greet("A").by_pod == {"pod-1": 1}
        picked = channel.trace.of("Picked")
        said = channel.trace.first("GoAwayReceived")
        unsent = channel.trace.first("CallUnsent")
    assert reached == [1, "taken"]
    assert (said.last_stream, said.error, said.debug) == (0, "NO_ERROR", "not you")
    assert "none after stream 0 was looked at" in str(said)
    assert unsent.seconds >= said.seconds
    assert len(picked) == 2


def test_a_server_that_refuses_again_and_again_is_asked_twice(engine, channel_to):
    """gRFC A6: one transparent retry for what has reached the server's library."""
    reached = []

    def refuses(peer):
        while True:
            reached.append(peer.request())
            peer.go_away(0)

    with serving(refuses) as target, channel_to(target) as channel:
        assert channel.greet("A", timeout=5).by_status == {"UNAVAILABLE": 1}
    assert len(reached) == 2 if engine == "lab" else len(reached) <= 2


def test_a_stream_that_is_refused_is_sent_again_over_the_same_connection():
    reached = []

    def script(peer):
        reached.append(peer.request())
        peer.reset(reached[-1], 0x7)
        while True:
            reached.append(peer.request())
            peer.answer(reached[-1])

    with serving(script) as target, Channel(target) as channel:
        assert channel.greet("A").ok == 1
        assert len(channel.trace.of("ConnectStarted")) == 1
    assert reached == [1, 3]


def test_a_goaway_twice_lets_the_call_in_flight_end(engine, channel_to):
    def script(peer):
        stream = peer.request()
        peer.go_away(2**31 - 1)
        peer.go_away(stream)
        peer.answer(stream)
        peer.wait_for(h2.events.ConnectionTerminated)

    with serving(script, answers) as target, channel_to(target) as channel:
        assert channel.greet("A").ok == 1
        assert channel.greet("A", wait_for_ready=True).ok == 1
        if engine == "lab":
            assert [event.graceful for event in channel.trace.of("ConnectionLost")][:1] == ["yes"]
            assert len(channel.trace.of("GoAwayReceived")) == 2


def test_a_connection_that_was_drained_is_hung_up():
    gone = threading.Event()

    def script(peer):
        stream = peer.request()
        peer.go_away(stream)
        peer.answer(stream)
        try:
            peer.wait_for(h2.events.ConnectionTerminated)
        except ConnectionError:
            gone.set()

    with serving(script, answers) as target, Channel(target) as channel:
        assert channel.greet("A").ok == 1
        assert gone.wait(5)


def test_what_a_message_says_is_no_evidence():
    """Found: one call reached such a server 524 times."""
    reached = []

    def script(peer):
        while True:
            stream = peer.request()
            reached.append(stream)
            said = [("grpc-status", "14"), ("grpc-message", "GOAWAY received: Transport closed")]
            peer.say(stream, OK + said, last=True)

    with serving(script) as target, Channel(target) as channel:
        assert channel.greet("A", timeout=2).by_status == {"UNAVAILABLE": 1}
    assert len(reached) == 1


# --- Servers that never begin --------------------------------------------------------------------


def test_ready_is_settings_whatever_the_health_service_does():
    """Found: a server whose Health/Check never answers was never READY."""

    def script(peer):
        while True:
            stream = peer.request()
            if b"Health" not in peer.headers[stream][b":path"]:
                peer.answer(stream)

    with serving(script) as target, Channel(target) as channel:
        assert channel.wait_ready(timeout=5).greet("A").ok == 1


def test_a_call_to_a_server_without_settings_ends_at_its_deadline(channel_to):
    with (
        socket.create_server((free_ip(), 0)) as listener,
        channel_to("static:{}:{}".format(*listener.getsockname())) as channel,
    ):
        assert channel.greet("A", timeout=0.3).by_status == {"DEADLINE_EXCEEDED": 1}


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is it an HTTP/2 server"),
        (b"", "the server has hung up: is it an HTTP/2 server"),
        (frame(4, 0, 0)[:5], "the server has hung up: is it an HTTP/2 server"),
    ],
    ids=["HTTP/1.1", "nothing", "half a frame"],
)
def test_what_never_sends_settings_is_a_failed_attempt(says, why):
    with socket.create_server((free_ip(), 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            connection.recv(24)
            connection.sendall(says)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(65536)
            connection.close()

        threading.Thread(target=serve, daemon=True).start()
        with Channel("static:{}:{}".format(*listener.getsockname())) as channel:
            assert channel.greet("A", timeout=9).by_status == {"UNAVAILABLE": 1}
            assert why in channel.trace.first("ConnectFailed").reason


@pytest.mark.skipif("GREETLAB_GUARD" not in os.environ, reason="20 s: ./run guard asks it")
def test_an_attempt_without_settings_fails_after_twenty_seconds():
    with (
        socket.create_server((free_ip(), 0)) as listener,
        Channel("static:{}:{}".format(*listener.getsockname())) as channel,
    ):
        calls = channel.greet("A", timeout=30)
        began = channel.trace.first("ConnectStarted")
        failed = channel.trace.first("ConnectFailed")
    assert calls.by_status == {"UNAVAILABLE": 1}
    assert "connected, but no answer in time: is it an HTTP/2 server?" in failed.reason
    assert 19.9 < failed.seconds - began.seconds < 22
