"""The cluster's DNS as resolvers see it that we did not write: dnspython's, gRPC's, and libc's.

dig asks in test_dns_server.py, gRPC 1.51 (engine="grpc") in test_channel.py.
"""

import json
import os
import shutil
import socket
import subprocess
import sys

import dns.resolver
import dns.reversename
import grpc
import pytest
from support import free_ip

from greetlab.dns.server import ClusterDns

PORT = 5353
SEARCH = ["default.svc.cluster.local", "svc.cluster.local", "cluster.local"]
SERVICE = "greetserver.default.svc.cluster.local"
HEADLESS = "greetserver-headless.default.svc.cluster.local"
METHOD = "/greet.GreetService/Greet"


def pods(count):
    return [(None, f"10.244.0.{i}") for i in range(1, count + 1)]


def serve(port=PORT):
    server = ClusterDns(free_ip(), port, seed=7)
    ports = {"grpc": (80, 50051)}
    server.set_service("greetserver", cluster_ip="10.96.0.7", ports=ports, endpoints=pods(3))
    server.set_service("greetserver-headless", ports=ports, endpoints=pods(3))
    server.set_service("crowd", ports=ports, endpoints=pods(40))
    return server


def asked(server):
    return [(query.name, query.type, query.rcode) for query in server.queries]


# dnspython's stub resolver


@pytest.fixture
def server():
    with serve() as server:
        yield server


@pytest.fixture
def stub(server):
    stub = dns.resolver.Resolver(configure=False)
    stub.nameservers = [server.address]
    stub.port = PORT
    stub.search = [dns.name.from_text(name) for name in SEARCH]
    stub.ndots = 5
    return stub


def test_dnspython_finds_a_short_name_through_the_search_list(stub):
    answer = stub.resolve("greetserver-headless", "A", search=True)
    assert str(answer.canonical_name) == f"{HEADLESS}."
    assert sorted(map(str, answer)) == ["10.244.0.1", "10.244.0.2", "10.244.0.3"]
    assert answer.rrset.ttl == 30


def test_dnspython_goes_on_over_tcp_by_itself(stub, server):
    assert len(stub.resolve("crowd", "A", search=True)) == 40
    assert [query.transport for query in server.queries] == ["udp", "tcp"]


def test_dnspython_tells_no_data_from_no_name(stub):
    with pytest.raises(dns.resolver.NoAnswer):
        stub.resolve(f"{SERVICE}.", "AAAA")
    with pytest.raises(dns.resolver.NXDOMAIN) as nowhere:
        stub.resolve("web", "A", search=True)
    tried = [str(name) for name in nowhere.value.qnames()]
    assert sorted(tried) == sorted(["web.", *(f"web.{domain}." for domain in SEARCH)])


def test_dnspython_remembers_a_no_for_as_long_as_the_soa_says(stub):
    stub.cache = dns.resolver.Cache()
    with pytest.raises(dns.resolver.NoAnswer) as no_data:
        stub.resolve(f"{SERVICE}.", "AAAA")
    (soa,) = no_data.value.response().authority
    assert (soa.ttl, soa[0].minimum) == (30, 30)


def test_dnspython_reads_ports_and_names_of_addresses(stub):
    assert {record.port for record in stub.resolve(f"_grpc._tcp.{HEADLESS}.", "SRV")} == {50051}
    assert {record.port for record in stub.resolve(f"_grpc._tcp.{SERVICE}.", "SRV")} == {80}
    assert str(stub.resolve_address("10.96.0.7")[0]) == f"{SERVICE}."
    assert sorted(map(str, stub.resolve_address("10.244.0.2"))) == [
        "10-244-0-2.crowd.default.svc.cluster.local.",
        f"10-244-0-2.{HEADLESS}.",
        f"10-244-0-2.{SERVICE}.",
    ]


# gRPC's own


def test_grpc_connects_to_what_dns_says(server):
    with socket.create_server((free_ip(), 0)) as pod:
        ip, port = pod.getsockname()
        pod.settimeout(10)
        server.set_service("greetserver-headless", endpoints=[(None, ip)])
        with grpc.insecure_channel(f"dns://{server.address}:{PORT}/{HEADLESS}:{port}") as channel:
            # A call, and no subscribe(): its thread may ask a channel that was closed meanwhile.
            call = channel.unary_unary(METHOD).future(b"", timeout=10)
            connection, _ = pod.accept()
            connection.close()
            call.cancel()
    assert (HEADLESS, "A", "NOERROR") in asked(server)


def test_grpc_is_told_of_a_name_that_is_not_there(server):
    target = f"dns://{server.address}:{PORT}/nobody.default.svc.cluster.local:50051"
    with grpc.insecure_channel(target) as channel:
        call = channel.unary_unary(METHOD)
        with pytest.raises(grpc.RpcError) as failed:
            call(b"", timeout=10)
    assert failed.value.code() == grpc.StatusCode.UNAVAILABLE
    assert "nobody.default.svc.cluster.local" in failed.value.details()


def test_grpc_comes_again_over_tcp_for_a_crowd(server):
    with socket.create_server((free_ip(), 0)) as pod:
        ip, port = pod.getsockname()
        pod.settimeout(10)
        crowd = [(None, ip), *((None, f"127.0.7.{i}") for i in range(1, 40))]  # nobody is there
        server.set_service("crowd", endpoints=crowd)
        target = f"dns://{server.address}:{PORT}/crowd.default.svc.cluster.local:{port}"
        with grpc.insecure_channel(target) as channel:
            # A call, and no subscribe(): its thread may ask a channel that was closed meanwhile.
            call = channel.unary_unary(METHOD).future(b"", timeout=10)
            connection, _ = pod.accept()
            connection.close()
            call.cancel()
    assert ("A", "tcp") in {(query.type, query.transport) for query in server.queries}


# libc


PROBE = """
import json, socket, sys

def look(name):
    try:
        found = socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return error.errno
    return sorted({address[0] for *_, address in found})

def reverse(ip):
    try:
        return socket.getnameinfo((ip, 80), socket.NI_NAMEREQD)[0]
    except socket.gaierror as error:
        return error.errno

kind, what = sys.argv[1:]
print(json.dumps(look(what) if kind == "look" else reverse(what)))
"""


@pytest.fixture
def pod(tmp_path):
    """Asks libc as a pod would: in a mount namespace with a resolv.conf of its own."""
    if os.geteuid() != 0:
        pytest.skip("not root: a resolv.conf has no room for a port, so the server must be on 53")
    if not shutil.which("unshare") or subprocess.run(["unshare", "-m", "true"]).returncode:
        pytest.skip("unshare -m is not allowed here: libc reads /etc/resolv.conf and no other file")
    with serve(port=53) as server:
        resolv, nsswitch = tmp_path / "resolv.conf", tmp_path / "nsswitch.conf"
        resolv.write_text(
            f"nameserver {server.address}\nsearch {' '.join(SEARCH)}\noptions ndots:5 timeout:2\n"
        )
        nsswitch.write_text("hosts: dns\n")
        mounts = " && ".join(f"mount --bind {file} /etc/{file.name}" for file in (resolv, nsswitch))

        def ask(kind, what):
            output = subprocess.run(
                ["unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', "sh",
                 sys.executable, "-ISc", PROBE, kind, what],
                check=True, capture_output=True, text=True, timeout=20,
            ).stdout  # fmt: skip
            return json.loads(output)

        ask.server = server
        yield ask


def test_libc_finds_one_address_or_all(pod):
    assert pod("look", "greetserver") == ["10.96.0.7"]
    assert pod("look", "greetserver-headless") == ["10.244.0.1", "10.244.0.2", "10.244.0.3"]


def test_libc_walks_the_search_list_even_for_the_full_name(pod):
    assert pod("look", SERVICE) == ["10.96.0.7"]
    names = list(dict.fromkeys(query.name for query in pod.server.queries))
    assert names == [*(f"{SERVICE}.{domain}" for domain in SEARCH), SERVICE]
    assert len(pod.server.queries) == 8


def test_libc_asks_once_for_a_name_with_the_final_dot(pod):
    assert pod("look", f"{SERVICE}.") == ["10.96.0.7"]
    assert sorted(asked(pod.server)) == [(SERVICE, "A", "NOERROR"), (SERVICE, "AAAA", "NOERROR")]


@pytest.mark.parametrize("name", ["web", "web.default", "web.default.svc"])
def test_libc_is_told_that_a_missing_name_is_missing_and_not_to_try_again(pod, name):
    assert pod("look", name) == socket.EAI_NONAME
    assert {query.rcode for query in pod.server.queries} == {"NXDOMAIN"}
    assert {query.name for query in pod.server.queries} == {
        name,
        *(f"{name}.{domain}" for domain in SEARCH),
    }


def test_libc_goes_on_over_tcp_for_forty_pods(pod):
    assert len(pod("look", "crowd")) == 40
    assert "tcp" in {query.transport for query in pod.server.queries}


def test_libc_finds_the_name_of_an_address(pod):
    assert pod("reverse", "10.96.0.7") == SERVICE
    assert pod("reverse", "10.0.9.9") == socket.EAI_NONAME
