"""The ClusterIP proxy as a process: what becomes of each connection, and what it tells about it.

Nothing here sleeps. A test is the client and the pods at once, on plain sockets, and waits for
facts; the kernel completes the handshakes that nobody has accepted yet.
"""

from __future__ import annotations

import json
import os
import random
import resource
import select
import signal
import socket
import struct
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from greetlab.executables import path

CLUSTERIP = os.environ.get("GREETLAB_CLUSTERIP") or path("clusterip")
"""./run guard has one of its own."""
PATIENCE = 10.0  # seconds until a wait is a failure
NET = f"127.255.{random.randrange(1, 255)}"  # no cluster uses 127.255
Fact = dict[str, Any]


def text(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"


class Pod:
    """A listening socket on an address of its own."""

    def __init__(self, number: int) -> None:
        self.listener = socket.create_server((f"{NET}.{number}", 0), backlog=2000)
        self.listener.settimeout(PATIENCE)
        self.address = text(self.listener.getsockname())

    def accept(self) -> socket.socket:
        connection, _ = self.listener.accept()
        connection.settimeout(PATIENCE)
        return connection

    def is_asked(self) -> bool:
        return bool(select.select([self.listener], [], [], 0)[0])


class ClusterIP:
    """A clusterip process; `facts` grows as it tells them."""

    def __init__(
        self,
        endpoints: str = "",
        *flags: str,
        listen: str = f"{NET}.200:0",
        seed: int = 1,
    ) -> None:
        self.process = subprocess.Popen(
            [CLUSTERIP, "--listen", listen, "--endpoints", endpoints, "--seed", str(seed), *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.facts: list[Fact] = []
        self.news = threading.Condition()
        self.reader = threading.Thread(target=self._read)
        first = self.process.stdout.readline()
        assert first, self.process.stderr.read()
        assert first.startswith('{"fact":"listening",')
        self.address = json.loads(first)["address"]

    def _read(self) -> None:
        for line in self.process.stdout:
            with self.news:
                self.facts.append(json.loads(line))
                self.news.notify_all()

    def told(self, *kinds: str, count: int = 1) -> list[Fact]:
        """Waits until there are `count` facts of these kinds, and returns all of them."""
        if not self.reader.ident:
            self.reader.start()

        def of_these_kinds() -> list[Fact]:
            return [fact for fact in self.facts if fact["fact"] in kinds]

        with self.news:
            came = self.news.wait_for(lambda: len(of_these_kinds()) >= count, PATIENCE)
            assert came, f"{count} of {kinds} did not come: {self.facts}"
            return of_these_kinds()

    def command(self, line: str) -> None:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def complaint(self) -> str:
        assert select.select([self.process.stderr], [], [], PATIENCE)[0], "no complaint"
        return self.process.stderr.readline()

    def set_endpoints(self, *endpoints: str) -> None:
        before = sum(fact["fact"] == "endpoints" for fact in self.facts)
        self.command("endpoints " + ",".join(endpoints))
        assert self.told("endpoints", count=before + 1)[-1]["endpoints"] == list(endpoints)

    def connect(self, source: str = "") -> socket.socket:
        ip, port = self.address.split(":")
        return socket.create_connection(
            (ip, int(port)), timeout=PATIENCE, source_address=(source, 0) if source else None
        )

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def resident_kilobytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.reader.ident:
            self.reader.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()


class Lab:
    """Makes pods, proxies and connections, and closes them all."""

    def __init__(self, closing: ExitStack) -> None:
        self.closing = closing

    def pods(self, count: int) -> list[Pod]:
        pods = [Pod(number) for number in range(1, count + 1)]
        for pod in pods:
            self.closing.callback(pod.listener.close)
        return pods

    def proxy(self, *pods: Pod, flags: tuple[str, ...] = (), **options: Any) -> ClusterIP:
        proxy = ClusterIP(",".join(pod.address for pod in pods), *flags, **options)
        self.closing.callback(proxy.close)
        return proxy

    def keep(self, connection: socket.socket) -> socket.socket:
        self.closing.callback(connection.close)
        return connection

    def pair(self, proxy: ClusterIP, pod: Pod) -> tuple[socket.socket, socket.socket]:
        """One connection through the proxy: the client's end and the pod's."""
        return self.keep(proxy.connect()), self.keep(pod.accept())


@pytest.fixture
def lab() -> Iterator[Lab]:
    with ExitStack() as closing:
        yield Lab(closing)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def receive(connection: socket.socket, size: int) -> bytes:
    """`size` bytes, or all there are before the end of the stream."""
    received = b""
    while len(received) < size and (data := connection.recv(size - len(received))):
        received += data
    return received


def count_all(connection: socket.socket) -> int:
    """How many bytes come before the end of the stream."""
    count = 0
    while data := connection.recv(1 << 20):
        count += len(data)
    return count


def fill(connection: socket.socket, limit: int) -> int:
    """Sends until nobody takes any more, or `limit` bytes: how many were taken."""
    connection.setblocking(False)
    taken = 0
    while taken < limit and select.select([], [connection], [], 0.3)[1]:
        taken += connection.send(bytes(64 * 1024))
    connection.settimeout(PATIENCE)
    return taken


# Which endpoint a connection gets


def test_requests_on_one_connection_never_move(lab: Lab) -> None:
    pods = lab.pods(3)
    proxy = lab.proxy(*pods)
    client = lab.keep(proxy.connect())
    chosen = proxy.told("opened")[0]["endpoint"]
    pod = next(pod for pod in pods if pod.address == chosen)
    server = lab.keep(pod.accept())

    for number in range(100):
        request = f"request {number:3}".encode()
        client.sendall(request)
        assert receive(server, len(request)) == request
        server.sendall(request.upper())
        assert receive(client, len(request)) == request.upper()

    assert not any(pod.is_asked() for pod in pods)
    assert len(proxy.told("opened")) == 1


def choices(lab: Lab, pods: list[Pod], seed: int, count: int) -> list[str]:
    proxy = lab.proxy(*pods, seed=seed)
    for number in range(count):
        with proxy.connect():
            proxy.told("opened", count=number + 1)
    return [fact["endpoint"] for fact in proxy.told("opened")]


def test_connections_spread_evenly_but_by_chance(lab: Lab) -> None:
    chosen = choices(lab, lab.pods(3), seed=1, count=600)
    # 200 each is expected, with a standard deviation of 11.5; a repeat in one case of three, 11.5.
    assert all(150 <= times <= 250 for times in Counter(chosen).values())
    repeats = sum(before == after for before, after in pairwise(chosen))
    assert 150 <= repeats <= 250, "in turns, not by chance"


def test_the_same_seed_makes_the_same_choices(lab: Lab) -> None:
    pods = lab.pods(3)
    first = choices(lab, pods, seed=7, count=40)
    assert choices(lab, pods, seed=7, count=40) == first
    assert choices(lab, pods, seed=8, count=40) != first


def test_a_removed_endpoint_keeps_its_connections_and_gets_no_new_ones(lab: Lab) -> None:
    old, new = lab.pods(2)
    proxy = lab.proxy(old)
    client, server = lab.pair(proxy, old)

    proxy.set_endpoints(new.address)
    for _ in range(10):
        lab.pair(proxy, new)

    assert not old.is_asked()
    client.sendall(b"still here?")
    assert receive(server, 11) == b"still here?"


# When nobody answers


def assert_is_reset(proxy: ClusterIP) -> None:
    # The reset can be as fast as the connect, which then reports it.
    with pytest.raises(ConnectionResetError), proxy.connect() as client:
        client.recv(1)


def test_without_endpoints_a_connection_is_reset(lab: Lab) -> None:
    proxy = lab.proxy()
    assert_is_reset(proxy)
    (failed,) = proxy.told("failed")
    assert (failed["endpoint"], failed["reason"]) == (None, "no endpoints")

    (pod,) = lab.pods(1)
    proxy.set_endpoints(pod.address)
    lab.pair(proxy, pod)
    proxy.set_endpoints()
    assert_is_reset(proxy)


def test_a_dead_endpoint_resets_the_connection(lab: Lab) -> None:
    (dead,) = lab.pods(1)
    dead.listener.close()
    proxy = lab.proxy(dead)
    assert_is_reset(proxy)
    (failed,) = proxy.told("failed")
    assert (failed["endpoint"], failed["reason"]) == (dead.address, "connection refused")


def test_the_other_endpoints_are_not_tried(lab: Lab) -> None:
    dead, alive = lab.pods(2)
    dead.listener.close()
    proxy = lab.proxy(dead, alive)
    for number in range(1, 21):
        with suppress(ConnectionResetError), proxy.connect():
            outcome = proxy.told("opened", "failed", count=number)[-1]
            assert outcome["id"] == number
            assert outcome["endpoint"] == (
                alive.address if outcome["fact"] == "opened" else dead.address
            )
            if outcome["fact"] == "opened":
                alive.accept().close()
    kinds = Counter(fact["fact"] for fact in proxy.told("opened", "failed", count=20))
    assert min(kinds["opened"], kinds["failed"]) > 3
    assert not alive.is_asked()


# What is told about a connection


def test_the_facts_join_what_the_client_and_the_pod_saw(lab: Lab) -> None:
    (pod,) = lab.pods(1)
    proxy = lab.proxy(pod)
    client, server = lab.pair(proxy, pod)
    (opened,) = proxy.told("opened")
    assert opened["source"] == text(client.getsockname())
    assert opened["upstream"] == text(server.getpeername())
    assert opened["endpoint"] == pod.address


def test_facts_are_in_order_on_the_clock_that_all_processes_share(lab: Lab) -> None:
    (pod,) = lab.pods(1)
    proxy = lab.proxy(pod)
    before = time.monotonic_ns()
    for connection in lab.pair(proxy, pod):
        connection.close()
    opened, closed = proxy.told("opened", "closed", count=2)
    assert before < opened["time_ns"] < closed["time_ns"] < time.monotonic_ns()
    assert opened["id"] == closed["id"] == 1


# How a connection ends


@pytest.mark.parametrize("by", ["client", "endpoint"])
def test_the_end_of_one_direction_passes_through_while_the_other_goes_on(lab: Lab, by: str) -> None:
    (pod,) = lab.pods(1)
    proxy = lab.proxy(pod)
    client, server = lab.pair(proxy, pod)
    first, second = (client, server) if by == "client" else (server, client)

    first.sendall(b"that is all")
    first.shutdown(socket.SHUT_WR)
    assert receive(second, 100) == b"that is all"
    second.sendall(b"not from me")
    assert receive(first, 11) == b"not from me"
    second.sendall(b", bye")
    second.close()
    assert receive(first, 100) == b", bye"

    (closed,) = proxy.told("closed")
    assert (closed["by"], closed["reset"]) == (by, False)
    up, down = (11, 16) if by == "client" else (16, 11)
    assert (closed["bytes_up"], closed["bytes_down"]) == (up, down)


@pytest.mark.parametrize("by", ["client", "endpoint"])
def test_a_reset_is_passed_on_as_a_reset(lab: Lab, by: str) -> None:
    (pod,) = lab.pods(1)
    proxy = lab.proxy(pod)
    client, server = lab.pair(proxy, pod)
    proxy.told("opened")
    first, second = (client, server) if by == "client" else (server, client)
    reset(first)
    (closed,) = proxy.told("closed")
    assert (closed["by"], closed["reset"]) == (by, True)
    with pytest.raises(ConnectionResetError):
        receive(second, 1)


def test_what_was_sent_before_the_end_arrives_however_late(lab: Lab) -> None:
    (pod,) = lab.pods(1)
    proxy = lab.proxy(pod)
    client, server = lab.pair(proxy, pod)
    sent = fill(client, limit=256 << 20)
    client.shutdown(socket.SHUT_WR)
    server.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b""
    assert count_all(server) == sent
    (closed,) = proxy.told("closed")
    assert (closed["bytes_up"], closed["by"], closed["reset"]) == (sent, "endpoint", False)


def test_a_reset_after_the_end_of_a_direction_is_passed_on(lab: Lab) -> None:
    (pod,) = lab.pods(1)
    proxy = lab.proxy(pod)
    client, server = lab.pair(proxy, pod)
    client.shutdown(socket.SHUT_WR)
    assert receive(server, 1) == b""
    reset(client)
    (closed,) = proxy.told("closed")
    assert (closed["by"], closed["reset"]) == ("client", True)
    with pytest.raises(BrokenPipeError):  # what a reset is to one who has seen the end already
        server.send(b"anyone?")


def test_a_client_that_gives_up_on_a_stuck_pod_is_noticed(lab: Lab) -> None:
    (pod,) = lab.pods(1)
    proxy = lab.proxy(pod)
    client, _server = lab.pair(proxy, pod)
    fill(client, limit=256 << 20)
    reset(client)
    (closed,) = proxy.told("closed")
    assert (closed["by"], closed["reset"]) == ("client", True)


# Load


def test_a_slow_reader_holds_memory_bounded(lab: Lab) -> None:
    (pod,) = lab.pods(1)
    proxy = lab.proxy(pod)
    client, server = lab.pair(proxy, pod)
    proxy.told("opened")
    before = proxy.resident_kilobytes()

    taken = fill(client, limit=512 << 20)
    assert taken < 512 << 20, "the client was never held back"
    assert proxy.resident_kilobytes() - before < 2048

    client.shutdown(socket.SHUT_WR)
    assert count_all(server) == taken


def test_1000_connections_at_once(lab: Lab) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    pods = lab.pods(3)
    proxy = lab.proxy(*pods)
    clients = [lab.keep(proxy.connect()) for _ in range(1000)]
    chosen = Counter(fact["endpoint"] for fact in proxy.told("opened", count=1000))
    servers = [lab.keep(pod.accept()) for pod in pods for _ in range(chosen[pod.address])]

    for number, client in enumerate(clients):
        client.sendall(number.to_bytes(4))
    for server in servers:
        server.sendall(receive(server, 4))
    assert [int.from_bytes(receive(client, 4)) for client in clients] == list(range(1000))


def test_thousands_of_connections_leave_nothing(lab: Lab) -> None:
    [pod] = lab.pods(1)
    proxy = lab.proxy(pod)
    before = proxy.descriptors()
    for round_ in range(1, 31):
        clients = [proxy.connect() for _ in range(100)]
        servers = [pod.accept() for _ in clients]
        for end in (*clients, *servers):
            end.close()
        proxy.told("closed", count=100 * round_)
    assert proxy.descriptors() == before
    assert {fact["bytes_up"] + fact["bytes_down"] for fact in proxy.told("closed")} == {0}


def test_endpoints_may_change_while_connections_come(lab: Lab) -> None:
    pods = lab.pods(4)
    proxy = lab.proxy(*pods[:2])
    for half in (pods[:2], pods[2:]) * 25:
        proxy.set_endpoints(*(pod.address for pod in half))
        known = len(proxy.facts)
        client = lab.keep(proxy.connect())
        opened = proxy.told(
            "opened", count=sum(f["fact"] == "opened" for f in proxy.facts[:known]) + 1
        )
        assert opened[-1]["endpoint"] in {pod.address for pod in half}
        pod = next(pod for pod in half if pod.address == opened[-1]["endpoint"])
        server = lab.keep(pod.accept())
        client.sendall(b"ping")
        assert receive(server, 4) == b"ping"


# sessionAffinity: ClientIP.


def chosen_for(proxy: ClusterIP, sources: list[str]) -> list[str]:
    """The endpoints of connections made one after the other from these addresses."""
    before = sum(fact["fact"] == "opened" for fact in proxy.facts)
    for number, source in enumerate(sources, start=1):
        proxy.connect(source).close()
        proxy.told("opened", count=before + number)
    return [fact["endpoint"] for fact in proxy.told("opened")[before:]]


def test_with_affinity_a_client_comes_back_to_its_endpoint(lab: Lab) -> None:
    proxy = lab.proxy(*lab.pods(3), flags=("--session-affinity", "3h"))
    sources = [f"{NET}.{number}" for number in range(100, 120)]
    first = chosen_for(proxy, sources)
    assert len(set(first)) == 3  # clients are shared out as ever
    assert chosen_for(proxy, sources * 2) == first * 2


def test_without_affinity_it_does_not_matter_who_comes(lab: Lab) -> None:
    proxy = lab.proxy(*lab.pods(3))
    assert len(set(chosen_for(proxy, [f"{NET}.100"] * 30))) == 3


def test_affinity_ends_with_its_time(lab: Lab) -> None:
    proxy = lab.proxy(*lab.pods(3), flags=("--session-affinity", "0"))
    assert len(set(chosen_for(proxy, [f"{NET}.100"] * 30))) == 3


def test_affinity_ends_with_the_endpoint(lab: Lab) -> None:
    pods = lab.pods(3)
    proxy = lab.proxy(*pods, flags=("--session-affinity", "3h"))
    [before] = chosen_for(proxy, [f"{NET}.100"])
    others = [pod.address for pod in pods if pod.address != before]
    proxy.set_endpoints(*others)
    [after] = chosen_for(proxy, [f"{NET}.100"])
    assert after in others
    proxy.set_endpoints(*(pod.address for pod in pods))
    assert chosen_for(proxy, [f"{NET}.100"] * 9) == [after] * 9  # what came last counts


def test_a_reader_who_stops_reading_costs_facts_and_nothing_else(lab: Lab) -> None:
    (pod,) = lab.pods(1)
    proxy = lab.proxy(pod)
    long_command = "endpoints " + ",".join([pod.address] * 1000)
    for _ in range(300):  # some 6 MB of acknowledgements, which nobody reads
        proxy.command(long_command)
    proxy.command("are they through?")
    assert proxy.complaint()
    client, server = lab.pair(proxy, pod)
    client.sendall(b"hello")
    assert receive(server, 5) == b"hello"

    proxy.command(f"endpoints {pod.address}")
    acknowledged = proxy.told("endpoints", count=301)  # never dropped, or commands would hang
    (dropped,) = proxy.told("dropped")
    assert dropped["count"] == 1  # `opened`
    assert proxy.facts[-2:] == [dropped, acknowledged[-1]]  # it stands where the gap is
    client.close()
    server.close()
    proxy.told("closed")


# The process


def test_it_listens_only_where_it_was_told(lab: Lab) -> None:
    proxy = lab.proxy()
    _, port = proxy.address.split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((f"{NET}.201", int(port)), timeout=PATIENCE)


def test_it_leaves_when_its_parent_is_gone(lab: Lab) -> None:
    (pod,) = lab.pods(1)
    proxy = lab.proxy(pod)
    client, _server = lab.pair(proxy, pod)
    proxy.process.stdin.close()
    assert proxy.process.wait(PATIENCE) == 0
    assert client.recv(1) == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once(lab: Lab, number: signal.Signals) -> None:
    (pod,) = lab.pods(1)
    proxy = lab.proxy(pod)
    client, _server = lab.pair(proxy, pod)
    proxy.process.send_signal(number)
    assert proxy.process.wait(PATIENCE) == 0
    assert client.recv(1) == b""

    # Its end of the connection is in TIME_WAIT now, which must not keep the address from the next.
    client.close()
    assert lab.proxy(pod, listen=proxy.address).address == proxy.address


def test_a_bad_command_says_what_was_expected_and_changes_nothing(lab: Lab) -> None:
    (pod,) = lab.pods(1)
    proxy = lab.proxy(pod)
    for command, complaint in {
        "scale 3": "clusterip: 'scale 3' (expected: endpoints IP:PORT,IP:PORT,...)",
        "endpoints here": "clusterip: address 'here': no port",
        "endpoints here:1": "clusterip: 'here' is not an IP address",
    }.items():
        proxy.command(command)
        assert proxy.complaint().startswith(complaint)
    lab.pair(proxy, pod)
    assert proxy.process.poll() is None


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "clusterip: --listen is required\n"),
        (["--listen", "nowhere:1"], "clusterip: 'nowhere' is not an IP address\n"),
        (["--listen", f"{NET}.1:0", "--endpoints", "x"], "clusterip: address 'x': no port "),
        (["--listen", f"{NET}.1:0", "--seed", "x"], "clusterip: Could not convert: --seed = x\n"),
    ],
)
def test_bad_arguments_are_one_sentence(arguments: list[str], complaint: str) -> None:
    done = subprocess.run([CLUSTERIP, *arguments], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(complaint)
    assert done.stderr.count("\n") == 1


def test_an_address_in_use_is_refused_by_name(lab: Lab) -> None:
    taken = lab.proxy().address
    done = subprocess.run([CLUSTERIP, "--listen", taken], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == f"clusterip: listen on {taken}: Address already in use\n"
    assert done.stdout == ""
