"""What `greetlab doctor` finds beside the calls' ways: each fault is made, and has its evidence."""

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import dns.rdatatype
import grpc
import pytest
from bad_dns import PORT as BAD_DNS_PORT
from bad_dns import BadServer, answer, asked_for
from command_line import greetlab
from support import free_ip

import greetlab as gl
from greetlab.clusters.local import DNS_PORT
from greetlab.commands.doctor import examine_service, names, sockets
from greetlab.commands.doctor.certificate import Certificate
from greetlab.commands.doctor.tls_front import tls_fronts
from greetlab.dns.server import ClusterDns

PORT = 50073


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("grpc_proxy", "https_proxy", "http_proxy", "no_grpc_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def cluster():
    with gl.Cluster.local(pods=3, seed=1, service_port=8080) as cluster:
        yield cluster


@pytest.fixture
def dns_names():
    with ClusterDns(free_ip(), DNS_PORT) as served:
        yield served


@pytest.fixture(scope="module")
def foreign():
    ip = free_ip()
    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads)
        server.add_insecure_port(f"{ip}:{PORT}")
        server.start()
        yield ip
        server.stop(0).wait()


def found(report, subject):
    (one,) = [each for each in report.findings if each.subject == subject]
    return one


def subjects(report):
    return {each.subject for each in report.findings}


# DNS.


def a_only(ip):
    """A DNS server that answers A, and to AAAA (and SRV) nothing, ever."""

    def udp(question):
        if question.question[0].rdtype == dns.rdatatype.A:
            return [answer(question, (asked_for(question), "A", ip))]
        return []

    return udp


def test_a_dns_that_never_answers_aaaa_is_found(foreign, monkeypatch):
    monkeypatch.setattr(names, "_PATIENCE", 0.2)
    with BadServer(udp=a_only(foreign)) as server:
        target = f"dns://{server.address}:{BAD_DNS_PORT}/web.example.:{PORT}"
        report = examine_service(target, times=2, timeout=0.3)
    assert report.addresses == [f"{foreign}:{PORT}"]  # and the calls were made all the same
    assert report.speaks == "grpc"
    silent = found(report, "DNS")
    assert silent.level == "bad"
    assert silent.saw.startswith("AAAA of the name is never answered, though A is: each lookup")
    assert not report.healthy


def test_a_dns_that_is_gone_is_found(monkeypatch):
    monkeypatch.setattr(names, "_PATIENCE", 0.2)
    with BadServer(udp=lambda question: []) as server:
        target = f"dns://{server.address}:{BAD_DNS_PORT}/web.example.:{PORT}"
        report = examine_service(target, times=2, timeout=0.3)
    assert report.verdict == "Nothing to judge: the name has no address."
    assert found(report, "DNS").saw == "no answer to A and AAAA questions"


def test_dead_ipv6_addresses_are_one_finding(dns_names, foreign):
    dns_names.set_service("web", ports={"grpc": (PORT, PORT)}, cluster_ip=None,
                          endpoints=[(None, foreign), (None, "fd00:dead::1")])  # fmt: skip
    target = f"dns://{dns_names.address}:{DNS_PORT}/web.default.svc.cluster.local.:{PORT}"
    report = examine_service(target, policy="round_robin", times=2, timeout=0.5)
    assert "1 IPv6 addresses (AAAA) answers" in found(report, "IPv6").saw
    assert f"[fd00:dead::1]:{PORT}" not in subjects(report)
    assert not report.healthy


# Ports.


def test_a_service_port_that_no_pod_listens_on_is_found(cluster):
    report = examine_service(
        cluster.target("greetserver-headless", port=8080), times=2, timeout=0.5
    )
    assert found(report, "targetPort").saw == (
        "port 8080 is dialled, the pods listen on 50051: a headless name maps no ports"
    )
    assert found(report, "targetPort").remedy == "dial port 50051"


def test_a_port_that_the_service_does_not_have_is_found(cluster):
    report = examine_service(cluster.target("greetserver", port=50051), times=2, timeout=0.5)
    assert found(report, "port").saw == "port 50051 is dialled, the Service has 8080"


def test_a_cluster_ip_that_is_called_headless_is_found_without_srv(dns_names, cluster):
    """A Service whose one port has no name has no SRV record."""
    dns_names.set_service("web-headless", ports={}, cluster_ip=cluster.cluster_ip, endpoints=[])
    name = "web-headless.default.svc.cluster.local."
    report = examine_service(f"dns://{dns_names.address}:{DNS_PORT}/{name}:8080", times=2)
    assert found(report, "headless").saw == (
        "web-headless is called headless, but is not: its one address leads to pod-1, pod-2, pod-3"
    )


# What is in between.


def test_session_affinity_is_told_apart_from_one_pod():
    with gl.Cluster.local(pods=3, seed=1, session_affinity=10800) as affine:
        report = examine_service(affine.target("greetserver"), times=2)
    assert report.sticky
    assert len(report.behind.pods) == 1
    assert report.behind.affine
    assert report.verdict.endswith(": session affinity.")
    with gl.Cluster.local(pods=1, seed=1) as alone:
        report = examine_service(alone.target("greetserver"), times=2)
    assert not report.behind.affine
    assert any("the only one, or the Service has sessionAffinity" in s for s in report.unknown)


FORWARD = """
import socket, sys, threading
listener = socket.create_server((sys.argv[-2], 0))
print(listener.getsockname()[1], flush=True)
def copy(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except OSError:
        pass
    a.close(); b.close()
while True:
    one, _ = listener.accept()
    other = socket.create_connection((sys.argv[-1], 50051))
    for pair in ((one, other), (other, one)):
        threading.Thread(target=copy, args=pair, daemon=True).start()
"""


@pytest.mark.parametrize("host", ["127.255.1.9", "localhost"])
def test_a_port_forward_is_not_the_service(cluster, tmp_path, host):
    """kubectl's own has these words, and like it this one leads to one pod."""
    program = tmp_path / "kubectl"
    program.write_text(FORWARD)
    ip = "127.0.0.1" if host == "localhost" else host
    words = ["port-forward", "svc/greetserver", "8080", ip, cluster.pods[0].ip]
    with subprocess.Popen(
        [sys.executable, program, *words], stdout=subprocess.PIPE, text=True
    ) as forwarding:
        port = forwarding.stdout.readline().strip()
        ended = greetlab("doctor", f"{host}:{port}", "--timeout", 1, "--json")
        forwarding.kill()
    report = ended.document
    assert ended.status == 1
    assert report["sticky"] is None
    assert report["verdict"] == (
        f"Nothing to judge: {ip}:{port} is a port-forward, which leads to one pod, chosen when it "
        "began, whatever the Service has."
    )
    assert "svc/greetserver" in report["forwarded"]
    assert report["fix"] is None
    assert port not in str([each["remedy"] for each in report["findings"]])


def test_a_listener_that_cannot_be_seen_is_not_known(cluster, monkeypatch):
    def refuse(pid):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(sockets, "inodes_of", refuse)
    report = examine_service(f"{cluster.pods[0].ip}:50051", times=2)
    assert any("another user's process" in said for said in report.unknown)


def test_the_environment_s_proxy_is_a_finding(cluster, monkeypatch):
    """grpcio in such an environment fails each call; the lab's own client asks no proxy."""
    monkeypatch.setenv("http_proxy", "http://ada:secret@127.0.0.1:9")
    target = cluster.target("greetserver-headless")
    report = examine_service(target, policy="round_robin", times=6)
    asked = found(report, "proxy")
    assert (report.sticky, report.healthy) == (False, False)
    assert asked.saw.startswith("http_proxy is http://127.0.0.1:9: started with it, clients in C++")
    with grpc.insecure_channel(target) as theirs, pytest.raises(grpc.RpcError):
        theirs.unary_unary("/greet.GreetService/Greet", None, None)(b"", timeout=2)
    # The remedy is taken.
    assert asked.remedy.startswith("export no_proxy=")
    monkeypatch.setenv("no_proxy", asked.remedy.partition("=")[2])
    with grpc.insecure_channel(target) as theirs:
        theirs.unary_unary("/greet.GreetService/Greet", None, None)(b"", timeout=5)
    assert examine_service(target, policy="round_robin", times=6).healthy


# Servers.


def test_connections_that_are_ended_in_order_are_seen():
    with gl.Cluster.local(pods=3, seed=1, max_connection_age=0.01) as restless:
        report = examine_service(restless.target("greetserver-headless"), policy="round_robin",
                                 times=1000)  # fmt: skip
    assert found(report, "GOAWAY").level == "good"
    assert not any("MAX_CONNECTION_AGE" in said for said in report.unknown)


def test_what_a_server_lacks_is_a_note(foreign, cluster):
    bare = examine_service(f"{foreign}:{PORT}", times=2)
    assert {found(bare, "health").level, found(bare, "reflection").level} == {"note"}
    pod = examine_service(f"{cluster.pods[0].ip}:50051", times=2)
    assert "health" not in subjects(pod)


def test_what_was_judged_is_said(cluster):
    report = examine_service(cluster.target("greetserver-headless"), times=2)
    assert any("it was the lab's client that called, from here" in said for said in report.unknown)


# TLS.


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    """A server with TLS: the folder of its certificate (for pods.example) and key; its IP."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-subj", "/CN=test", "-keyout", key, "-out", certificate,
         "-addext", "subjectAltName=DNS:pods.example,DNS:*.web.example"],
        capture_output=True,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("no openssl to make a certificate with")
    ip = free_ip()
    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads)
        credentials = [(key.read_bytes(), certificate.read_bytes())]
        server.add_secure_port(f"{ip}:{PORT}", grpc.ssl_server_credentials(credentials))
        server.start()
        yield folder, ip
        server.stop(0).wait()


def test_the_certificate_s_names_are_said(certified):
    _, ip = certified
    report = examine_service(f"{ip}:{PORT}", times=2, timeout=1, tls=True)
    assert (report.speaks, report.runs[0].connections) == ("grpc", 1)
    tls = found(report, "TLS")
    assert tls.level == "bad"
    assert "TLSv1.3; the certificate is for pods.example, *.web.example, until" in tls.saw
    assert tls.saw.endswith(f"clients call it {ip}, and refuse it")
    assert report.peers[f"{ip}:{PORT}"].health is False  # asked, over TLS


def test_a_server_that_wants_a_client_s_certificate_is_found(certified):
    folder, _ = certified
    key, certificate = ((folder / name).read_bytes() for name in ("key.pem", "certificate.pem"))
    ip = free_ip()
    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads)
        mutual = grpc.ssl_server_credentials([(key, certificate)], certificate, True)
        server.add_secure_port(f"{ip}:{PORT}", mutual)
        server.start()
        report = examine_service(f"{ip}:{PORT}", times=2, timeout=0.5, tls=True)
        server.stop(0).wait()
    assert "it wants a certificate of its clients (mTLS)" in found(report, "mTLS").saw
    assert report.sticky is None


def test_who_speaks_no_tls_is_found(foreign):
    report = examine_service(f"{foreign}:{PORT}", times=2, timeout=0.5, tls=True)
    assert found(report, "TLS").saw.startswith("no handshake: ")


@pytest.mark.parametrize(
    ("host", "fits"),
    [
        ("pods.example", True), ("PODS.example.", True), ("a.web.example", True),
        ("a.b.web.example", False), ("web.example", False), ("10.0.0.1", True), ("[::1]", True),
        ("other", False),
    ],
)  # fmt: skip
def test_names_fit_as_rfc_9525_has_it(host, fits):
    names = ("pods.example", "*.web.example", "10.0.0.1", "::1")
    assert Certificate("TLSv1.3", names=names).is_for(host) is fits


def test_calls_over_tls_are_judged(certified, dns_names):
    """Servers with TLS, and a name with three of their addresses."""
    folder, ip = certified
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    ips, servers = [ip, free_ip(), free_ip()], []
    with ThreadPoolExecutor(4) as threads:
        for other in ips[1:]:
            servers.append(grpc.server(threads))
            servers[-1].add_secure_port(f"{other}:{PORT}", credentials)
            servers[-1].start()
        dns_names.set_service("tls", ports={"grpc": (PORT, PORT)}, cluster_ip=None,
                              endpoints=[(None, each) for each in ips])  # fmt: skip
        name = "tls.default.svc.cluster.local."
        target = f"dns://{dns_names.address}:{DNS_PORT}/{name}:{PORT}"
        report = examine_service(target, times=6, timeout=2, tls=True)
        plain = examine_service(target, times=6, timeout=0.5)
        for server in servers:
            server.stop(0).wait()
    assert report.sticky
    assert report.speaks == "grpc"
    assert sorted(report.addresses) == sorted(f"{each}:{PORT}" for each in ips)
    assert (report.runs[0].connections, report.runs[1].connections) == (1, 3)
    assert set(report.runs[1].by_address) == set(report.addresses)
    # Certificates have names without the final dot.
    assert report.fix.target == f"dns:///{name.rstrip('.')}:{PORT}"
    assert "grpc.ssl_channel_credentials()" in report.fix.clients["Python"]
    assert plain.sticky is None
    assert any("wants TLSv1.3" in each.saw for each in plain.findings)


def test_whatever_keeps_a_front_from_listening_is_told_and_not_waited_for(monkeypatch):
    async def no(*_, **__):
        raise RuntimeError("no more sockets")

    monkeypatch.setattr(asyncio, "start_server", no)
    with (
        pytest.raises(RuntimeError, match="no more sockets"),
        tls_fronts(["127.0.0.1:1"], "greetserver", 1.0),
    ):
        pytest.fail("it has none")
