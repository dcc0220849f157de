"""TLS and mTLS: who is trusted, what a certificate must say, and what is said where it does not."""

import contextlib
import re
import socket
import ssl
import subprocess
import threading
from concurrent import futures
from pathlib import Path

import grpc
import pytest
from http2_server import Peer
from support import free_ip
from test_gateway import Gateway
from test_greet_client import client

import greetlab as gl
from greetlab import executables
from greetlab.channels.channel import Channel
from greetlab.channels.options import ENGINES
from greetlab.clusters.authority import Authority, certificate_names

NAME = "greetserver-headless.default.svc.cluster.local"


@pytest.fixture(scope="module")
def cluster():
    with gl.Cluster.local(pods=3, tls=True, seed=21) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def mutual():
    with gl.Cluster.local(pods=2, tls=True, mtls=True, seed=21) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def authority():
    authority = Authority("the lab's own")
    yield authority
    authority.close()


@contextlib.contextmanager
def server(certificate=None, *, alpn=("h2",), version=None, client_ca=None):
    """A server of HTTP/2 on Python's own TLS. Gives its port, on 127.0.0.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate:
        context.load_cert_chain(certificate.cert, certificate.key)
    if alpn:
        context.set_alpn_protocols(alpn)
    if version:
        context.maximum_version = version
    if client_ca:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED

    def serve(connection):
        with (
            contextlib.suppress(OSError),
            connection,
            context.wrap_socket(connection, server_side=True) as secure,
        ):
            peer = Peer(secure, {})
            while True:
                peer.answer(peer.request())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads = []

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    threads.append(threading.Thread(target=serve, args=(listener.accept()[0],)))
                    threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for thread in (accepting, *threads):
                thread.join()


def why(port, **options):
    """Why there is no connection to localhost at that port."""
    with Channel(f"dns:///localhost:{port}", **options) as channel:
        [row] = channel.greet("Ada").status
        assert row == 14
        reason = channel.trace.last("ConnectFailed").reason  # the first is ::1, where nobody is
        assert channel.trace.last("CallEnded").message.endswith(reason)
        return reason


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("service", ["greetserver", "greetserver-headless"])
def test_the_certificate_with_the_service_s_name_serves_round_robin_over_all_pods(
    cluster, engine, service
):
    with cluster.channel(service, policy="round_robin", engine=engine, tls=True) as channel:
        calls = channel.wait_ready(all=True).greet("Ada", times=6)
    assert calls.ok == 6
    if service == "greetserver-headless":
        assert calls.by_pod == {"pod-1": 2, "pod-2": 2, "pod-3": 2}


def test_each_handshake_is_a_fact_between_the_dial_and_the_connection(cluster):
    with cluster.channel("greetserver-headless", policy="round_robin", tls=True) as channel:
        channel.wait_ready(all=True)
        handshakes = channel.trace.of("TlsHandshake")
        up = channel.trace.of("Connected")
    assert len(handshakes) == 3
    for handshake in handshakes:
        # gRPC's C++ servers take P-256 alone, and ask for another hello (HelloRetryRequest).
        assert (handshake.protocol, handshake.round_trips) == ("TLSv1.3", 2)
        assert handshake.name == NAME
        assert 0 < handshake.took < 5e9  # nanoseconds
        assert handshake.cause.kind == "ConnectStarted"
    assert {event.cause.kind for event in up} == {"TlsHandshake"}
    assert re.search(
        r"TLSv1.3 with 127\.\d+\.1\.\d:50051 after 2 round trips \([\d.]+ ms\): its certificate is "
        rf"for {NAME}, as it must be; HTTP/2 is agreed on \(ALPN\)",
        str(handshakes[0]),
    )


def test_calls_say_https_and_the_name(authority):
    """As grpcio's server sees them; and our TLS with grpcio's."""
    heard = []

    class Heard(grpc.GenericRpcHandler):
        def service(self, details):
            def handle(request, context):
                heard.append(context.auth_context()["transport_security_type"])
                return b""

            return grpc.unary_unary_rpc_method_handler(handle)

    pair = authority.issue("greeter.example")
    grpcio = grpc.server(futures.ThreadPoolExecutor(1), handlers=[Heard()])
    key, cert = (Path(path).read_bytes() for path in (pair.key, pair.cert))
    credentials = grpc.ssl_server_credentials([(key, cert)])
    port = grpcio.add_secure_port("127.0.0.1:0", credentials)
    grpcio.start()
    try:
        for engine in ENGINES:
            with Channel(
                f"static:127.0.0.1:{port}", engine=engine, tls=True, ca=authority.ca,
                server_name="greeter.example",
            ) as channel:  # fmt: skip
                assert channel.greet("Ada").ok == 1
    finally:
        grpcio.stop(0).wait()
    assert heard == [[b"ssl"]] * len(ENGINES)


def test_the_scheme_and_the_authority(authority):
    seen = {}
    pair = authority.issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    context.set_alpn_protocols(["h2"])
    context.sni_callback = lambda _socket, name, _context: seen.update(sni=name)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with context.wrap_socket(listener.accept()[0], server_side=True) as secure:
                peer = Peer(secure, {})
                stream = peer.request()
                seen.update(peer.headers[stream])
                peer.answer(stream)
                with contextlib.suppress(OSError):
                    peer.request()

        serving = threading.Thread(target=serve)
        serving.start()
        port = listener.getsockname()[1]
        with Channel(f"dns:///localhost:{port}", tls=True, ca=authority.ca) as channel:
            assert channel.greet("Ada").ok == 1
        serving.join()
    headers = {str(k, "ascii") if isinstance(k, bytes) else k: v for k, v in seen.items()}
    assert headers["sni"] == "localhost"
    assert headers[":scheme"] in ("https", b"https")
    assert headers[":authority"] in (f"localhost:{port}", f"localhost:{port}".encode())


@pytest.mark.parametrize("engine", ENGINES)
def test_a_certificate_that_says_the_pod_s_address_is_refused(engine):
    """The trap of headless and TLS: what DNS has answered is no name that anybody vouches for."""
    with gl.Cluster.local(pods=1, tls=True, tls_names=["{ip}", "pod.example"]) as cluster:
        ip = cluster.pods[0].ip
        with cluster.channel("greetserver-headless", tls=True, engine=engine) as channel:
            calls = channel.greet("Ada")
            assert calls.ok == 0
            if engine == "lab":
                assert channel.trace.first("ConnectFailed").reason == (
                    f"{ip}:50051: connected, but TLS failed: the certificate is for {ip}, "
                    f"pod.example, not for {NAME}, the name that was asked for"
                )
        told = {"tls": True, "engine": engine, "server_name": "pod.example"}
        with cluster.channel("greetserver-headless", **told) as channel:
            assert channel.greet("Ada").ok == 1


def test_an_address_that_is_the_target_is_a_name(authority):
    with (
        server(authority.issue("127.0.0.1")) as port,
        Channel(f"static:127.0.0.1:{port}", tls=True, ca=authority.ca) as channel,
    ):
        assert channel.greet("Ada").ok == 1


def test_who_is_not_trusted_is_named(authority):
    other = Authority("somebody else's")
    try:
        with server(other.issue("localhost")) as port:
            assert why(port, tls=True, ca=authority.ca).endswith(
                "the certificate is signed by 'somebody else's', an authority that we do not trust "
                "(option ca)"
            )
    finally:
        other.close()
    with server(authority.issue("localhost")) as port:  # whom the system does not know
        assert "signed by 'the lab's own'" in why(port, tls=True)


def test_a_certificate_of_the_past_and_one_of_the_future(authority):
    with server(authority.issue("localhost", begins=-9, ends=-2)) as port:
        reason = why(port, tls=True, ca=authority.ca)
        assert re.search(r"has expired: it was good until \d{4}-\d\d-\d\d [\d:]{8} UTC$", reason)
    with server(authority.issue("localhost", begins=2)) as port:
        assert "the certificate is not valid yet: it is good from 2" in why(
            port, tls=True, ca=authority.ca
        )


def test_a_server_that_agrees_to_no_http2(authority):
    for alpn in ((), ("http/1.1",)):
        with server(authority.issue("localhost"), alpn=alpn) as port:
            assert re.search(
                r"the server has (not agreed to|no) HTTP/2 \(ALPN h2\)",
                why(port, tls=True, ca=authority.ca),
            )


@pytest.mark.parametrize(("version", "round_trips"), [("TLSv1.2", 2), ("TLSv1.3", 1)])
def test_tls_1_2_takes_a_round_trip_more(authority, version, round_trips):
    pair = authority.issue("localhost")
    most = getattr(ssl.TLSVersion, version.replace(".", "_"))
    with (
        server(pair, version=most) as port,
        Channel(f"dns:///localhost:{port}", tls=True, ca=authority.ca) as channel,
    ):
        assert channel.greet("Ada").ok == 1
        handshake = channel.trace.first("TlsHandshake")
        assert (handshake.protocol, handshake.round_trips) == (version, round_trips)


def test_a_server_without_tls_and_a_client_without():
    with gl.Cluster.local(pods=1) as plain:
        ip = plain.pods[0].ip
        told = {"tls": True, "server_name": NAME}
        with plain.channel("greetserver-headless", **told) as channel:
            assert channel.greet("Ada").ok == 0
            assert channel.trace.first("ConnectFailed").reason == (
                f"{ip}:50051: connected, but TLS failed: the answer is no TLS: is the server one "
                "without it?"
            )


def test_a_client_without_tls_is_asked_whether_the_server_wants_it(cluster):
    with cluster.channel("greetserver-headless") as channel:
        assert channel.greet("Ada").ok == 0
        reason = channel.trace.first("ConnectFailed").reason
        assert reason.endswith("is it an HTTP/2 server? Or does it want TLS?")


def test_a_server_that_hangs_up():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up():
            connection, _ = listener.accept()
            connection.recv(9)
            connection.close()

        hanging_up = threading.Thread(target=hang_up)
        hanging_up.start()
        reason = why(listener.getsockname()[1], tls=True)
        assert reason.endswith("in the middle of the handshake: is it a TLS server?")
        hanging_up.join()


@pytest.mark.parametrize("engine", ENGINES)
def test_mtls_takes_who_shows_a_certificate_and_refuses_who_does_not(mutual, engine):
    told = {"policy": "round_robin", "engine": engine, "tls": True}
    own = mutual.authority.issue("client-1")
    with mutual.channel("greetserver-headless", **told, cert=own.cert, key=own.key) as channel:
        assert channel.wait_ready(all=True).greet("Ada", times=4).by_pod == {
            "pod-1": 2,
            "pod-2": 2,
        }
    with mutual.channel("greetserver-headless", **told) as channel:
        assert channel.greet("Ada").ok == 0
        if engine == "lab":
            reason = channel.trace.first("ConnectFailed").reason
            assert reason.endswith(
                "It asks for a client certificate, and was given none (options cert and key)"
            )


def test_a_client_s_certificate_of_somebody_else_is_refused(authority):
    other = Authority()
    try:
        own = other.issue("client-1")
        pair = authority.issue("localhost")
        with server(pair, client_ca=authority.ca) as port:
            told = {"tls": True, "ca": authority.ca}
            assert why(port, **told, cert=own.cert, key=own.key).endswith(
                "the server refuses our certificate: it does not trust who has signed it"
            )
            assert "was given none" in why(port, **told)
            good = authority.issue("client-1")
            target = f"dns:///localhost:{port}"
            with Channel(target, **told, cert=good.cert, key=good.key) as channel:
                assert channel.greet("Ada").ok == 1
    finally:
        other.close()


@pytest.mark.parametrize("engine", ENGINES)
def test_options_that_make_no_sense_are_refused_in_words(authority, tmp_path, engine):
    empty = tmp_path / "empty.pem"
    empty.touch()
    pair, other = authority.issue("a"), authority.issue("b")
    for told, said in (
        ({"ca": authority.ca}, "ca: of TLS, which is off"),
        ({"tls": True, "ca": "/nowhere.pem"}, "ca: read /nowhere.pem: No such file"),
        ({"tls": True, "ca": str(tmp_path)}, "Is a directory"),
        ({"tls": True, "ca": str(empty)}, "it is empty"),
        ({"tls": True, "cert": pair.cert}, "a certificate and its key go together"),
    ):
        with pytest.raises(ValueError, match=said):
            Channel("dns:///localhost:1", engine=engine, **told)
    if engine == "lab":
        for told, said in (
            ({"ca": pair.key}, "ca: there is no certificate"),
            ({"cert": pair.cert, "key": other.key}, "it is not the key of the certificate"),
            ({"cert": pair.key, "key": pair.key}, "cert: there is no certificate"),
            ({"cert": pair.cert, "key": pair.cert}, "key: there is no private key"),
        ):
            with pytest.raises(ValueError, match=said):
                Channel("dns:///localhost:1", tls=True, **told)


def test_the_sim_has_none():
    with pytest.raises(ValueError, match="tls: of a channel on real connections; not in the sim"):
        gl.Cluster.sim().channel("greetserver", tls=True)


def test_a_cluster_without_tls_has_no_authority():
    with (
        gl.Cluster.local(pods=1) as plain,
        pytest.raises(ValueError, match=r"Cluster.local\(tls=True\)"),
    ):
        plain.authority  # noqa: B018
    with pytest.raises(ValueError, match="tls_names and mtls"):
        gl.Cluster.local(mtls=True)


def test_the_certificates_say_the_services_and_go_with_the_cluster():
    with gl.Cluster.local(pods=1, tls=True) as cluster:
        folder = Path(cluster.authority.ca).parent
        pair = cluster.authority.issue("a.example", "10.0.0.1")
        assert pair.names == ["a.example", "10.0.0.1"]
        assert certificate_names(Path(cluster.authority.ca).read_bytes()) == []
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()


def test_greet_client_speaks_it(mutual):
    own = mutual.authority.issue("client-1")
    target = mutual.target("greetserver-headless")
    told = ["--policy", "round_robin", "--wait-ready", "-n", 4]
    tls = ["--tls", "--ca", mutual.authority.ca, "--cert", own.cert, "--key", own.key]
    said = client(target, *told, *tls)
    assert said.returncode == 0, said.stderr
    assert "4 calls · 4 OK · 2 connections" in said.stdout
    said = client(target, "-n", 1, *tls, "--server-name", "other.example")
    assert said.returncode != 0
    assert "not for other.example, the name that was asked for" in said.stderr + said.stdout
    said = client(target, "--ca", mutual.authority.ca)
    assert said.returncode != 0
    assert "ca: of TLS, which is off" in said.stderr


def test_greet_gateway_speaks_it(mutual):
    own = mutual.authority.issue("gateway")
    gateway = Gateway(
        "--target", mutual.target("greetserver-headless"), "--tls", "--ca", mutual.authority.ca,
        env={"GRPC_CERT": own.cert, "GRPC_KEY": own.key},
    )  # fmt: skip
    try:
        assert gateway.greet().status == 200
        assert "pod-" in gateway.greet().text
    finally:
        gateway.process.terminate()
        gateway.process.communicate()


def test_greet_server_is_told_in_words_what_it_lacks(authority, tmp_path):
    pair, other = authority.issue("a"), authority.issue("b")
    for told, said in (
        (["--tls-cert", pair.cert], "a certificate and its key go together"),
        (["--tls-client-ca", authority.ca], "of TLS, which --tls-cert and --tls-key turn on"),
        (["--tls-cert", "/nowhere", "--tls-key", pair.key], "read /nowhere: No such file"),
        (["--tls-cert", pair.cert, "--tls-key", other.key], "a certificate and its key (PEM)?"),
    ):
        ended = subprocess.run(
            [executables.path("greet-server"), "--listen", free_ip(), "--port", "0", *told],
            capture_output=True, text=True, timeout=20,
        )  # fmt: skip
        assert ended.returncode == 1
        assert said in ended.stderr


def test_grpcio_s_client_speaks_it_with_our_server(mutual):
    own = mutual.authority.issue("client-1")
    paths = (mutual.authority.ca, own.key, own.cert)
    ca, key, cert = (Path(path).read_bytes() for path in paths)
    target = f"{mutual.pods[0].ip}:{mutual.port}"
    options = [("grpc.ssl_target_name_override", NAME), ("grpc.enable_http_proxy", 0)]
    for credentials, code in (
        (grpc.ssl_channel_credentials(ca, key, cert), None),
        (grpc.ssl_channel_credentials(ca), grpc.StatusCode.UNAVAILABLE),
    ):
        with grpc.secure_channel(target, credentials, options) as channel:
            call = channel.unary_unary("/greet.GreetService/Greet")
            if code is None:
                assert b"pod-1" in call(b"", timeout=10)
                continue
            with pytest.raises(grpc.RpcError) as failed:
                call(b"", timeout=10)
            assert failed.value.code() == code
