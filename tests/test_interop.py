"""gRPC's own interop cases, of which we have the client: the lab, gRPC 1.51 and grpcio alike.

grpc/grpc doc/interop-test-descriptions.md, retold against a scripted server; those of which a real
server is half, against our own.
"""

import re
import threading

import h2.events
import pytest
from http2_server import DONE, OK, prefixed, serving
from support import wait_until

import greetlab as gl
from greetlab.channels.channel import Channel
from greetlab.channels.options import ENGINES

SERVICE = "/grpc.testing.TestService/"
CANCEL = 0x8


@pytest.fixture(params=ENGINES)
def channel_to(request):
    """Opens a channel of each engine."""
    return lambda target: Channel(target, engine=request.param)


@pytest.fixture(scope="module")
def pod():
    with gl.Cluster.local(pods=1) as cluster:
        yield f"static:{cluster.pods[0].ip}:{cluster.port}"


def saying(*messages, headers=(), trailers=(), status=DONE):
    """A server that answers every call alike, and what it was sent."""
    seen = []

    def script(peer):
        while True:
            stream = peer.request()
            seen.append((peer.headers[stream], peer.bodies.get(stream, b"")))
            peer.say(stream, [*OK, *headers])
            for message in messages:
                peer.send(stream, prefixed(message))
            peer.say(stream, [*status, *trailers], last=True)

    return script, seen


def test_empty_unary(channel_to):
    script, seen = saying(b"")
    with serving(script) as target, channel_to(target) as channel:
        answer = channel.call_method(SERVICE + "EmptyCall")
    assert (answer.status, answer.messages) == ("OK", [b""])
    [(headers, body)] = seen
    assert headers[b":path"] == b"/grpc.testing.TestService/EmptyCall"
    assert body == prefixed(b"")


def test_large_unary(channel_to):
    """Larger than the windows with which a connection begins, both ways."""
    script, seen = saying(bytes(314_159))
    with serving(script) as target, channel_to(target) as channel:
        answer = channel.call_method(SERVICE + "UnaryCall", bytes(271_828))
    assert (answer.status, answer.messages) == ("OK", [bytes(314_159)])
    assert seen[0][1] == prefixed(bytes(271_828))


def test_server_streaming(channel_to):
    sizes = [31_415, 9, 2_653, 58_979]
    script, _ = saying(*map(bytes, sizes))
    with serving(script) as target, channel_to(target) as channel:
        answer = channel.call_method(SERVICE + "StreamingOutputCall", stream=True)
    assert answer.status == "OK"
    assert [len(message) for message in answer.messages] == sizes


@pytest.mark.parametrize("stream", [False, True])
def test_status_code_and_message(channel_to, stream):
    script, _ = saying(status=[("grpc-status", "2"), ("grpc-message", "test status message")])
    with serving(script) as target, channel_to(target) as channel:
        answer = channel.call_method(SERVICE + "UnaryCall", stream=stream)
    assert (answer.status, answer.error) == ("UNKNOWN", "test status message")


def test_special_status_message(channel_to):
    words = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
    coded = "".join(
        chr(b) if 0x20 <= b <= 0x7E and b != 0x25 else f"%{b:02X}" for b in words.encode()
    )
    script, _ = saying(status=[("grpc-status", "2"), ("grpc-message", coded)])
    with serving(script) as target, channel_to(target) as channel:
        answer = channel.call_method(SERVICE + "UnaryCall")
    assert (answer.status, answer.error) == ("UNKNOWN", words)


@pytest.mark.parametrize("path", ["/greet.GreetService/Unimplemented", "/no.Such/Call"])
def test_unimplemented_method_and_service(channel_to, pod, path):
    with channel_to(pod) as channel:
        assert channel.call_method(path).status == "UNIMPLEMENTED"


def test_custom_metadata(channel_to):
    script, seen = saying(
        b"",
        headers=[("x-grpc-test-echo-initial", "test_initial_metadata_value")],
        trailers=[("x-grpc-test-echo-trailing-bin", "q6ur")],
    )
    given = [
        ("x-grpc-test-echo-initial", b"test_initial_metadata_value"),
        ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab"),
    ]
    with serving(script) as target, channel_to(target) as channel:
        answer = channel.call_method(SERVICE + "UnaryCall", metadata=given)
    assert answer.status == "OK"
    assert given[0] in answer.headers
    assert given[1] in answer.trailers
    [(headers, _)] = seen
    assert headers[b"x-grpc-test-echo-initial"] == b"test_initial_metadata_value"
    assert headers[b"x-grpc-test-echo-trailing-bin"] == b"q6ur"


def waiting(first=()):
    """A server that begins an answer and goes no further, and how its call ended."""
    came, errors = threading.Event(), []

    def script(peer):
        stream = peer.request()
        came.set()
        if first:
            peer.say(stream, OK)
        for message in first:
            peer.send(stream, prefixed(message))
        errors.append(peer.wait_for(h2.events.StreamReset).error_code)

    return script, came, errors


def test_cancel_after_begin():
    """Of the lab and of gRPC 1.51; grpcio has no such way to be told from another thread here."""
    for engine in ("lab", "grpc"):
        script, came, _ = waiting()
        with serving(script) as target:
            channel = Channel(target, engine=engine)
            answers = []
            caller = threading.Thread(
                target=lambda c=channel, a=answers: a.append(c.call_method(SERVICE + "UnaryCall"))
            )
            caller.start()
            assert came.wait(10)
            channel.close()
            caller.join()
        assert [answer.status for answer in answers] == ["CANCELLED"]


def test_cancel_after_first_response(channel_to):
    script, _, errors = waiting([b"one"])
    with serving(script) as target, channel_to(target) as channel:
        answer = channel.call_method(SERVICE + "FullDuplexCall", stream=True, most=1)
        assert (answer.status, answer.messages) == ("CANCELLED", [b"one"])
        wait_until(lambda: errors)
    assert errors == [CANCEL]


def test_timeout_on_sleeping_server(channel_to):
    script, _, errors = waiting()
    with serving(script) as target, channel_to(target) as channel:
        answer = channel.call_method(SERVICE + "FullDuplexCall", timeout=0.2, stream=True)
        assert answer.status == "DEADLINE_EXCEEDED"
        wait_until(lambda: errors)
    assert errors == [CANCEL]


# --- What uses it --------------------------------------------------------------------------------


def test_health_is_asked_and_watched(channel_to, pod):
    serving_status = b"\x08\x01"
    with channel_to(pod) as channel:
        asked = channel.call_method("/grpc.health.v1.Health/Check")
        watched = channel.call_method("/grpc.health.v1.Health/Watch", stream=True, most=1)
    assert (asked.status, asked.messages) == ("OK", [serving_status])
    assert (watched.status, watched.messages) == ("CANCELLED", [serving_status])


def test_reflection_lists_the_services(channel_to, pod):
    path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    with channel_to(pod) as channel:
        answer = channel.call_method(path, b"\x3a\x00", stream=True)  # list_services: ""
    assert answer.status == "OK"
    assert b"greet.GreetService" in answer.messages[0]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"path": "Health"}, "method 'Health': expected /package.Service/Method"),
        ({"metadata": [("Big", b"x")]}, "metadata 'Big': a name is of a to z"),
        ({"metadata": [("grpc-status", b"0")]}, "gRPC's own"),
        ({"metadata": [("x", b"\n")]}, "bytes need a name that ends with -bin"),
        ({"metadata": [("x", b"")] * 9}, "metadata: more than 8"),
        ({"timeout": -1}, "timeout"),
    ],
)
@pytest.mark.parametrize("engine", ["lab", "grpc"])
def test_what_cannot_be_sent_is_said(engine, how, why):
    with (
        Channel("static:127.0.0.1:1", engine=engine) as channel,
        pytest.raises(ValueError, match=re.escape(why)),
    ):
        channel.call_method(**{"path": "/a.B/C"} | how)
