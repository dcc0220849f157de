"""greet-server's health service: grpc.health.v1, asked by grpcio."""

import queue
import random
import threading
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from test_greet_server import NO_PROXY, START, serve, stub

from greetlab import _core

CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
SERVING, NOT_SERVING, SERVICE_UNKNOWN = b"\x08\x01", b"\x08\x02", b"\x08\x03"

__all__ = ["serve"]


def of(service):
    """A HealthCheckRequest."""
    return b"\x0a" + bytes([len(service)]) + service.encode()


@pytest.fixture
def controlled(serve):
    """A server, and what sets its health."""
    control = f"@greetlab-test-{random.getrandbits(64)}"
    server = serve("--control", control, "--grace", "300ms")
    return server, _core.ControlClient(control).set_serving


@contextmanager
def watching(server, request=b""):
    """Gives `next_status`, which waits for the next one that a watch is told."""
    with grpc.insecure_channel(server.address, options=NO_PROXY) as channel:
        watch = channel.unary_stream(WATCH)(request)
        told = queue.Queue()

        def read():
            try:
                for status in watch:
                    told.put(status)
            except grpc.RpcError as ended:
                told.put(ended.code())

        reader = threading.Thread(target=read)
        reader.start()
        yield lambda: told.get(timeout=START)
        watch.cancel()
        reader.join(START)


def test_a_service_that_there_is_not_is_not_found(serve):
    server = serve()
    with pytest.raises(grpc.RpcError) as refused:
        stub(server, CHECK, of("greet.Nobody"))
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    assert refused.value.details() == 'this server has no service "greet.Nobody"'


@pytest.mark.parametrize("service", [b"", of("greet.GreetService")])
def test_who_watches_is_told_at_once_and_whenever_it_changes(controlled, service):
    server, set_serving = controlled
    with watching(server, service) as next_status:
        assert next_status() == SERVING
        for serving, status in ((False, NOT_SERVING), (True, SERVING)) * 3:
            set_serving(serving)
            assert next_status() == status


def test_who_watches_is_not_told_what_it_knows(controlled):
    server, set_serving = controlled
    with watching(server) as next_status:
        assert next_status() == SERVING
        set_serving(True)
        set_serving(False)
        assert next_status() == NOT_SERVING


def test_a_service_that_there_is_not_can_be_watched(controlled):
    server, set_serving = controlled
    with watching(server, of("greet.Nobody")) as next_status:
        assert next_status() == SERVICE_UNKNOWN
        set_serving(False)
        set_serving(True)
        server.process.terminate()
        assert server.wait() == 0
        assert next_status() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)


def test_many_watch_and_each_is_told(controlled):
    server, set_serving = controlled
    with grpc.insecure_channel(server.address, options=NO_PROXY) as channel:
        watches = [channel.unary_stream(WATCH)(b"") for _ in range(100)]
        assert [next(watch) for watch in watches] == [SERVING] * 100
        for watch in watches[::2]:
            watch.cancel()
        set_serving(False)
        assert [next(watch) for watch in watches[1::2]] == [NOT_SERVING] * 50
        for watch in watches[1::2]:
            watch.cancel()
    assert stub(server, CHECK) == NOT_SERVING


def test_changes_in_a_storm_end_with_the_last(controlled):
    server, set_serving = controlled
    with watching(server) as next_status:
        assert next_status() == SERVING
        for _ in range(200):
            set_serving(False)
            set_serving(True)
        set_serving(False)
        while next_status() != NOT_SERVING or stub(server, CHECK) != NOT_SERVING:
            pass
        set_serving(True)
        while next_status() != SERVING:
            pass


def test_watches_do_not_hold_a_server_that_is_told_to_end(serve):
    server = serve("--grace", "200ms")
    with watching(server) as next_status:
        assert next_status() == SERVING
        server.process.terminate()
        assert next_status() == NOT_SERVING
        assert server.wait() == 0


def test_no_thread_of_grpcs_callback_api_waits_for_its_sockets(serve):
    # It would find what is there for the server's own thread, and have to hand it over: a third
    # of the CPU of a call (cpp/greet/health.h).
    server = serve()
    assert stub(server, CHECK) == SERVING
    tasks = Path(f"/proc/{server.process.pid}/task").iterdir()
    names = [(task / "comm").read_text().strip() for task in tasks]
    assert "greet-server" in names
    assert "nexting_thread" not in names
