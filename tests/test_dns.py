"""The resolver: every query is a fact. Against the cluster's DNS and misbehaving servers."""

import random
import signal
import socket
import threading
import time

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rrset
import pytest
from support import free_ip

from greetlab.dns.lookup import DnsResolver, nslookup, system_resolver
from greetlab.dns.server import ClusterDns

PORT = 5353
SEARCH = ["default.svc.cluster.local", "svc.cluster.local", "cluster.local"]
SERVICE = "greetserver.default.svc.cluster.local"


@pytest.fixture
def cluster():
    with ClusterDns(free_ip(), PORT) as cluster:
        ports = {"grpc": (80, 50051)}
        pods = [(None, f"10.244.0.{i}") for i in (1, 2, 3)]
        cluster.set_service("greetserver", cluster_ip="10.96.0.7", ports=ports)
        cluster.set_service("greetserver-headless", ports=ports, endpoints=pods)
        yield cluster


def resolver_of(*servers, search=(), ndots=5, timeout=2.0, attempts=1):
    return DnsResolver(
        [f"{server.address}:{PORT}" for server in servers],
        search=search,
        ndots=ndots,
        timeout=timeout,
        attempts=attempts,
    )


class Scripted:
    """A DNS server that does what the test says.

    `script(question, transport)` returns the reply: a message, bytes, or None for silence.
    """

    def __init__(self, script):
        self.address = free_ip()
        self.asked = []
        self._script = script
        self._stop = threading.Event()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((self.address, PORT))
        self._tcp = socket.create_server((self.address, PORT))
        self._threads = [threading.Thread(target=run) for run in (self._run_udp, self._run_tcp)]
        for thread in self._threads:
            thread.start()

    def _reply(self, wire, transport):
        question = dns.message.from_wire(wire)
        self.asked.append((transport, question.question[0].to_text()))
        reply = self._script(question, transport)
        return (
            reply.to_wire(want_shuffle=False) if isinstance(reply, dns.message.Message) else reply
        )

    def _run_udp(self):
        while True:
            wire, client = self._udp.recvfrom(4096)
            if self._stop.is_set():
                return
            reply = self._reply(wire, "udp")
            if reply is not None:
                self._udp.sendto(reply, client)

    def _run_tcp(self):
        while True:
            connection, _ = self._tcp.accept()
            with connection:
                if self._stop.is_set():
                    return
                length = int.from_bytes(connection.recv(2, socket.MSG_WAITALL), "big")
                reply = self._reply(connection.recv(length, socket.MSG_WAITALL), "tcp")
                if reply is not None:
                    connection.sendall(len(reply).to_bytes(2, "big") + reply)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._udp.sendto(b"", (self.address, PORT))
        socket.create_connection((self.address, PORT)).close()
        for thread in self._threads:
            thread.join()
        self._udp.close()
        self._tcp.close()


def answer(question, *records, rcode=dns.rcode.NOERROR, flags=0):
    """A reply to the question, with records as (name, type, data)."""
    reply = dns.message.make_response(question)
    reply.set_rcode(rcode)
    reply.flags |= flags
    for name, kind, *data in records:
        reply.answer.append(dns.rrset.from_text(f"{name}.", 30, "IN", kind, *data))
    return reply


def good(question, _transport="udp"):
    name = question.question[0].name.to_text(omit_final_dot=True)
    return answer(question, (name, "A", "10.0.0.1"))


def refusing(rcode):
    return lambda question, _transport: answer(question, rcode=rcode)


def silence(_question, _transport):
    return None


class Nobody:
    """An address where nothing listens."""

    def __init__(self):
        self.address = free_ip()


def facts(lookup):
    return [(q.type, q.transport, q.status, q.rcode) for q in lookup.queries]


# The cluster


def test_a_clusterip_service_has_one_address_and_a_headless_one_has_all(cluster):
    resolver = resolver_of(cluster, search=SEARCH)
    assert resolver.lookup("greetserver").addresses == ["10.96.0.7"]
    headless = resolver.lookup("greetserver-headless")
    assert sorted(headless.addresses) == ["10.244.0.1", "10.244.0.2", "10.244.0.3"]
    assert headless.answer_name == "greetserver-headless.default.svc.cluster.local"
    assert headless.ttl == 30


def test_every_query_is_a_fact(cluster):
    before = time.monotonic_ns()
    lookup = resolver_of(cluster, search=SEARCH).lookup("greetserver")
    after = time.monotonic_ns()
    first, second = lookup.queries
    assert [first.type, second.type] == ["A", "AAAA"]
    assert first.name == SERVICE
    assert first.server == f"{cluster.address}:{PORT}"
    assert (first.transport, first.status, first.rcode, first.ttl) == ("udp", "ok", "NOERROR", 30)
    assert (second.status, second.rcode, second.ttl) == ("no_data", "NOERROR", None)
    assert first.authoritative
    assert before < first.started_ns < first.started_ns + first.round_trip_ns < after
    assert dns.message.from_wire(first.reply).answer[0][0].to_text() == "10.96.0.7"
    assert [(record.type, record.text) for record in first.records] == [("A", "10.96.0.7")]


def test_a_and_aaaa_are_asked_at_once(cluster):
    first, second = resolver_of(cluster, search=SEARCH).lookup("greetserver").queries
    assert second.started_ns < first.started_ns + first.round_trip_ns


def test_ndots_5_takes_eight_queries_for_a_full_name_and_two_with_the_final_dot(cluster):
    resolver = resolver_of(cluster, search=SEARCH)
    assert [query.name for query in resolver.lookup(SERVICE).queries[::2]] == [
        f"{SERVICE}.default.svc.cluster.local",
        f"{SERVICE}.svc.cluster.local",
        f"{SERVICE}.cluster.local",
        SERVICE,
    ]
    assert len(resolver.lookup(SERVICE).queries) == 8
    assert len(resolver.lookup(f"{SERVICE}.").queries) == 2


def test_a_name_that_is_nowhere_is_nxdomain(cluster):
    lookup = resolver_of(cluster, search=SEARCH).lookup("nobody.cluster.local.")
    assert (lookup.status, lookup.addresses, lookup.ok) == ("nxdomain", [], False)
    assert "NXDOMAIN" in lookup.reason


def test_a_name_without_addresses_is_no_data(cluster):
    assert resolver_of(cluster).lookup("svc.cluster.local.").status == "no_data"


def test_29_pods_do_not_fit_in_512_bytes_so_tcp_carries_them(cluster):
    pods = [(None, f"10.244.0.{i}") for i in range(1, 30)]
    cluster.set_service("greetserver", endpoints=pods)
    lookup = resolver_of(cluster).lookup(f"{SERVICE}.", types=["A"])
    assert len(lookup.addresses) == 29
    udp, tcp = lookup.queries
    assert (udp.transport, udp.status, udp.truncated) == ("udp", "truncated", True)
    assert (tcp.transport, tcp.status, tcp.truncated) == ("tcp", "ok", False)


def test_srv_gives_the_target_port_of_each_pod(cluster):
    name = "_grpc._tcp.greetserver-headless.default.svc.cluster.local."
    lookup = resolver_of(cluster).lookup(name, types=["SRV"])
    assert {srv.port for srv in lookup.srv} == {50051}
    assert sorted(srv.target.split(".")[0] for srv in lookup.srv) == [
        f"10-244-0-{i}" for i in (1, 2, 3)
    ]


def test_many_threads_may_use_one_resolver(cluster):
    resolver = resolver_of(cluster, search=SEARCH)
    results = []

    def work():
        results.extend(resolver.lookup("greetserver").addresses for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [["10.96.0.7"]] * 160


# Servers that misbehave


def test_a_silent_server_is_a_timeout():
    with Scripted(silence) as server:
        lookup = resolver_of(server, timeout=0.1).lookup("greetserver.", types=["A"])
        assert len(server.asked) == 1
    assert facts(lookup) == [("A", "udp", "timeout", None)]
    assert lookup.status == "timeout"
    assert 100e6 <= lookup.queries[0].round_trip_ns < 400e6
    assert lookup.queries[0].reply == b""


def test_after_a_silent_server_the_second_one_is_asked():
    with Scripted(silence) as first, Scripted(good) as second:
        lookup = resolver_of(first, second, timeout=0.1).lookup("greetserver.", types=["A"])
    assert [(q.server, q.status) for q in lookup.queries] == [
        (f"{first.address}:{PORT}", "timeout"),
        (f"{second.address}:{PORT}", "ok"),
    ]
    assert lookup.addresses == ["10.0.0.1"]


def test_attempts_are_rounds_of_all_servers():
    with (
        Scripted(refusing(dns.rcode.SERVFAIL)) as one,
        Scripted(refusing(dns.rcode.REFUSED)) as two,
    ):
        lookup = resolver_of(one, two, attempts=2).lookup("greetserver.", types=["A"])
    assert [q.rcode for q in lookup.queries] == ["SERVFAIL", "REFUSED", "SERVFAIL", "REFUSED"]
    assert lookup.status == "refused"


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "NOTIMP"])
def test_a_server_that_will_not_answer_gives_way_to_the_next(rcode):
    with Scripted(refusing(dns.rcode.from_text(rcode))) as first, Scripted(good) as second:
        lookup = resolver_of(first, second).lookup("greetserver.", types=["A"])
    assert facts(lookup) == [("A", "udp", rcode.lower(), rcode), ("A", "udp", "ok", "NOERROR")]


def test_a_closed_port_is_unreachable_at_once_and_the_next_server_is_asked():
    with Scripted(good) as second:
        lookup = resolver_of(Nobody(), second).lookup("greetserver.", types=["A"])
    assert facts(lookup) == [("A", "udp", "unreachable", None), ("A", "udp", "ok", "NOERROR")]
    assert lookup.queries[0].round_trip_ns < 500e6


def test_a_closed_port_is_unreachable_for_both_types_though_the_kernel_says_so_once():
    resolver = resolver_of(Nobody(), timeout=0.5)
    for _ in range(50):
        lookup = resolver.lookup("greetserver.")
        assert [query.status for query in lookup.queries] == ["unreachable", "unreachable"]


def test_servfail_ends_the_search_for_the_name_may_well_exist():
    with Scripted(refusing(dns.rcode.SERVFAIL)) as server:
        lookup = resolver_of(server, search=SEARCH).lookup("greetserver", types=["A"])
    assert lookup.status == "servfail"
    assert [query.name for query in lookup.queries] == [SERVICE]


def test_no_data_leads_to_the_next_name_and_is_remembered():
    def script(question, _transport):
        exists = question.question[0].name == dns.name.from_text(SERVICE)
        return answer(question, rcode=dns.rcode.NOERROR if exists else dns.rcode.NXDOMAIN)

    with Scripted(script) as server:
        lookup = resolver_of(server, search=SEARCH).lookup("greetserver", types=["A"])
    assert [q.status for q in lookup.queries] == ["no_data", "nxdomain", "nxdomain", "nxdomain"]
    assert lookup.status == "no_data"


def test_an_answer_to_a_is_enough_when_aaaa_fails():
    def script(question, _transport):
        if question.question[0].rdtype == dns.rdatatype.AAAA:
            return answer(question, rcode=dns.rcode.SERVFAIL)
        return good(question)

    with Scripted(script) as server:
        lookup = resolver_of(server).lookup("greetserver.")
    assert (lookup.status, lookup.addresses) == ("ok", ["10.0.0.1"])
    assert [q.status for q in lookup.queries] == ["ok", "servfail"]


def test_a_comes_before_aaaa_whichever_is_asked_first():
    def script(question, _transport):
        if question.question[0].rdtype == dns.rdatatype.AAAA:
            return answer(question, ("greetserver", "AAAA", "fd00::1"))
        return good(question)

    with Scripted(script) as server:
        lookup = resolver_of(server).lookup("greetserver.", types=["AAAA", "a"])
    assert lookup.addresses == ["10.0.0.1", "fd00::1"]
    assert lookup.ttl == 30


def test_a_chain_of_cnames_is_followed_within_the_reply():
    def script(question, _transport):
        chain = [
            ("old", "CNAME", "new."),
            ("NEW", "CNAME", "newest."),
            ("newest", "A", "10.0.0.5", "10.0.0.6"),
        ]
        return answer(question, *chain)

    with Scripted(script) as server:
        lookup = resolver_of(server).lookup("old.", types=["A"])
    assert lookup.addresses == ["10.0.0.5", "10.0.0.6"]
    assert "old\tcanonical name = new." in nslookup(lookup)


def test_cnames_in_a_circle_are_no_data():
    def script(question, _transport):
        return answer(question, ("old", "CNAME", "new."), ("new", "CNAME", "old."))

    with Scripted(script) as server:
        assert resolver_of(server).lookup("old.", types=["A"]).status == "no_data"


def test_a_truncated_reply_whose_tcp_fails_leads_to_the_next_server():
    def script(question, transport):
        return answer(question, flags=dns.flags.TC) if transport == "udp" else None

    with Scripted(script) as first, Scripted(good) as second:
        lookup = resolver_of(first, second).lookup("greetserver.", types=["A"])
    assert facts(lookup) == [
        ("A", "udp", "truncated", "NOERROR"),
        ("A", "tcp", "unreachable", None),
        ("A", "udp", "ok", "NOERROR"),
    ]


def test_records_of_other_names_are_no_answer():
    def script(question, _transport):
        return answer(question, ("greetserver", "A", "10.0.0.1"), ("stranger", "A", "10.6.6.6"))

    with Scripted(script) as server:
        lookup = resolver_of(server).lookup("greetserver.", types=["A"])
    assert lookup.addresses == ["10.0.0.1"]
    assert len(lookup.queries[0].records) == 2


def test_an_address_of_three_bytes_is_malformed():
    def script(question, _transport):
        wire = good(question).to_wire()
        return wire[:-6] + b"\x00\x03" + wire[-3:]

    with Scripted(script) as server:
        assert resolver_of(server).lookup("greetserver.", types=["A"]).status == "malformed"


def test_a_reply_whose_records_are_broken_is_malformed_and_the_next_server_is_asked():
    def script(question, _transport):
        return good(question).to_wire()[:-2]

    with Scripted(script) as first, Scripted(good) as second:
        lookup = resolver_of(first, second).lookup("greetserver.", types=["A"])
    assert [query.status for query in lookup.queries] == ["malformed", "ok"]


def test_noise_is_no_reply():
    with Scripted(lambda *_: b"noise, and more of it than a header has") as server:
        lookup = resolver_of(server, timeout=0.1).lookup("greetserver.", types=["A"])
    assert lookup.status in ("timeout", "malformed")


def test_whatever_a_server_sends_the_lookup_ends_with_a_status():
    draw = random.Random(11)

    def script(question, _transport):
        wire = bytearray(good(question).to_wire())
        for _ in range(draw.randrange(1, 4)):
            wire[draw.randrange(2, len(wire))] = draw.randrange(256)
        return bytes(wire)

    with Scripted(script) as server:
        resolver = resolver_of(server, timeout=0.003)
        statuses = {resolver.lookup("greetserver.", types=["A"]).status for _ in range(300)}
    assert {"ok", "malformed", "timeout"} <= statuses


def test_edns_in_the_reply_does_no_harm():
    def script(question, _transport):
        reply = good(question)
        reply.use_edns(0, payload=1232)
        return reply

    with Scripted(script) as server:
        assert resolver_of(server).lookup("greetserver.", types=["A"]).addresses == ["10.0.0.1"]


def test_a_type_that_nobody_asked_for_is_kept_as_raw_data():
    def script(question, _transport):
        name = question.question[0].name.to_text(omit_final_dot=True)
        return answer(question, (name, "TYPE99", r"\# 3 026869"), (name, "A", "10.0.0.1"))

    with Scripted(script) as server:
        lookup = resolver_of(server).lookup("greetserver.", types=["A"])
    assert [(r.type, r.text) for r in lookup.queries[0].records] == [
        ("TYPE99", r"\# 3 026869"),
        ("A", "10.0.0.1"),
    ]


def test_a_server_that_comes_back_is_asked_as_if_nothing_had_been():
    nobody = Nobody()
    resolver = resolver_of(nobody)
    assert resolver.lookup(f"{SERVICE}.").status == "unreachable"
    with ClusterDns(nobody.address, PORT) as cluster:
        cluster.set_service("greetserver", cluster_ip="10.96.0.7")
        assert resolver.lookup(f"{SERVICE}.").addresses == ["10.96.0.7"]
    assert resolver.lookup(f"{SERVICE}.").status == "unreachable"


# The caller


def test_ctrl_c_ends_the_wait_within_50_ms():
    interrupted_at = []

    def interrupt():
        interrupted_at.append(time.monotonic())
        signal.raise_signal(signal.SIGINT)

    with Scripted(silence) as server:
        timer = threading.Timer(0.05, interrupt)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            resolver_of(server, timeout=30).lookup("greetserver.")
        assert time.monotonic() - interrupted_at[0] < 0.05
        timer.join()


def test_other_python_threads_run_while_a_lookup_waits():
    ran = threading.Event()

    def script(question, _transport):
        ran.set()
        return good(question)

    with Scripted(script) as server:  # whose threads are Python's
        assert resolver_of(server).lookup("greetserver.", types=["A"]).ok
    assert ran.is_set()


def test_a_name_that_cannot_be_is_bad_name_and_nothing_is_sent():
    with Scripted(good) as server:
        lookup = resolver_of(server).lookup("x" * 64 + ".")
        assert server.asked == []
    assert lookup.status == "bad_name"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DnsResolver([]), "at least one DNS server"),
        (lambda: DnsResolver(["127.0.0.1"]), "no port"),
        (lambda: DnsResolver(["localhost:53"]), "'localhost' is not an IP address"),
        (lambda: DnsResolver(["127.0.0.1:53"], timeout=0), "timeout"),
        (lambda: DnsResolver(["127.0.0.1:53"], timeout=float("nan")), "timeout"),
        (lambda: DnsResolver(["127.0.0.1:53"], attempts=0), "attempts"),
        (lambda: DnsResolver(["127.0.0.1:53"], ndots=-1), "ndots"),
        (lambda: DnsResolver(["127.0.0.1:53"]).lookup(""), "the name is empty"),
        (
            lambda: DnsResolver(["127.0.0.1:53"]).lookup("x", types=["MX"]),
            "'MX'.*use A, AAAA, SRV or TXT",
        ),
        (lambda: DnsResolver(["127.0.0.1:53"]).lookup("x", types=[]), "no record types"),
    ],
)
def test_misuse_is_a_valueerror_that_says_what_to_do(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# resolv.conf


def test_a_pods_resolv_conf_is_read(tmp_path):
    file = tmp_path / "resolv.conf"
    file.write_text(
        "# a pod's\n"
        "nameserver 10.96.0.10\n"
        "nameserver fd00::10\n"
        "search default.svc.cluster.local svc.cluster.local cluster.local\n"
        "options ndots:5 timeout:2 attempts:3 edns0\n"
    )
    config = system_resolver(str(file)).config
    assert config.servers == ["10.96.0.10:53", "[fd00::10]:53"]
    assert config.search == SEARCH
    assert (config.ndots, config.timeout, config.attempts) == (5, 2.0, 3)


def test_an_empty_resolv_conf_means_this_machine(tmp_path):
    file = tmp_path / "resolv.conf"
    file.write_text("")
    config = system_resolver(str(file)).config
    assert (config.servers, config.search) == (["127.0.0.1:53"], [])
    assert (config.ndots, config.timeout, config.attempts) == (1, 5.0, 2)


def test_a_missing_resolv_conf_is_an_error_that_names_it(tmp_path):
    with pytest.raises(RuntimeError, match=r"nowhere\.conf: No such file"):
        system_resolver(str(tmp_path / "nowhere.conf"))


# How it looks


def test_nslookup_prints_the_server_and_each_address(cluster):
    lookup = resolver_of(cluster, search=SEARCH).lookup("greetserver")
    assert nslookup(lookup) == (
        f"Server:\t\t{cluster.address}\nAddress:\t{cluster.address}#{PORT}\n\n"
        f"Name:\t{SERVICE}\nAddress: 10.96.0.7"
    )


@pytest.mark.parametrize(
    ("script", "line"),
    [
        (refusing(dns.rcode.NXDOMAIN), "** server can't find greetserver.: NXDOMAIN"),
        (refusing(dns.rcode.SERVFAIL), "** server can't find greetserver.: SERVFAIL"),
        (refusing(dns.rcode.NOERROR), "*** Can't find greetserver.: No answer"),
        (silence, ";; connection timed out; no servers could be reached"),
        (good, "Non-authoritative answer:"),
    ],
)
def test_nslookup_says_what_went_wrong(script, line):
    with Scripted(script) as server:
        lookup = resolver_of(server, timeout=0.1).lookup("greetserver.", types=["A"])
    assert line in nslookup(lookup).splitlines()


def test_a_lookup_reads_well_in_a_terminal(cluster):
    headline, columns, first, second = repr(
        resolver_of(cluster, search=SEARCH).lookup("greetserver")
    ).splitlines()
    assert headline == f"greetserver is {SERVICE}: 10.96.0.7 (ttl 30 s)"
    assert columns.split() == ["type", "name", "server", "over", "answer", "ttl", "time"]
    assert first.split()[:7] == [
        "A",
        SERVICE,
        f"{cluster.address}:{PORT}",
        "udp",
        "NOERROR",
        "30",
        "s",
    ]
    assert "NOERROR, no data" in second


def test_a_lookup_is_a_table_in_a_notebook(cluster):
    resolver = resolver_of(cluster, search=SEARCH)
    html = resolver.lookup("greetserver")._repr_html_()
    assert html.count("<tr>") == 3
    assert f"<td>{SERVICE}</td>" in html
    assert "<p><b>&lt;b&gt;: " in resolver.lookup("<b>")._repr_html_()
