"""The lab's own channel at its limits: descriptors, forks, closing between two calls, IPv6."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support import free_ip, wait_until

import greetlab as gl
from greetlab.channels.channel import Channel
from greetlab.channels.options import ENGINES
from greetlab.executables import path


@pytest.fixture(scope="module")
def cluster():
    with gl.Cluster.local(pods=2, seed=23) as cluster:
        yield cluster


def python(program, *arguments, timeout=30):
    """Runs a program of its own, whose freed memory says so: glibc fills it."""
    said = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", program, *arguments],
        capture_output=True, text=True, timeout=timeout,
        env=os.environ | {"MALLOC_PERTURB_": "165"},
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    return said.stdout.split()


LATE_ANSWERS = """
import socket, threading, dns.message, greetlab as gl
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 0))
held = []
def collect():
    while True:
        held.append(server.recvfrom(4096))
threading.Thread(target=collect, daemon=True).start()
target = "dns://127.0.0.1:%d/greet.example.:1" % server.getsockname()[1]
with gl.Channel(target, connection_per_call=True) as channel:
    for _ in range(20):
        asked, before = held[:], len(held)
        for question, client in asked:
            answer = dns.message.make_response(dns.message.from_wire(question))
            server.sendto(answer.to_wire(), client)
        del held[:before]
        print(channel.load(20, concurrency=5, timeout=0.02).ok)
"""


def test_a_dns_answer_may_come_after_its_channel_has_gone():
    assert python(LATE_ANSWERS) == ["0"] * 20


NO_DESCRIPTORS = """
import os, resource, greetlab as gl
gl.Channel("static:127.255.255.1:1").greet("A")  # what gRPC itself opens, once
with gl.Channel("dns://127.0.0.1:1/greet.example.:1", policy="round_robin") as channel:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    first = channel.greet("A")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(first.by_status, first.errors, sep="|")
    print(channel.greet("A", timeout=9, wait_for_ready=False).by_status)
print(channel.state)
"""


def test_without_descriptors_a_lookup_fails_like_any_other():
    said = " ".join(python(NO_DESCRIPTORS))
    assert "{'UNAVAILABLE': 1}|" in said
    assert "Too many open files" in said
    assert said.endswith("{'UNAVAILABLE': 1} SHUTDOWN")


CLOSED_BETWEEN_CALLS = """
import sys, threading, greetlab as gl
from support import wait_until
with gl.Channel(sys.argv[1]) as channel:
    results = []
    def load():
        results.append(channel.load(1000, every=0.2))
    caller = threading.Thread(target=load)
    caller.start()
    wait_until(lambda: channel.trace.of("CallEnded"))
    channel.close()
    caller.join()
print(results[0].ok, len(results[0]))
"""


def test_closing_between_two_calls_ends_an_open_loop(cluster, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    pod = f"static:{cluster.pods[0].ip}:{cluster.port}"
    ok, n = python(CLOSED_BETWEEN_CALLS, pod)
    assert 1 <= int(ok) <= 3
    assert n == "1000"


def test_closing_between_two_calls_ends_an_open_loop_in_the_sim():
    core = gl.Cluster.sim(pods=1, seed=1)
    channel = core.channel("greetserver")._channel
    load = channel.start_load(100, 1, 1.0, 5.0, False, [], "", 0)
    core.run(1.5)
    assert load.ended == 2
    channel.close()
    assert load.done
    core.run(5)


def test_greet_client_says_when_its_report_cannot_be_written(cluster):
    pod = f"static:{cluster.pods[0].ip}:{cluster.port}"
    with Path("/dev/full").open("w") as full:
        said = subprocess.run([path("greet-client"), pod], stdout=full, stderr=subprocess.PIPE)
    assert (said.returncode, said.stderr) == (
        2, b"greet-client: write the report: No space left on device\n"
    )  # fmt: skip


def test_greet_client_that_is_stopped_before_its_first_call_makes_none(cluster):
    # One pod answers, the other never will: --wait-ready waits.
    targets = f"static:{free_ip()}:1,{cluster.pods[0].ip}:{cluster.port}"
    with subprocess.Popen(
        [path("greet-client"), targets, "--policy", "round_robin", "--wait-ready", "--deadline",
         "50s", "-n", "100000", "--trace", "-"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as client:  # fmt: skip
        wait_until(lambda: catches(client.pid, signal.SIGINT))
        client.send_signal(signal.SIGINT)
        out, said = client.communicate(timeout=20)
    assert (client.returncode, out) == (2, b"")
    assert said == b"greet-client: interrupted before the first call\n"


def catches(pid, number):
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(next(line.split()[1] for line in status.splitlines() if "SigCgt" in line), 16)
    return caught >> (number - 1) & 1


FORKED = """
import os, greetlab as gl
channel = gl.Channel("static:127.255.255.1:1", engine="{engine}")
if os.fork() == 0:
    for look in (lambda: channel.state, lambda: channel.subchannels, lambda: repr(channel)):
        try:
            look()
        except RuntimeError:
            print("refused", flush=True)
    os._exit(0)
os.wait()
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_a_forked_child_may_not_even_look(engine):
    assert python(FORKED.format(engine=engine)) == ["refused"] * 3


def test_a_time_is_refused_that_would_not_fit_after_years_of_uptime():
    with pytest.raises(ValueError, match="0 to 9e9"):
        Channel("static:127.0.0.1:1", cooldown=9.1e9)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_open_loop_keeps_its_rate(cluster, engine):
    with Channel(f"static:{cluster.pods[0].ip}:{cluster.port}", engine=engine) as channel:
        calls = channel.wait_ready().load(2000, every=0.0001)
    # As fast as it can where 0.1 ms is too little; but never a wait between late ones.
    gaps = calls.start_ns[1:] - calls.start_ns[:-1]
    assert gaps.min() < 90_000


@pytest.mark.parametrize("engine", ENGINES)
def test_ipv6(engine):
    with subprocess.Popen(
        [path("greet-server"), "--listen", "::1", "--port", "0", "--pod-name", "six"],
        stdout=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        port = server.stdout.readline().rpartition(":")[2].strip()
        with Channel(f"static:[::1]:{port}", engine=engine) as channel:
            calls = channel.greet("A", wait_for_ready=True)
            shown = [(view.address, view.local_addresses) for view in channel.subchannels]
        server.terminate()
    assert calls.by_pod == {"six": 1}
    assert shown == [(f"[::1]:{port}", [peer for _, peer in calls.connections])]


@pytest.mark.parametrize("code", ["UNAVAILABLE", "INTERNAL", "UNIMPLEMENTED", "UNKNOWN"])
def test_a_server_may_answer_the_first_question_as_it_likes(code):
    import grpc

    def health(_request, context):
        context.abort(grpc.StatusCode[code], "how are you yourself?")

    calls = {"/grpc.health.v1.Health/Check": health, "/greet.GreetService/Greet": lambda *_: b""}

    class Handler(grpc.GenericRpcHandler):
        def service(self, details):
            return grpc.unary_unary_rpc_method_handler(calls[details.method])

    server = grpc.server(ThreadPoolExecutor(2), handlers=[Handler()])
    ip = free_ip()
    port = server.add_insecure_port(f"{ip}:0")
    server.start()
    try:
        with Channel(f"static:{ip}:{port}") as channel:
            assert channel.wait_ready(timeout=5).greet("A").ok == 1
    finally:
        server.stop(0).wait()
