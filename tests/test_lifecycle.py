"""A local cluster under abuse: many rounds, many pods, taken addresses, few rights, no loopback."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

import greetlab as gl
from greetlab.clusters.local import discovery

ROOT = os.geteuid() == 0
CALL = """
import greetlab as gl
with gl.Cluster.local(pods=2) as cluster:
    with cluster.channel("greetserver-headless", policy="round_robin") as channel:
        channel.wait_ready(all=True)
        print(channel.greet("Ada", times=10).by_pod)
"""


def held():
    """What this process holds of the system."""
    me = psutil.Process()
    return {
        "threads": me.num_threads(),
        "processes": len(me.children(recursive=True)),
        "descriptors": me.num_fds(),
        "sockets": len(me.net_connections(kind="all")),
    }


def round_trip():
    with gl.Cluster.local(pods=1) as cluster, cluster.channel("greetserver") as channel:
        assert channel.greet().ok == 1


def test_a_hundred_rounds_grow_nothing():
    round_trip()  # gRPC's own threads, which stay
    before = held()
    for _ in range(100):
        round_trip()
    after = held()
    before["threads"] += 8  # gRPC keeps some for the next who needs one; they do not add up
    grown = {what: after[what] - before[what] for what in before if after[what] > before[what]}
    assert not grown


def test_a_hundred_pods():
    with gl.Cluster.local(pods=100) as cluster:
        channel = cluster.channel("greetserver-headless", policy="round_robin")
        channel.wait_ready(all=True)
        calls = channel.greet(times=200)
        assert calls.by_pod == {f"pod-{number}": 2 for number in range(1, 101)}


def test_several_clusters_in_several_threads_at_once():
    failures = []

    def live():
        try:
            for _ in range(3):
                round_trip()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=live) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_taken_networks_are_passed_over_and_without_any_it_says_so(monkeypatch):
    # Ports of its own: at the usual ones clusters of other tests come and go meanwhile.
    monkeypatch.setattr(discovery, "DNS_PORT", 10054)
    with ExitStack() as stack:
        servers = {}
        for number in range(1, 255):
            servers[number] = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            servers[number].bind((f"127.{number}.0.10", 10054))
        with pytest.raises(OSError, match=r"port 10054 is taken on all of .*close other"):
            gl.Cluster.local(pods=1, port=50098)
        servers[77].close()
        with gl.Cluster.local(pods=1, port=50098) as cluster:
            assert cluster.network == 77


def test_a_taken_port_of_a_pod_is_named():
    before = held()["processes"]
    with ExitStack() as stack:
        for number in range(1, 255):
            server = stack.enter_context(socket.socket())
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((f"127.{number}.1.1", 50099))
            server.listen()
        with pytest.raises(RuntimeError, match=r"pod-1 did not start: .*127\.\d+\.1\.1:50099"):
            gl.Cluster.local(pods=1, port=50099)
    assert held()["processes"] == before


def run(*command, **options):
    return subprocess.run(
        [*command, sys.executable, "-c", CALL],
        capture_output=True, text=True, timeout=30, **options,
    )  # fmt: skip


@pytest.mark.skipif(not ROOT, reason="only root can become nobody")
def test_somebody_without_rights_or_a_home_can_use_it(tmp_path):
    package = Path(gl.__file__)
    if not all(parent.stat().st_mode & 0o001 for parent in package.parents):
        pytest.skip(f"nobody else can read {package.parent}")
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TMPDIR": "/tmp"}
    said = run(user=65534, group=65534, extra_groups=[], env=environment, cwd="/")
    assert said.stdout == "{'pod-1': 5, 'pod-2': 5}\n", said.stderr


@pytest.mark.skipif(not ROOT or not shutil.which("unshare"), reason="needs root and unshare")
def test_a_system_without_loopback_addresses_is_told_what_to_do():
    said = run("unshare", "--net")  # a network of its own, in which lo is down
    assert said.returncode == 1
    assert "a local cluster needs all of 127.0.0.0/8 on the loopback interface" in said.stderr
    assert "(ip link set lo up)" in said.stderr


def test_it_can_be_imported_in_a_thread():
    code = f"import threading\nt = threading.Thread(target=exec, args=({CALL!r}, {{}}))\n"
    said = subprocess.run(
        [sys.executable, "-c", code + "t.start(); t.join()"],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert (said.stdout, said.stderr) == ("{'pod-1': 5, 'pod-2': 5}\n", "")


def test_everything_listens_on_loopback_only():
    with gl.Cluster.local(pods=2) as cluster:
        mine = psutil.Process()
        listening = [
            connection.laddr.ip.removeprefix("::ffff:")
            for process in (mine, *mine.children(recursive=True))
            for connection in process.net_connections(kind="inet")
            if connection.status == psutil.CONN_LISTEN
            or (connection.type == socket.SOCK_DGRAM and not connection.raddr)
        ]
        assert f"127.{cluster.network}.96.1" in listening
        assert [ip for ip in listening if not ip.startswith("127.")] == []
