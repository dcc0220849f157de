"""The cluster's DNS server, as dig and dnspython see it: kubernetes/dns specification 1.1.0."""

import random
import socket
import subprocess
import threading

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.update
import pytest
from support import free_ip

from greetlab.dns_server import ClusterDns

PORT = 5353
SERVICE = "greetserver.default.svc.cluster.local"
HEADLESS = "greetserver-headless.default.svc.cluster.local"


def pods(count):
    return [(None, f"10.244.0.{i}") for i in range(1, count + 1)]


@pytest.fixture
def server():
    with ClusterDns(free_ip(), PORT, seed=7) as server:
        server.set_service("greetserver", cluster_ip="10.96.0.7", ports={"grpc": (80, 50051)})
        server.set_service("greetserver-headless", ports={"grpc": (80, 50051)}, endpoints=pods(3))
        yield server


def ask(server, name, kind="A", *, tcp=False, edns=False, payload=1232):
    query = dns.message.make_query(name, kind, use_edns=edns, payload=payload)
    send = dns.query.tcp if tcp else dns.query.udp
    return send(query, server.address, timeout=2, port=PORT)


def dig(server, *words):
    command = ["dig", f"@{server.address}", "-p", str(PORT), "+tries=1", "+time=2", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def texts(reply, section="answer"):
    return [record.to_text() for rrset in getattr(reply, section) for record in rrset]


# What dig says


def test_dig_gets_the_one_virtual_ip_of_a_clusterip_service(server):
    assert dig(server, SERVICE, "A", "+short").split() == ["10.96.0.7"]


def test_dig_gets_one_address_for_each_ready_pod_of_a_headless_service(server):
    answer = dig(server, HEADLESS, "A", "+short").split()
    assert sorted(answer) == ["10.244.0.1", "10.244.0.2", "10.244.0.3"]


def test_dig_sees_an_authoritative_answer_with_the_ttl(server):
    output = dig(server, SERVICE, "A", "+norecurse")
    assert "status: NOERROR" in output
    assert "flags: qr aa;" in output
    assert [f"{SERVICE}.", "30", "IN", "A", "10.96.0.7"] in [
        line.split() for line in output.splitlines()
    ]


def test_dig_goes_on_over_tcp_when_the_answer_does_not_fit(server):
    server.set_service("greetserver-headless", endpoints=pods(80))
    output = dig(server, HEADLESS, "A")
    assert "Truncated, retrying in TCP mode" in output
    assert "ANSWER: 80" in output


def test_dig_reads_the_version_of_the_specification(server):
    assert dig(server, "dns-version.cluster.local", "TXT", "+short") == '"1.1.0"\n'


def test_dig_sees_edns_echoed(server):
    output = dig(server, SERVICE, "A", "+edns=0", "+bufsize=1232")
    assert "; EDNS: version: 0" in output
    assert "; EDNS:" not in dig(server, SERVICE, "A", "+noedns")


# Names that are there, and names that are not


def test_names_are_compared_without_regard_to_case(server):
    assert texts(ask(server, "GreetServer.DEFAULT.svc.Cluster.Local")) == ["10.96.0.7"]


def test_a_name_without_that_type_is_noerror_with_the_soa(server):
    reply = ask(server, SERVICE, "AAAA")
    assert reply.rcode() == dns.rcode.NOERROR
    assert not reply.answer
    assert reply.authority[0].rdtype == dns.rdatatype.SOA
    assert reply.flags & dns.flags.AA


def test_a_name_above_one_that_exists_exists(server):
    assert ask(server, "svc.cluster.local").rcode() == dns.rcode.NOERROR


def test_a_name_that_is_not_there_is_nxdomain_with_the_soa(server):
    reply = ask(server, "nobody.default.svc.cluster.local")
    assert reply.rcode() == dns.rcode.NXDOMAIN
    assert reply.authority[0].rdtype == dns.rdatatype.SOA


def test_a_headless_service_without_ready_pods_is_nxdomain(server):
    server.set_service("greetserver-headless", ports={"grpc": (80, 50051)}, endpoints=[])
    assert ask(server, HEADLESS).rcode() == dns.rcode.NXDOMAIN


def test_a_removed_service_is_nxdomain(server):
    server.remove_service("greetserver")
    assert ask(server, SERVICE).rcode() == dns.rcode.NXDOMAIN
    with pytest.raises(KeyError):
        server.remove_service("greetserver")


def test_outside_its_domain_it_refuses_for_it_forwards_nothing(server):
    reply = ask(server, "example.com")
    assert reply.rcode() == dns.rcode.REFUSED
    assert not reply.flags & dns.flags.AA


@pytest.mark.parametrize("name", ["nothing", "nothing.default", "nothing.default.svc", "WEB.SVC"])
def test_what_a_search_list_leaves_of_a_missing_name_is_nxdomain(server, name):
    assert ask(server, name).rcode() == dns.rcode.NXDOMAIN


def test_a_pod_of_a_headless_service_has_a_name_of_its_own(server):
    assert texts(ask(server, f"10-244-0-2.{HEADLESS}")) == ["10.244.0.2"]


def test_an_ipv6_service_has_aaaa_and_no_a(server):
    server.set_service("six", cluster_ip="fd00::7")
    assert texts(ask(server, "six.default.svc.cluster.local", "AAAA")) == ["fd00::7"]
    assert not ask(server, "six.default.svc.cluster.local", "A").answer


# SRV


def test_srv_of_a_clusterip_service_gives_the_service_port_and_the_service(server):
    reply = ask(server, f"_grpc._tcp.{SERVICE}", "SRV")
    assert texts(reply) == [f"0 100 80 {SERVICE}."]
    assert texts(reply, "additional") == ["10.96.0.7"]


def test_srv_of_a_headless_service_gives_the_target_port_and_each_pod(server):
    reply = ask(server, f"_grpc._tcp.{HEADLESS}", "SRV")
    assert sorted(texts(reply)) == [f"0 33 50051 10-244-0-{i}.{HEADLESS}." for i in (1, 2, 3)]
    assert sorted(texts(reply, "additional")) == [f"10.244.0.{i}" for i in (1, 2, 3)]


def test_srv_names_a_pod_by_its_hostname_if_it_has_one(server):
    server.set_service(
        "stateful", ports={"grpc": (80, 50051)}, endpoints=[("stateful-0", "10.244.0.9")]
    )
    at = "stateful.default.svc.cluster.local"
    assert texts(ask(server, f"_grpc._tcp.{at}", "SRV")) == [f"0 100 50051 stateful-0.{at}."]
    assert texts(ask(server, f"stateful-0.{at}")) == ["10.244.0.9"]


def test_a_port_without_a_name_has_no_srv(server):
    server.set_service("unnamed", cluster_ip="10.96.0.8")
    name = "_grpc._tcp.unnamed.default.svc.cluster.local"
    assert ask(server, name, "SRV").rcode() == dns.rcode.NXDOMAIN


# What fits


@pytest.mark.parametrize(
    ("pods_there", "size", "told"),
    [
        (28, None, 28),
        (29, None, 28),  # 512 bytes without EDNS
        (40, 512, 27),  # the OPT record takes 11 of them
        (40, 100, 27),  # less than 512 means 512 (RFC 6891 6.2.3)
        (72, 1232, 72),
        (73, 1232, 72),
        (200, 4096, 200),
    ],
)
def test_what_does_not_fit_is_left_out_a_record_at_a_time_and_tc_says_so(
    server, pods_there, size, told
):
    server.set_service("greetserver", endpoints=pods(pods_there))
    reply = ask(server, SERVICE, edns=0 if size else False, payload=size or 512)
    assert len(texts(reply)) == told
    assert bool(reply.flags & dns.flags.TC) == (told < pods_there)
    assert len(reply.wire) <= max(512, size or 512)
    assert set(texts(reply)) <= {ip for _, ip in pods(pods_there)}


def test_an_additional_section_that_does_not_fit_is_cut_and_tc_set_as_coredns_does(server):
    server.set_service("greetserver", ports={"grpc": (80, 50051)}, endpoints=pods(12))
    name = f"_grpc._tcp.{SERVICE}"
    udp, tcp = ask(server, name, "SRV"), ask(server, name, "SRV", tcp=True)
    assert len(texts(tcp, "additional")) == len(texts(tcp)) == 12
    assert udp.flags & dns.flags.TC
    assert len(texts(udp, "additional")) < 12


def test_a_client_that_takes_more_than_a_datagram_holds_still_gets_one(server):
    server.set_service("greetserver", endpoints=[(None, f"10.1.{i // 250}.{i % 250}")
                                                 for i in range(4091)])  # fmt: skip
    reply = ask(server, SERVICE, edns=0, payload=65535)
    assert reply.flags & dns.flags.TC
    assert len(texts(reply)) > 4000


def test_tcp_carries_what_udp_cannot(server):
    server.set_service("greetserver", endpoints=pods(200))
    reply = ask(server, SERVICE, tcp=True)
    assert not reply.flags & dns.flags.TC
    assert len(texts(reply)) == 200


def test_the_addresses_are_shuffled_and_the_seed_decides_how(server):
    def orders(server):
        return [texts(ask(server, HEADLESS)) for _ in range(12)]

    first = orders(server)
    assert len(set(map(tuple, first))) > 1
    with ClusterDns(free_ip(), PORT, seed=7) as twin:
        twin.set_service("greetserver-headless", endpoints=pods(3))
        assert orders(twin) == first


# What it survives


def test_a_broken_question_gets_formerr_and_noise_gets_silence(server):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        client.connect((server.address, PORT))
        client.send(b"noise")
        client.send(bytes.fromhex("abcd 8000 0001 0000 0000 0000") + b"\xff" * 9)  # a reply
        client.send(bytes.fromhex("abcd 0100 0001 0000 0000 0000") + b"\xff" * 9)
        assert client.recv(512)[:4] == bytes.fromhex("abcd 8101")
    assert texts(ask(server, SERVICE)) == ["10.96.0.7"]


def test_a_random_byte_anywhere_does_not_stop_it(server):
    draw = random.Random(3)
    good = dns.message.make_query(SERVICE, "A", use_edns=0).to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((server.address, PORT))
        for _ in range(500):
            broken = bytearray(good)
            broken[draw.randrange(len(broken))] = draw.randrange(256)
            client.send(broken)
    assert texts(ask(server, SERVICE, tcp=True)) == ["10.96.0.7"]


def test_a_tcp_client_that_stalls_holds_nobody_up(server):
    with socket.create_connection((server.address, PORT)) as stalled:
        stalled.send(b"\x00")  # half a length
        assert texts(ask(server, SERVICE, tcp=True)) == ["10.96.0.7"]


def test_one_connection_may_ask_twice(server):
    query = dns.message.make_query(SERVICE, "A")
    with socket.create_connection((server.address, PORT), timeout=2) as connection:
        for _ in range(2):
            dns.query.send_tcp(connection, query)
            reply, _ = dns.query.receive_tcp(connection)
            assert texts(reply) == ["10.96.0.7"]


def test_an_update_is_notimp(server):
    update = dns.update.UpdateMessage("cluster.local")
    assert dns.query.udp(update, server.address, 2, PORT).rcode() == dns.rcode.NOTIMP


# Its life


def test_a_taken_address_is_an_oserror_that_names_it(server):
    with pytest.raises(OSError, match=f"listen for DNS on {server.address}:{PORT}") as caught:
        ClusterDns(server.address, PORT)
    assert "in use" in str(caught.value)


def test_close_frees_the_address_and_leaves_no_thread():
    address = free_ip()
    before = threading.active_count()
    for _ in range(2):
        server = ClusterDns(address, PORT)
        server.set_service("greetserver", cluster_ip="10.96.0.7")
        assert texts(ask(server, SERVICE, tcp=True)) == ["10.96.0.7"]
        with socket.create_connection((address, PORT)):
            server.close()
        server.close()
        assert threading.active_count() == before


def test_an_answer_has_the_old_pods_or_the_new_ones_never_both(server):
    generations = [[(None, f"10.{g}.0.{i}") for i in range(1, 6)] for g in (1, 2)]
    stop = threading.Event()

    def rewrite():
        while not stop.is_set():
            for generation in generations:
                server.set_service("greetserver-headless", endpoints=generation)

    server.set_service("greetserver-headless", endpoints=generations[0])
    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        for _ in range(30):
            answer = texts(ask(server, HEADLESS))
            assert len(answer) == 5
            assert len({address.split(".")[1] for address in answer}) == 1
    finally:
        stop.set()
        writer.join()


def test_every_question_is_remembered(server):
    ask(server, SERVICE)
    ask(server, "nobody.default.svc.cluster.local", "AAAA", tcp=True)
    first, second = server.queries[-2:]
    assert (first.transport, first.name, first.type, first.rcode) == (
        "udp",
        SERVICE,
        "A",
        "NOERROR",
    )
    assert (second.transport, second.type, second.rcode) == ("tcp", "AAAA", "NXDOMAIN")
    assert first.at_ns < second.at_ns


def test_an_ip_address_that_is_none_is_a_valueerror(server):
    with pytest.raises(ValueError, match=r"10\.96\.0"):
        server.set_service("greetserver", cluster_ip="10.96.0")


# An outage


@pytest.mark.parametrize("tcp", [False, True])
def test_an_outage_is_the_answer_to_everything_until_it_is_over(server, tcp):
    for rcode in (dns.rcode.SERVFAIL, dns.rcode.NXDOMAIN):
        server.set_outage(dns.rcode.to_text(rcode))
        reply = ask(server, HEADLESS, tcp=tcp)
        assert reply.rcode() == rcode
        assert not reply.answer
    server.set_outage(None)
    assert len(texts(ask(server, HEADLESS, tcp=tcp))) == 3


def test_an_outage_is_an_rcode(server):
    with pytest.raises(dns.rcode.UnknownRcode):
        server.set_outage("BROKEN")
