"""`greetlab doctor --pid`: a client that runs already, by its connections in /proc."""

import contextlib
import os
import subprocess
import sys

import pytest
from command_line import greetlab

import greetlab as gl
from greetlab.commands.doctor import examine_client, own_client, sockets

CLIENT = """
import sys
import greetlab as gl
channel = gl.Channel(sys.argv[1], policy=sys.argv[2])
channel.wait_ready(all=sys.argv[2] == "round_robin")
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def cluster():
    with gl.Cluster.local(pods=3, seed=1) as cluster:
        yield cluster


@contextlib.contextmanager
def client(target, policy):
    """Somebody's program, connected; its pid."""
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, target, policy],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout.readline() == "ready\n"
            yield process.pid
        finally:
            process.kill()


def test_one_connection_is_sticky(cluster):
    target = cluster.target("greetserver-headless")
    with client(target, "pick_first") as pid:
        ended = greetlab("doctor", target, "--pid", pid, "--json")
        shown = greetlab("doctor", target, "--pid", pid).said
    assert ended.status == 1
    report = ended.document
    (end,) = report["connections"]
    assert report["sticky"] is True
    assert report["verdict"] == (
        f"Sticky: process {pid} has one connection, to {end}: all calls go there."
    )
    (finding,) = report["findings"]
    assert finding["remedy"] == "round_robin: the name has 3 addresses"
    assert f"process {pid}: {sys.executable} -c" in shown
    assert f"1 to {end}" in shown


def test_one_to_each_pod_is_not(cluster):
    target = cluster.target("greetserver-headless")
    with client(target, "round_robin") as pid:
        report = examine_client(pid, target)
        # A port will do for who does not know the pid.
        by_port = examine_client(None, None, cluster.port)
    ends = {f"{pod.ip}:{cluster.port}": 1 for pod in cluster.pods}
    assert (report.sticky, report.healthy, report.connections) == (False, True, ends)
    assert report.verdict.startswith(f"Not sticky: process {pid} has 3 connections, to 3 addresses")
    assert ends.items() <= by_port.connections.items()
    assert any("/proc has the connections, not the calls" in said for said in report.unknown)


def test_a_cluster_ip_is_one_address(cluster):
    target = cluster.target("greetserver")
    with client(target, "round_robin") as pid:
        report = examine_client(pid, target)
        alone = examine_client(pid, None)
    assert report.sticky
    assert report.connections == {f"{cluster.cluster_ip}:{cluster.port}": 1}
    assert report.findings[0].remedy == (
        "a headless Service, and round_robin: the name has a ClusterIP"
    )
    assert alone.connections == report.connections
    assert "greetlab doctor TARGET" in alone.findings[0].remedy


def test_pods_that_came_later_are_missed(cluster):
    with gl.Cluster.local(pods=2, seed=1) as small:
        target = small.target("greetserver-headless")
        with client(target, "round_robin") as pid:
            assert examine_client(pid, target).healthy
            small.scale(3)
            small.wait_ready(3)
            report = examine_client(pid, target)
        new = f"{small.pods[-1].ip}:{small.port}"
    assert not report.healthy
    (finding,) = report.findings
    assert (finding.subject, finding.level) == ("new pods", "bad")
    assert f"there is no connection to {new}" in finding.saw


def test_connections_elsewhere_are_told_apart(cluster):
    with (
        gl.Cluster.local(pods=1, seed=1) as other,
        client(other.target("greetserver-headless"), "pick_first") as pid,
    ):
        report = examine_client(pid, cluster.target("greetserver-headless"))
        end = f"{other.pods[0].ip}:{other.port}"
    assert (report.connections, report.unlisted) == ({}, {end: 1})
    assert any(finding.subject == "unlisted" for finding in report.findings)


def test_a_client_without_a_connection_is_not_judged(cluster):
    target = cluster.target("greetserver-headless")
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as idle:
        ended = greetlab("doctor", target, "--pid", idle.pid)
        idle.stdin.close()
    assert ended.status == 1
    assert f"Nothing to judge: process {idle.pid} has no connection to it now." in ended.said


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--pid", 2**22 + 1), "there is no such process"),
        (("--pid", "0"), "--pid"),
        (("--port", "70000"), "--port"),
        (("web:1", "--pid", os.getpid(), "--times", 5), "--times is about calls"),
        (("etcd:///web", "--pid", os.getpid()), "is no scheme"),
    ],
)
def test_what_makes_no_sense_is_status_2(arguments, why):
    ended = greetlab("doctor", *arguments)
    assert ended.status == 2
    assert why in ended.complaint


def test_another_user_s_process_is_said_to_be(monkeypatch):
    def refuse(pid):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(own_client.sockets, "inodes_of", refuse)
    assert "another user's: sudo" in greetlab("doctor", "--pid", os.getpid()).complaint


# /proc.


@pytest.mark.parametrize(
    ("digits", "end"),
    [
        ("0100007F:C383", "127.0.0.1:50051"),
        ("00000000000000000000000001000000:0050", "[::1]:80"),
        ("0000000000000000FFFF00000100007F:0050", "127.0.0.1:80"),  # an IPv4 peer of a v6 socket
    ],
)
def test_the_ends_of_sockets_are_read(monkeypatch, digits, end):
    monkeypatch.setattr(sockets.sys, "byteorder", "little")
    assert sockets._end(digits) == end


def test_the_proxy_that_it_was_started_with_is_found(cluster, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://ada:secret@127.0.0.1:9")
    target = cluster.target("greetserver-headless")
    with client(target, "round_robin") as pid:
        report = examine_client(pid, target)
    (finding,) = report.findings
    assert finding.saw == "it was started with https_proxy=http://127.0.0.1:9"
    assert finding.remedy.startswith("start it with no_proxy=greetserver-headless.default")
    assert not report.healthy
