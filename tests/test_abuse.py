"""What strangers do to the servers, a second each; all of it: tests/abuse, ./run guard abuse."""

import contextlib
import json
import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support import wait_until
from test_gateway import Gateway, cluster, gateway  # noqa: F401  (fixtures)
from test_greet_server import serve  # noqa: F401

import greetlab as gl
from greetlab import executables

sys.path.append(str(Path(__file__).parent / "abuse"))

import http2_floods as floods
from rig import address_of, pour, rss

# greet-server.


@pytest.mark.parametrize(
    ("flood", "why"),
    [
        (floods.open_streams, "it has too many calls at once"),
        (floods.rapid_reset, "it cancels calls faster than they can be served"),
        (floods.continuation, "the headers of a call do not end"),
        (floods.endless_header, "the headers of a call do not end"),
        (floods.settings, "it sends frames that ask for nothing, faster than they can be read"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("ack", [True, False], ids=["", "without an ACK"])
def test_who_floods_a_server_is_cut_off_and_others_are_served(serve, flood, why, ack):  # noqa: F811
    server = serve()
    with server.channel() as others:
        assert others.load(20).by_status == {"OK": 20}
        where = address_of(server.address)
        start = floods.start(ack)
        for _ in range(2):  # cut, not slowed: it ends long before the time is over
            began = time.monotonic()
            pour(where, start, flood, 10, again=False)
            assert time.monotonic() - began < 8
        assert others.load(20).by_status == {"OK": 20}
    assert rss(server.process.pid, "VmHWM") < 60
    server.process.kill()
    said = server.process.communicate()[1].splitlines()
    assert len(said) == 1  # once, not once each
    assert re.fullmatch(rf"greet-server: 127\.\S+ port \d+ is cut off: {why}\. .*", said[0])


def test_a_client_that_cancels_what_it_may_have_at_once_is_no_flood(serve):  # noqa: F811
    server = serve("--service-time", "10s")
    pieces = [
        floods.frame(floods.HEADERS, floods.END_HEADERS, n, floods.GREET)
        + floods.frame(floods.DATA, floods.END_STREAM, n, floods.NOTHING)
        for n in range(1, 200, 2)
    ]
    resets = [floods.frame(floods.RST_STREAM, 0, n, bytes(4)) for n in range(1, 200, 2)]
    with socket.create_connection(address_of(server.address), timeout=5) as client:
        client.sendall(floods.start() + b"".join(pieces) + b"".join(resets))
        client.sendall(floods.frame(floods.PING, 0, 0, b"12345678"))
        got = b""
        while b"12345678" not in got:
            more = client.recv(4096)
            assert more
            got += more


def test_a_connection_that_is_silent_gives_way(serve):  # noqa: F811
    server = serve(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128)))
    with contextlib.ExitStack() as stack, server.channel() as others:
        assert others.load(1).by_status == {"OK": 1}
        for _ in range(200):  # more than it has descriptors for
            stack.enter_context(socket.create_connection(address_of(server.address)))
        assert others.load(20).by_status == {"OK": 20}
        with server.channel() as newcomer:
            wait_until(lambda: newcomer.greet("Ada").by_status == {"OK": 1})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("kind", ["abstract", "file"])
def test_the_control_socket_is_the_owners(serve, kind, tmp_path):  # noqa: F811
    path = f"@greetlab-test-{os.getpid()}" if kind == "abstract" else "/tmp/greetlab-test-control"
    server = serve("--control", path, user=65534)
    program = (
        "import socket, sys\n"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1].replace('@', '\\0'))\n"
        "s.settimeout(5)\n"
        "try: s.sendall(bytes.fromhex(sys.argv[2])); print(len(s.recv(9)))\n"
        "except ConnectionError: print(0)\n"
    )
    if kind == "file":
        Path(path).chmod(0o777)
    for user, answered in ((65534, "9"), (1, "0"), (0, "9")):
        done = subprocess.run(
            [sys.executable, "-c", program, path, floods.start().hex()],
            capture_output=True,
            text=True,
            user=user,
        )
        assert done.stdout.strip() == answered, done.stderr
    server.process.terminate()
    server.wait()


def test_what_has_taken_the_control_sockets_place_stays(serve, tmp_path):  # noqa: F811
    path = tmp_path / "control"
    read, write = os.pipe()
    server = serve("--control", str(path), "--lifeline", str(read), pass_fds=[read])
    path.unlink()
    path.write_text("mine")
    os.close(read)
    os.close(write)  # whereupon it ends at once
    server.wait()
    assert path.read_text() == "mine"


# greet-gateway.


def test_a_number_that_none_can_hold_is_400(gateway, cluster):  # noqa: F811
    one = gateway("--target", cluster.target("greetserver"))
    body = '{"first_name": "A", "last_name": "B", "x": 1e999}'
    response = one.ask("POST", "/greet", body, {"Content-Type": "application/json"})
    assert (response.status, response.text.split(" (")[0]) == (
        400, "the body has a number that no computer can hold",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("begin", "more", "status"),
    [
        ("5;x=", "y" * 1000, "431"),
        ("", "1;" + "y" * 1000 + "\r\n \r\n", "413"),
        ("0\r\n", "t: " + "y" * 1000 + "\r\n", "431"),
    ],
    ids=["an extension", "extensions", "trailers"],
)
def test_what_stands_between_the_chunks_has_a_bound(gateway, cluster, begin, more, status):  # noqa: F811
    one = gateway("--target", cluster.target("greetserver"))
    with one.raw("POST /greet HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n") as peer:
        got = []
        reader = threading.Thread(target=lambda: got.append(peer.recv(100)))
        reader.start()
        with contextlib.suppress(OSError):
            peer.sendall(begin.encode())
            for _ in range(1000):
                peer.sendall(more.encode())
        reader.join(10)
    assert got[0].startswith(f"HTTP/1.1 {status} ".encode())
    assert one.greet().status == 200


def test_half_requests_give_way(gateway, cluster):  # noqa: F811
    one = gateway("--target", cluster.target("greetserver"), "--max-connections", "20")
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(one.raw("POST /greet HTTP/1.1\r\nHost: x\r\n"))
        assert [one.greet().status for _ in range(20)] == [200] * 20


def test_a_client_that_has_gone_ends_its_call(gateway, cluster):  # noqa: F811
    with gl.Cluster.local(pods=1) as slow:
        pod = slow.pods[0]
        one = gateway("--target", slow.target("greetserver"), "--deadline", "30s").ready()
        slow.slow(getattr(pod, "name", pod), 20)
        body = json.dumps({"first_name": "A", "last_name": "B"})
        with one.raw(
            f"POST /greet HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ):
            pass
        wait_until(lambda: one.metrics().get(("calls_total", "", "CANCELLED")) == 1
                   or one.metrics().get(("calls_total", "CANCELLED", "")) == 1)  # fmt: skip


def test_few_descriptors_are_one_sentence(cluster):  # noqa: F811
    program = executables.path("greet-gateway")
    command = [
        "bash",
        "-c",
        'ulimit -n 15; exec "$@"',
        "-",
        program,
        "--target",
        "static:127.0.0.1:1",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    assert done.returncode == 1
    assert "15 descriptors" in done.stderr


# A load.


def test_a_load_that_no_memory_holds_is_one_sentence():
    with gl.Cluster.sim(pods=1) as small, pytest.raises(ValueError, match="50000000 at most"):
        small.channel("greetserver").load(10**9)  # 40 GB
