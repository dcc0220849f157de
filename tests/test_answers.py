"""What a channel makes of an answer: whose it is, over which connection; and how a wait ends."""

import contextlib
import os
import signal
import socket
import threading
import time
from concurrent import futures

import grpc
import pytest
from support import free_ip

import greetlab as gl
from greetlab.channels.channel import Channel


@pytest.fixture(scope="module")
def cluster():
    with gl.Cluster.local(pods=3, seed=3) as cluster:
        yield cluster


@pytest.fixture
def nobody():
    return f"ipv4:{free_ip()}:1"


class StopError(Exception):
    pass


def test_close_cancels_a_call_that_would_take_long(cluster):
    cluster.slow("pod-1", 60)
    try:
        channel = Channel(f"ipv4:{cluster.pods[0].ip}:{cluster.port}")
        threading.Timer(0.1, channel.close).start()
        calls = channel.load(4, concurrency=2, timeout=9)
    finally:
        cluster.slow("pod-1", 0)
    assert calls.by_status == {"CANCELLED": 4}
    assert calls.seconds < 5


def test_ctrl_c_ends_a_wait_for_ready(nobody):
    def interrupt(_number, _frame):
        raise StopError

    previous = signal.signal(signal.SIGUSR1, interrupt)
    began = time.monotonic()
    try:
        threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGUSR1]).start()
        with Channel(nobody) as channel, pytest.raises(StopError):
            channel.wait_ready(timeout=9)
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert time.monotonic() - began < 5


def test_channels_made_at_the_same_moment_know_which_one_they_are(cluster):
    target = cluster.target("greetserver")
    together = threading.Barrier(8)
    mixed_up = []

    def dial():
        for _ in range(10):
            together.wait(9)
            with Channel(target) as channel:
                calls = channel.greet("A")
                opened = [s.local_addresses for s in channel.subchannels]
                if len(opened) != 1 or calls.ok != 1:
                    mixed_up.append(opened)
                together.wait(9)

    threads = [threading.Thread(target=dial) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mixed_up == []


def field(number, value):
    return bytes([number << 3 | 2, len(value)]) + value.encode()


@pytest.fixture
def answering():
    """Servers that answer with the given replies, one after the other, in bytes."""
    servers = []

    def start(*replies):
        left = iter(replies)
        handler = grpc.unary_unary_rpc_method_handler(lambda request, context: next(left))
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("greet.GreetService", {"Greet": handler})]
        )
        ip = free_ip()
        port = server.add_insecure_port(f"{ip}:0")
        server.start()
        servers.append(server)
        return f"ipv4:{ip}:{port}"

    yield start
    for server in servers:
        server.stop(None).wait()


def told(pod, ip, peer):
    return field(2, pod) + field(3, ip) + field(5, peer)


@pytest.mark.parametrize(
    ("words", "pod"),
    [
        ("Hello, A from pod: name(a), ip(b). Z from pod: name(real), ip(1.2.3.4).", "real"),
        ("Hello, A Z from pod: name(real), ip(1.2.3.4)!", "?"),
        ("Hello, A Z", "?"),
    ],
    ids=["a guest who is called like a pod", "another end", "no pod"],
)
def test_the_pod_in_the_words_is_the_last_that_they_name(answering, words, pod):
    with Channel(answering(field(1, words))) as channel:
        assert channel.greet("A").by_pod == {pod: 1}


def test_a_pod_is_its_name_and_its_address_and_a_connection_the_one_we_made(answering):
    """However many pods answer over it, as they do behind a proxy that balances requests."""
    replies = [told("a", "1", "x"), told("a", "2", "x"), told("a", "1", "x"), told("a", "1", "y")]
    with Channel(answering(*replies)) as channel:
        calls = channel.greet("A", times=4)
    assert calls.pod.tolist() == [0, 1, 0, 0]
    assert calls.connection.tolist() == [0, 0, 0, 0]


def test_with_a_connection_per_call_a_peer_that_comes_again_is_another_connection(answering):
    target = answering(*[told("a", "1", "x")] * 3)
    with Channel(target, connection_per_call=True) as channel:
        assert channel.greet("A", times=3).connection.tolist() == [0, 1, 2]


def frame(kind, flags, stream, payload=b""):
    """A frame of HTTP/2 (RFC 9113 4.1)."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + payload


def literal(name, value):
    """A header field that is not indexed (RFC 7541 6.2.2)."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def answer_all_with_status(number, connection):
    """A server by hand: grpcio's own sends no number that there is not."""
    headers = b"\x88" + literal(b"content-type", b"application/grpc")
    headers += literal(b"grpc-status", number)
    with connection, connection.makefile("rb") as reader:
        reader.read(24)  # the preface
        connection.sendall(frame(4, 0, 0))  # SETTINGS
        while len(head := reader.read(9)) == 9:
            reader.read(int.from_bytes(head[:3], "big"))
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
            if kind == 4 and not flags:
                connection.sendall(frame(4, 1, 0))  # acknowledged
            elif kind == 1:  # HEADERS: a call
                connection.sendall(frame(1, 5, stream, headers))


@pytest.mark.parametrize("engine", ["lab", "grpc"])
def test_a_status_that_there_is_not_is_unknown(engine):
    """A server may send whatever number it likes (grpc doc/statuscodes.md); gRPC reads UNKNOWN."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with contextlib.suppress(OSError):  # whoever has what it wanted hangs up
                while True:
                    answer_all_with_status(b"99", listener.accept()[0])

        threading.Thread(target=serve, daemon=True).start()
        target = f"static:127.0.0.1:{listener.getsockname()[1]}"
        with Channel(target, engine=engine) as channel:
            assert channel.greet().by_status == {"UNKNOWN": 1}


@pytest.mark.parametrize("words", ["database: Transport closed", "database: GOAWAY received"])
def test_what_a_status_says_is_no_evidence_of_what_happened(words):
    """Found: one call with a deadline of 2 s reached such a server 524 times."""
    reached = []

    def greet(_request, context):
        reached.append(1)
        context.abort(grpc.StatusCode.UNAVAILABLE, words)

    handler = grpc.unary_unary_rpc_method_handler(greet)
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("greet.GreetService", {"Greet": handler})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with Channel(f"static:127.0.0.1:{port}") as channel:
            calls = channel.greet(timeout=2)
        assert calls.by_status == {"UNAVAILABLE": 1}
        assert words in str(calls.errors)
        assert len(reached) == 1
    finally:
        server.stop(None).wait()
