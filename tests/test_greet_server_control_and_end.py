"""greet-server: its streams and their pace, what control is told, and how it ends."""

import os
import random
import signal
import socket
import subprocess
import threading
import time

import grpc
import pytest
from test_greet_server import NO_PROXY, Server, serve, stub  # noqa: F401  (serve is a fixture)

from greetlab import _core, executables


def some_control():
    return f"@greetlab-test-{random.getrandbits(64)}"


def test_drawn_latency_fills_its_bounds_and_no_more(serve):
    server = serve("--service-time", "1ms..100ms", "--seed", "3")
    with server.channel() as channel:
        latency = channel.load(40, concurrency=40).latency_ns  # side by side: no queue adds up
    assert latency.min() >= 1e6
    assert 50e6 < latency.max() < 400e6  # the client's own time comes to it


def stream(channel, request, **options):
    return channel.unary_stream("/greet.GreetService/GreetStream")(request, timeout=9, **options)


@pytest.mark.parametrize(
    ("flags", "request_"),
    [((), b"\x1a\x05\x10\x80\xda\xc4\x09"), (("--service-time", "20ms"), b"")],
    ids=["an interval of 20 ms", "a latency of 20 ms"],
)
def test_a_stream_without_a_count_goes_on_at_its_pace(serve, flags, request_):
    server = serve(*flags)
    with grpc.insecure_channel(server.address, options=NO_PROXY) as channel:
        begun = time.monotonic()  # not with the first, which may be read late
        replies = stream(channel, request_)
        for _ in range(4):
            next(replies)
        assert time.monotonic() - begun >= 0.05
        replies.cancel()


def test_an_injected_error_ends_a_stream_too(serve):
    server = serve("--error-rate", "1")
    with grpc.insecure_channel(server.address, options=NO_PROXY) as channel:
        with pytest.raises(grpc.RpcError) as ended:
            next(stream(channel, b""))
    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE


def test_an_interval_beyond_all_counting_does_not_come_round_at_once(serve):
    server = serve()
    request = b"\x1a\x0a\x08" + b"\xff" * 8 + b"\x7f"
    with grpc.insecure_channel(server.address, options=NO_PROXY) as channel:
        replies = channel.unary_stream("/greet.GreetService/GreetStream")(request, timeout=0.3)
        next(replies)
        with pytest.raises(grpc.RpcError) as ended:
            next(replies)
    assert ended.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_long_wait_for_a_client_that_has_left_is_cut_short(serve):
    server = serve("--service-time", "1000s", "--grace", "60s")
    with server.channel() as channel:
        assert channel.greet("A", timeout=0.05).by_status == {"DEADLINE_EXCEEDED": 1}
    server.process.terminate()
    assert server.wait() == 0


@pytest.mark.parametrize("method", ["SetLatency", "SetErrors", "SetServing"])
def test_no_method_of_control_answers_on_the_traffic_port(serve, method):
    server = serve("--control", some_control())
    with pytest.raises(grpc.RpcError) as refused:
        stub(server, f"/greetlab.control.Control/{method}")
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert stub(server, "/grpc.health.v1.Health/Check") == b"\x08\x01"


@pytest.mark.parametrize(
    ("method", "arguments", "said"),
    [
        ("set_failing", (1.5, "UNAVAILABLE", None), "a probability"),
        ("set_failing", (float("nan"), "UNAVAILABLE", None), "a probability"),
    ],
)
def test_control_refuses_in_words(serve, method, arguments, said):
    control = some_control()
    server = serve("--control", control)
    with pytest.raises(RuntimeError, match=f"control socket {control}: .*{said}"):
        getattr(_core.ControlClient(control), method)(*arguments)
    with server.channel() as channel:
        assert channel.greet("A").ok == 1


def test_a_latency_that_is_none_is_not_even_sent():
    with pytest.raises(ValueError, match="time 'soon': expected 20ms, 5ms"):
        _core.ControlClient(some_control()).set_latency("soon")


def halt(server):
    """Stops it, and waits until it has: the signal alone leaves its threads some time."""
    server.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, server.process.pid, os.WSTOPPED)


def test_python_goes_on_while_control_waits(serve):
    control = some_control()
    server = serve("--control", control)
    halt(server)
    threading.Timer(0.1, server.process.send_signal, [signal.SIGCONT]).start()
    _core.ControlClient(control).set_serving(True)  # only another thread can end this


class StopError(Exception):
    pass


def interrupt(_number, _frame):
    raise StopError


@pytest.fixture
def interrupted_soon():
    """Call it, and a signal handler raises StopError in the main thread 0.1 s later."""
    previous = signal.signal(signal.SIGUSR1, interrupt)
    timer = threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGUSR1])
    yield timer.start
    timer.cancel()  # where the wait was over before
    timer.join()
    signal.signal(signal.SIGUSR1, previous)


def test_ctrl_c_ends_the_wait_for_control(serve, interrupted_soon):
    control = some_control()
    halt(serve("--control", control))
    began = time.monotonic()
    interrupted_soon()
    with pytest.raises(StopError):
        _core.ControlClient(control).set_serving(True)
    assert time.monotonic() - began < 4  # its own patience is 5


def test_a_control_that_never_answers_is_given_up(serve):
    control = some_control()
    halt(serve("--control", control))
    with pytest.raises(RuntimeError, match="Deadline Exceeded"):
        _core.ControlClient(control).set_serving(True)


def test_its_port_is_not_shared_with_who_would_share(serve):
    ip, port = serve().address.split(":")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind((ip, int(port)))


def test_the_age_grace_bounds_the_calls_of_an_old_connection(serve):
    server = serve(
        "--max-connection-age",
        "100ms",
        "--max-connection-age-grace",
        "50ms",
        "--service-time",
        "1000s",
    )
    with server.channel() as channel:
        assert channel.greet("A", timeout=9).by_status == {"UNAVAILABLE": 1}


def test_sigint_ends_it_in_order_too(serve):
    server = serve()
    server.process.send_signal(signal.SIGINT)
    assert server.wait() == 0


def busy(serve, *flags, **options):
    server = serve("--service-time", "1000s", "--grace", "1000s", *flags, **options)
    channel = grpc.insecure_channel(server.address, options=NO_PROXY)
    watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
    next(watch)
    server.process.terminate()
    assert next(watch) == b"\x08\x02"
    return server, channel, watch  # a call that was begun; one that was only sent may be cancelled


def test_a_second_signal_leaves_no_control_socket(serve, tmp_path):
    server, channel, _watch = busy(serve, "--control", str(tmp_path / "c"))
    server.process.terminate()
    assert server.wait() == 128 + signal.SIGTERM
    channel.close()
    assert not (tmp_path / "c").exists()


def test_the_end_of_its_lifeline_cuts_a_drain_short(serve):
    reader, writer = os.pipe()
    server, channel, _watch = busy(serve, "--lifeline", str(reader), pass_fds=[reader])
    os.close(reader)
    os.close(writer)
    assert server.wait() == 128 + signal.SIGTERM
    channel.close()


def test_what_is_said_on_the_lifeline_means_nothing(serve):
    reader, writer = os.pipe()
    server = serve("--lifeline", str(reader), pass_fds=[reader])
    os.close(reader)
    os.write(writer, b"still here")
    with pytest.raises(subprocess.TimeoutExpired):
        server.process.wait(0.2)
    os.close(writer)
    assert server.wait() == 0


def test_control_refuses_a_latency_that_is_none_whoever_sends_it(serve):
    control = some_control()
    serve("--control", control)
    request = b"\x0a\x04-1ms"  # which our client does not send
    with grpc.insecure_channel(f"unix-abstract:{control[1:]}", options=NO_PROXY) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary("/greetlab.control.Control/SetLatency")(request, timeout=9)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def tell(*words):
    command = [executables.path("greet-server"), "tell", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=10)


def test_it_is_told_from_beside_it_without_any_library(serve):
    control = some_control()
    server = serve("--control", control)
    with server.channel() as channel:
        assert tell(control, "--latency", "30ms").returncode == 0
        assert channel.greet().latency_ns[0] > 29e6
        said = tell(control, "--latency=0", "--error-rate=1", "--error-code=ABORTED")
        assert said.returncode == 0, said.stderr
        assert channel.greet().by_status == {"ABORTED": 1}
        assert tell(control, "--error-rate=0", "--serving=false").returncode == 0
        assert channel.greet().ok == 1


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "control is required"),
        (("@nobody-is-here", "--latency=1ms"), "control socket @nobody-is-here: "),
        (("@x", "--error-rate=2"), "not in range"),
        (("@x", "--error-code=ABORTED"), "requires --error-rate"),
        (("@x", "--error-rate=1", "--error-code=OK"), "one of gRPC's codes, not OK"),
    ],
)
def test_what_cannot_be_told_is_one_sentence(words, why):
    said = tell(*words)
    assert said.returncode == 1
    assert why in said.stderr
    assert said.stderr.count("\n") == 1
