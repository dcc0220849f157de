"""greet-server as a process: what it reads, what it answers, how it ends."""

import os
import random
import signal
import socket
import subprocess

import grpc
import pytest
from support import free_ip

from greetlab import _core, executables
from greetlab.channels.channel import Channel

START = 10.0
NO_PROXY = [("grpc.enable_http_proxy", 0)]


class Server:
    """A greet-server on a loopback address of its own; gone at the end of the test."""

    def __init__(self, *flags, env=None, **popen):
        self.ip = free_ip()
        self.process = subprocess.Popen(
            [executables.path("greet-server"), "--listen", self.ip, "--port", "0", *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | (env or {}),
            **popen,
        )

    def serving(self):
        line = self.process.stdout.readline()
        assert line.startswith("greet-server: serving on "), self.process.stderr.read()
        self.address = line.split()[-1]
        return self

    def wait(self):
        return self.process.wait(START)

    def channel(self, **options):
        return Channel(f"ipv4:{self.address}", **options)


@pytest.fixture
def serve():
    servers = []

    def start(*flags, **options):
        servers.append(Server(*flags, **options))
        return servers[-1].serving()

    yield start
    for server in servers:
        server.process.kill()
        server.process.communicate()


def stub(server, method, request=b"", **options):
    """One call of a method by its full name, in bytes: grpcio is a client that is not ours."""
    with grpc.insecure_channel(server.address, options=NO_PROXY) as channel:
        return channel.unary_unary(method)(request, timeout=START, **options)


def test_it_says_who_it_is_from_its_environment(serve):
    server = serve(env={"POD_NAME": "greetserver-7595ccbdd5-k6zbl", "POD_IP": "172.17.0.3"})
    with server.channel() as channel:
        [call] = channel.greet("Hitesh", "Pattanayak")
    assert call.result == (
        "Hello, Hitesh Pattanayak from pod: name(greetserver-7595ccbdd5-k6zbl), ip(172.17.0.3)."
    )


def test_flags_win_over_the_environment(serve):
    server = serve("--pod-name", "flag", env={"POD_NAME": "environment", "POD_IP": "10.0.0.1"})
    with server.channel() as channel:
        assert channel.greet("A", "B")[0].result == "Hello, A B from pod: name(flag), ip(10.0.0.1)."


def test_the_port_comes_from_the_environment_too():
    with socket.create_server((free_ip(), 0)) as taken:
        ip, port = taken.getsockname()
    environment = os.environ | {"GRPC_PORT": str(port)}
    arguments = [executables.path("greet-server"), "--listen", ip]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout.readline().rstrip().endswith(f"{ip}:{port}")
        process.kill()


@pytest.mark.parametrize(("first", "last"), [("", ""), ("Ada", ""), ("", "Lovelace"), ("Ж", "字")])
def test_both_names_are_always_there_with_one_space_each(serve, first, last):
    server = serve("--pod-name", "p", "--pod-ip", "i")
    with server.channel() as channel:
        result = channel.greet(first, last)[0].result
    assert result == f"Hello, {first} {last} from pod: name(p), ip(i)."


def test_it_counts_its_greetings_and_names_the_connection(serve):
    server = serve("--pod-name", "p")
    with server.channel() as one, server.channel() as other:
        first = one.greet("A", times=3)
        second = other.greet("A", times=2)
        [[local]] = [s.local_addresses for s in one.subchannels]
    assert first.serial.tolist() == [1, 2, 3]
    assert second.serial.tolist() == [4, 5]
    assert first.connections == [("p", local)]  # what the pod saw is what we are
    assert second.connections != first.connections


def test_a_stream_stays_on_its_connection_and_counts(serve):
    server = serve("--pod-name", "p")
    # GreetStreamRequest{greeting {first_name "A"} count 3}
    request = b"\x0a\x03\x0a\x01A" + b"\x10\x03"
    with grpc.insecure_channel(server.address, options=NO_PROXY) as channel:
        replies = list(channel.unary_stream("/greet.GreetService/GreetStream")(request, timeout=9))
    assert len(replies) == 3
    assert all(b"Hello, A  from pod: name(p)" in reply for reply in replies)


def test_a_cancelled_stream_ends_on_the_server_even_in_a_long_pause(serve):
    server = serve()
    # count 0 = for ever, interval 1000 s
    request = b"\x1a\x03\x08\xe8\x07"
    with grpc.insecure_channel(server.address, options=NO_PROXY) as channel:
        stream = channel.unary_stream("/greet.GreetService/GreetStream")(request)
        next(stream)
        stream.cancel()
    server.process.terminate()  # a stream still held would keep it for its whole grace
    assert server.process.wait(2) == 0


def test_health_reflection_and_channelz_answer(serve):
    server = serve()
    assert stub(server, "/grpc.health.v1.Health/Check") == b"\x08\x01"  # SERVING
    service = b"\x0a\x12greet.GreetService"
    assert stub(server, "/grpc.health.v1.Health/Check", service) == b"\x08\x01"
    assert stub(server, "/grpc.channelz.v1.Channelz/GetServers")
    with grpc.insecure_channel(server.address, options=NO_PROXY) as channel:
        reflect = channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
        )
        [services] = list(reflect(iter([b"\x3a\x01*"]), timeout=START))  # list_services "*"
    assert b"greet.GreetService" in services


def test_injected_latency_delays_each_answer(serve):
    server = serve("--service-time", "30ms")
    with server.channel() as channel:
        assert channel.greet("A", times=3).latency_ns.min() >= 30e6


def test_drawn_latency_lies_between_its_bounds_and_repeats_with_its_seed(serve):
    def serials(seed):
        server = serve("--service-time", "1ms..9ms", "--error-rate", "0.5", "--seed", str(seed))
        with server.channel() as channel:
            calls = channel.greet("A", times=12)
        return calls.status.tolist(), calls.latency_ns

    status, latency = serials(3)
    assert latency.min() >= 1e6
    assert status == serials(3)[0]
    assert status != serials(4)[0]


def test_injected_errors_are_unavailable_and_about_as_many_as_asked_for(serve):
    server = serve("--error-rate", "0.25", "--seed", "1")
    with server.channel() as channel:
        calls = channel.load(2000, concurrency=8)
    assert set(calls.by_status) == {"OK", "UNAVAILABLE"}
    assert calls.errors == ["injected error"]
    assert 400 < calls.by_status["UNAVAILABLE"] < 600  # 500 +- 5 standard deviations of 19


def test_a_control_socket_changes_it_while_it_runs(serve, tmp_path):
    for control in (str(tmp_path / "control"), f"@greetlab-test-{random.getrandbits(64)}"):
        server = serve("--control", control)
        client = _core.ControlClient(control)
        with server.channel() as channel:
            client.set_latency(0.02)
            assert channel.greet("A")[0].latency_ns >= 20e6
            client.set_latency(0)
            client.set_failing(1, "UNAVAILABLE", None)
            assert channel.greet("A").by_status == {"UNAVAILABLE": 1}
            client.set_failing(0, "UNAVAILABLE", None)
            client.set_serving(False)
            assert stub(server, "/grpc.health.v1.Health/Check") == b"\x08\x02"  # NOT_SERVING
            assert channel.greet("A").ok == 1  # it still answers who asks
            client.set_serving(True)
            assert stub(server, "/grpc.health.v1.Health/Check") == b"\x08\x01"


def test_a_drain_does_not_wait_for_who_controlled_it(serve):
    control = f"@greetlab-test-{random.getrandbits(64)}"
    server = serve("--control", control, "--grace", "60s")
    client = _core.ControlClient(control)
    client.set_latency(0)
    server.process.terminate()
    assert server.wait() == 0


def test_control_is_off_unless_asked_for_and_never_on_the_traffic_port(serve, tmp_path):
    for flags, code in (
        ((), grpc.StatusCode.UNIMPLEMENTED),
        (("--control", str(tmp_path / "c")), grpc.StatusCode.PERMISSION_DENIED),
    ):
        server = serve(*flags)
        with pytest.raises(grpc.RpcError) as refused:
            stub(server, "/greetlab.control.Control/SetErrors")
        assert refused.value.code() == code


def test_max_connection_age_ends_connections_and_no_call_fails(serve):
    server = serve("--max-connection-age", "100ms", "--service-time", "5ms")
    with server.channel() as channel:
        calls = channel.greet("A", times=100)
    assert calls.ok == 100
    assert len(calls.connections) > 2


def test_sigterm_lets_calls_finish_and_exits_with_0(serve):
    server = serve("--service-time", "300ms")
    with grpc.insecure_channel(server.address, options=NO_PROXY) as channel:
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
        assert next(watch) == b"\x08\x01"
        call = channel.unary_unary("/greet.GreetService/Greet").future(b"", timeout=START)
        # Sent on one connection after the call: when it is answered, the call has arrived.
        channel.unary_unary("/grpc.health.v1.Health/Check")(b"")
        server.process.terminate()
        assert next(watch) == b"\x08\x02"  # it says NOT_SERVING first
        watch.cancel()
        assert b"Hello" in call.result()
    assert server.wait() == 0


@pytest.mark.parametrize("round", range(5))
def test_a_call_whose_client_has_left_is_no_obstacle_to_its_end(serve, round):
    server = serve("--service-time", "300ms")
    with server.channel() as channel:
        assert channel.greet("A", timeout=0.05).by_status == {"DEADLINE_EXCEEDED": 1}
    server.process.terminate()
    assert server.wait() == 0


@pytest.mark.parametrize("round", range(5))
def test_streams_that_are_cancelled_while_it_ends_do_no_harm(serve, round):
    server = serve("--grace", "1s")
    request = b"\x1a\x02\x10\x01"  # for ever, 1 ns apart
    with grpc.insecure_channel(server.address, options=NO_PROXY) as channel:
        method = channel.unary_stream("/greet.GreetService/GreetStream")
        streams = [method(request) for _ in range(40)]
        for stream in streams:
            next(stream)
        for stream in streams[:20]:
            stream.cancel()
        server.process.terminate()
        for stream in streams[20:]:
            stream.cancel()
    assert server.wait() == 0


def test_an_interval_beyond_all_counting_is_only_long(serve):
    server = serve()
    request = b"\x1a\x0a\x08" + b"\xff" * 8 + b"\x7f"  # 9223372036854775807 s
    with grpc.insecure_channel(server.address, options=NO_PROXY) as channel:
        stream = channel.unary_stream("/greet.GreetService/GreetStream")(request)
        next(stream)
        stream.cancel()
    with server.channel() as channel:
        assert channel.greet("A").ok == 1


def test_a_control_socket_in_use_is_refused(serve, tmp_path):
    serve("--control", str(tmp_path / "c"))
    second = subprocess.run(
        [executables.path("greet-server"), "--listen", free_ip(), "--control", tmp_path / "c"],
        capture_output=True,
        text=True,
        timeout=START,
    )
    assert second.returncode == 1
    assert second.stderr == f"greet-server: control socket {tmp_path / 'c'}: in use\n"
    _core.ControlClient(str(tmp_path / "c")).set_serving(True)  # the first still has it


def test_a_lifeline_that_is_not_there_is_named():
    said = subprocess.run(
        [executables.path("greet-server"), "--lifeline", "99"], capture_output=True, text=True
    )
    assert said.returncode == 1
    assert said.stderr == "greet-server: --lifeline 99: no such open descriptor\n"


def test_the_grace_bounds_how_long_it_drains(serve):
    server = serve("--service-time", "1000s", "--grace", "200ms")
    with grpc.insecure_channel(server.address, options=NO_PROXY) as channel:
        call = channel.unary_unary("/greet.GreetService/Greet").future(b"")
        channel.unary_unary("/grpc.health.v1.Health/Check")(b"")
        server.process.terminate()
        assert server.wait() == 0
        assert call.exception().code() == grpc.StatusCode.UNAVAILABLE


def test_a_second_signal_ends_it_at_once(serve):
    server = serve("--service-time", "1000s", "--grace", "1000s")
    with grpc.insecure_channel(server.address, options=NO_PROXY) as channel:
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
        next(watch)
        call = channel.unary_unary("/greet.GreetService/Greet").future(b"")
        channel.unary_unary("/grpc.health.v1.Health/Check")(b"")
        server.process.terminate()
        assert next(watch) == b"\x08\x02"  # the first signal has been taken
        server.process.send_signal(signal.SIGTERM)
        assert server.wait() == 128 + signal.SIGTERM
        assert call.exception() is not None


def test_it_ends_when_its_lifeline_does():
    reader, writer = os.pipe()
    server = Server("--lifeline", str(reader), pass_fds=[reader]).serving()
    os.close(reader)
    assert server.process.poll() is None
    os.close(writer)
    assert server.wait() == 0
    server.process.communicate()


def test_an_address_in_use_is_refused_with_its_name(serve):
    first = serve()
    ip, port = first.address.split(":")
    second = subprocess.run(
        [executables.path("greet-server"), "--listen", ip, "--port", port],
        capture_output=True,
        text=True,
        timeout=START,
    )
    assert second.returncode == 1
    assert second.stderr == f"greet-server: bind {first.address}: address in use\n"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--listen", "nowhere"], "bind nowhere:50051: not an IP address"),
        (["--service-time", "5"], "a number has its unit"),
        (["--service-time", "9ms..5ms"], "the first is above the second"),
        (["--max-connection-age", "soon"], "expected a number and a unit"),
        (["--error-rate", "2"], "--error-rate"),
        (["--port", "70000"], "--port"),
        (["--prot", "1"], "--prot"),
    ],
)
def test_a_bad_argument_gets_a_sentence(flags, said):
    ended = subprocess.run(
        [executables.path("greet-server"), *flags], capture_output=True, text=True, timeout=START
    )
    assert ended.returncode != 0
    assert said in ended.stderr
    assert ended.stdout == ""
