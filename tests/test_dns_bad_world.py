"""The resolver against servers that lie, stall and die: it ends in time, and says how it went.

The bounds are those of cpp/dns/walk.h.
"""

import contextlib
import socket
import time
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from bad_dns import PORT, BadServer, answer, asked_for, framed, good, truncated, wire_of
from support import free_ip, wait_until

import greetlab as gl
from greetlab.channels.channel import Channel
from greetlab.dns.lookup import DnsResolver
from greetlab.dns.server import ClusterDns

TIMEOUT = 0.15
SLACK = 0.35  # two cores and other tests beside us


def left():
    return [len(list(Path("/proc/self", what).iterdir())) for what in ("fd", "task")]


@pytest.fixture(autouse=True)
def nothing_is_left():
    """No descriptor and no thread, whatever the server did."""
    before = left()
    yield
    wait_until(lambda: all(now <= then for now, then in zip(left(), before, strict=True)))


def ask(*servers, name="greetserver.", types=("A",), timeouts=1, attempts=1, **options):
    """Looks up, and holds it to so many timeouts."""
    addresses = [f"{server.address}:{PORT}" for server in servers]
    resolver = DnsResolver(addresses, timeout=TIMEOUT, attempts=attempts, **options)
    started = time.monotonic()
    lookup = resolver.lookup(name, types=list(types))
    took = time.monotonic() - started
    assert took < timeouts * TIMEOUT + SLACK, f"{took:.2f} s: {lookup}"
    assert lookup.ok or lookup.reason
    return lookup


def statuses(lookup):
    return [query.status for query in lookup.queries]


# Datagrams that are no answer to us: the right one may still come


def wrong_id(question):
    wire = wire_of(good(question, "10.6.6.6"))
    return bytes([wire[0] ^ 0xFF]) + wire[1:]


def wrong_name(question):
    other = dns.message.make_query("other.", "A", id=question.id)
    return good(other, "10.6.6.6")


def wrong_type(question):
    other = dns.message.make_query(asked_for(question), "AAAA", id=question.id)
    return answer(other, (asked_for(question), "AAAA", "fd00::6"))


def no_question(question):
    reply = good(question, "10.6.6.6")
    reply.question = []
    return reply


def from_another_address(question):
    def send(client):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind((free_ip(), PORT))
            stranger.sendto(wire_of(good(question, "10.6.6.6")), client)

    return send


STRAY = [
    wrong_id,
    wrong_name,
    wrong_type,
    no_question,
    from_another_address,
    lambda _: b"",  # CVE-2023-32067: c-ares took it for the end of the connection
    lambda _: b"\xff" * 11,  # less than a header
    lambda _: b"noise, and more of it than a header has",
    lambda question: wire_of(question)[:6],
]


@pytest.mark.parametrize("stray", STRAY)
def test_a_datagram_that_is_not_for_us_is_passed_over(stray):
    with BadServer(lambda question: [stray(question), good(question)]) as server:
        lookup = ask(server)
    assert (lookup.status, lookup.addresses, statuses(lookup)) == ("ok", ["10.0.0.1"], ["ok"])


@pytest.mark.parametrize("stray", STRAY)
def test_with_nothing_behind_it_it_is_a_timeout(stray):
    with BadServer(lambda question: [stray(question)]) as server:
        assert ask(server).status == "timeout"


# Replies to our question that cannot be read


def patched(question, at, value):
    wire = bytearray(wire_of(good(question)))
    wire[at : at + len(value)] = value
    return bytes(wire)


BROKEN = {
    "half a packet": lambda question: wire_of(good(question))[:-8],
    "without its last byte": lambda question: wire_of(good(question))[:-1],
    "the question itself": wire_of,
    "more answers than there are": lambda question: patched(question, 6, b"\0\5"),
    "65,535 answers": lambda question: patched(question, 6, b"\xff\xff"),
    "a record that ends behind the packet": lambda question: patched(question, -6, b"\xff\xff"),
    "an address of two bytes": lambda question: patched(question, -6, b"\0\2"),
    "a name that points at itself": lambda question: patched(question, -16, b"\xc0\x1d"),
    "a name that points ahead": lambda question: patched(question, -16, b"\xff\xff"),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_reply_that_cannot_be_read_leads_to_the_next_server(broken):
    with (
        BadServer(lambda question: [broken(question)]) as bad,
        BadServer(lambda question: [good(question)]) as second,
    ):
        lookup = ask(bad, second)
    # c-ares before 1.22 hands it over; later ones drop it unread.
    assert statuses(lookup) in (["malformed", "ok"], ["timeout", "ok"])
    assert lookup.addresses == ["10.0.0.1"]


def test_a_datagram_that_is_longer_than_512_bytes_without_tc_is_asked_for_again_over_tcp():
    ips = [f"10.0.1.{i}" for i in range(1, 61)]

    def tcp(connection, question):
        connection.sendall(framed(good(question, *ips)))

    with BadServer(lambda question: [good(question, *ips)], tcp) as server:
        lookup = ask(server, timeouts=2)
    assert lookup.addresses == ips


# Aliases


def test_a_chain_of_a_hundred_aliases_is_followed():
    def script(connection, question):
        links = [(f"n{i}.", "CNAME", f"n{i + 1}.") for i in range(100)]
        connection.sendall(framed(answer(question, *links, ("n100.", "A", "10.0.0.1"))))

    with BadServer(truncated, script) as server:
        assert ask(server, name="n0.").addresses == ["10.0.0.1"]


@pytest.mark.parametrize(
    "links",
    [
        [("n0.", "n0.")],
        [("n0.", "n1."), ("n1.", "n0.")],
        [("n0.", "n1."), ("n1.", "n2."), ("n2.", "n1.")],
        [("n0.", "elsewhere.")],
    ],
)
def test_aliases_in_a_circle_or_to_nowhere_are_no_data(links):
    def script(question):
        return [answer(question, *((at, "CNAME", to) for at, to in links))]

    with BadServer(script) as server:
        assert ask(server, name="n0.").status == "no_data"


def test_as_many_aliases_as_a_message_holds_are_followed_in_time():
    count = 3200

    def name(number):
        return b"\3%03x\0" % number

    def script(connection, question):
        wire = question.to_wire()
        reply = wire[:2] + bytes.fromhex("8180 0001") + (count + 1).to_bytes(2, "big") + bytes(4)
        reply += wire[12:]
        for i in reversed(range(count)):  # the last one first, which is the worst
            reply += name(i) + bytes.fromhex("0005 0001 0000001e 0005") + name(i + 1)
        reply += name(count) + bytes.fromhex("0001 0001 0000001e 0004 0a000001")
        connection.sendall(framed(reply))

    with BadServer(truncated, script) as server:
        lookup = ask(server, name="000.", timeouts=2)
    assert lookup.addresses == ["10.0.0.1"]
    assert len(lookup.queries[-1].records) == count + 1


# Many addresses, and what else may stand beside them


def test_a_thousand_addresses_come_over_tcp():
    ips = [f"10.0.{i // 250}.{i % 250}" for i in range(1000)]

    def tcp(connection, question):
        connection.sendall(framed(good(question, *ips)))

    with BadServer(truncated, tcp) as server:
        lookup = ask(server)
    assert lookup.addresses == ips
    assert statuses(lookup) == ["truncated", "ok"]


def test_what_came_with_tc_is_not_taken_for_the_answer():
    def udp(question):
        reply = good(question, "10.6.6.6")
        reply.flags |= dns.flags.TC
        return [reply]

    with BadServer(udp, lambda connection, q: connection.sendall(framed(good(q)))) as server:
        assert ask(server).addresses == ["10.0.0.1"]


def test_records_of_other_types_are_passed_over():
    def script(question):
        name = asked_for(question)
        reply = answer(
            question,
            (name, "TXT", '"hi"'),
            (name, "AAAA", "fd00::6"),
            (name, "A", "10.0.0.1"),
            (name, "SRV", "0 0 7 elsewhere."),
            (name, "MX", "10 mail."),
        )
        reply.additional.append(dns.rrset.from_text(name, 30, "IN", "A", "10.6.6.6"))
        return [reply]

    with BadServer(script) as server:
        assert ask(server).addresses == ["10.0.0.1"]


def test_an_address_that_is_told_twice_stands_twice_as_it_does_in_grpc():
    def script(question):
        wire = bytearray(wire_of(good(question)))
        wire[7] = 2
        return [bytes(wire + wire[-16:])]

    with BadServer(script) as server:
        assert ask(server).addresses == ["10.0.0.1", "10.0.0.1"]


# TCP that fails


def hold(connection, _question=None):
    """Says nothing until the client hangs up."""
    while connection.recv(4096):
        pass


def say(*parts, then=None):
    def tcp(connection, question):
        for part in parts:
            connection.sendall(part(question) if callable(part) else part)
        if then:
            then(connection)

    return tcp


def trickle(connection, question):
    """A byte now and then, for longer than anybody waits."""
    for byte in framed(good(question)):
        connection.sendall(bytes([byte]))
        time.sleep(TIMEOUT / 8)


STALLS = {
    "silence": hold,
    "half a length": say(b"\0", then=hold),
    "half a message": say(lambda q: framed(good(q))[:30], then=hold),
    "a length that is too long": say(lambda q: b"\xff\xff" + wire_of(good(q)), then=hold),
    "a byte now and then": trickle,
    "the answer to another question": say(lambda q: framed(wrong_name(q)), then=hold),
    "the answer with another id": say(lambda q: framed(wrong_id(q)), then=hold),
}


@pytest.mark.parametrize("tcp", STALLS.values(), ids=STALLS)
def test_tcp_that_stalls_is_a_timeout_within_two(tcp):
    with BadServer(truncated, tcp) as server:
        lookup = ask(server, timeouts=2)
    assert lookup.status == "timeout"
    assert statuses(lookup) == ["truncated", "timeout"]


BREAKS = {
    "closed at once": say(),
    "closed in the length": say(b"\0"),
    "closed in the message": say(lambda q: framed(good(q))[:30]),
    "closed behind a length that is too long": say(lambda q: b"\xff\xff" + wire_of(good(q))),
    "a length of nothing": say(b"\0\0"),
}


@pytest.mark.parametrize("tcp", BREAKS.values(), ids=BREAKS)
def test_tcp_that_breaks_off_leads_to_the_next_server_at_once(tcp):
    with BadServer(truncated, tcp) as bad, BadServer(lambda q: [good(q)]) as second:
        lookup = ask(bad, second)
    assert statuses(lookup) == ["truncated", "unreachable", "ok"]
    assert lookup.queries[1].round_trip_ns < TIMEOUT * 1e9


@pytest.mark.parametrize("then", [None, hold])
def test_while_half_a_message_is_all_there_is_nothing_spins(then):
    """Others' loops have: oven-sh/bun pull 42944, scylladb/seastar pull 3699."""
    with BadServer(truncated, say(lambda q: framed(good(q))[:30], then=then)) as server:
        before = time.process_time()
        ask(server, timeouts=2)
        assert time.process_time() - before < TIMEOUT / 2


def test_tcp_that_never_gets_through_is_a_timeout():
    with BadServer(truncated) as server, socket.socket() as full:
        full.bind((server.address, PORT))
        full.listen(0)
        with contextlib.ExitStack() as crowd:
            while True:  # until the kernel drops what comes
                client = crowd.enter_context(socket.socket())
                client.settimeout(0.05)
                try:
                    client.connect((server.address, PORT))
                except TimeoutError:
                    break
            lookup = ask(server, timeouts=2)
    assert statuses(lookup) == ["truncated", "timeout"]


def test_a_length_that_is_too_short_is_malformed():
    with BadServer(truncated, say(lambda q: b"\0\x20" + wire_of(good(q)), then=hold)) as server:
        lookup = ask(server, timeouts=2)
    assert statuses(lookup)[1] in ("malformed", "unreachable", "timeout")
    assert not lookup.addresses


def test_tc_where_nobody_listens_for_tcp_is_unreachable_at_once():
    with BadServer(truncated) as server:
        lookup = ask(server)
    assert statuses(lookup) == ["truncated", "unreachable"]
    assert lookup.queries[1].round_trip_ns < TIMEOUT * 1e9


def test_a_server_that_closes_after_one_answer_is_asked_again_for_the_other():
    """A and AAAA share a connection (RFC 7766 6.2.1), which not every server knows."""

    def tcp(connection, question):
        six = question.question[0].rdtype == dns.rdatatype.AAAA
        reply = answer(question, ("greetserver.", "AAAA", "fd00::1")) if six else good(question)
        connection.sendall(framed(reply))

    with BadServer(truncated, tcp) as server:
        lookup = ask(server, types=("A", "AAAA"), attempts=2)
    assert lookup.addresses == ["10.0.0.1", "fd00::1"]


def test_a_connection_that_the_server_has_closed_meanwhile_is_not_used_again():
    with BadServer(truncated, say(lambda q: framed(good(q)))) as server:
        resolver = DnsResolver([f"{server.address}:{PORT}"], timeout=TIMEOUT, attempts=1)
        for _ in range(3):
            lookup = resolver.lookup("greetserver.", types=["A"])
            assert statuses(lookup) == ["truncated", "ok"]


# Servers that die, recover, refuse


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "NOTIMP"])
def test_a_server_that_fails_and_then_answers_is_asked_again(rcode):
    def script(question):
        failing = len(server.asked) == 1
        return [answer(question, rcode=dns.rcode.from_text(rcode)) if failing else good(question)]

    with BadServer(script) as server:
        lookup = ask(server, attempts=2)
    assert statuses(lookup) == [rcode.lower(), "ok"]


def test_the_first_server_dead_and_the_second_good():
    with BadServer(None) as dead, BadServer(lambda q: [good(q)]) as second:
        lookup = ask(dead, second)
    assert statuses(lookup) == ["unreachable", "ok"]


@pytest.mark.parametrize(("servers", "attempts"), [(1, 1), (1, 3), (2, 2)])
def test_silence_ends_after_servers_times_attempts_times_the_timeout(servers, attempts):
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(BadServer(lambda _: [])) for _ in range(servers)]
        lookup = ask(*silent, types=("A", "AAAA"), attempts=attempts, timeouts=servers * attempts,
                     search=["a", "b"], name="web")  # fmt: skip
    assert lookup.status == "timeout"
    assert len(lookup.queries) == 2 * servers * attempts  # for one name: it may well exist
    least = min(query.round_trip_ns for query in lookup.queries)
    assert least > 0.9 * TIMEOUT * 1e9


def test_the_longest_lookup_is_every_name_of_the_search_list_at_the_last_moment():
    def script(question):
        time.sleep(0.6 * TIMEOUT)
        return [answer(question, rcode=dns.rcode.NXDOMAIN)]

    with BadServer(script) as server:
        lookup = ask(server, name="web", search=["a", "b", "c"], ndots=5, timeouts=4)
    assert lookup.status == "nxdomain"
    assert len(lookup.queries) == 4


def test_refused_by_all_is_refused():
    with BadServer(lambda q: [answer(q, rcode=dns.rcode.REFUSED)]) as server:
        assert ask(server, attempts=2).status == "refused"


def test_nxdomain_is_nxdomain_whatever_soa_comes_with_it():
    def script(question):
        reply = answer(question, rcode=dns.rcode.NXDOMAIN)
        soa = ("elsewhere.", 7, "IN", "SOA", "ns. root. 1 2 3 4 4294967295")
        reply.authority.append(dns.rrset.from_text(*soa))
        return [reply]

    with BadServer(script) as server:
        assert ask(server).status == "nxdomain"


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_ones():
    late = []

    def script(question):
        if not late:
            late.append(question)
            return []
        return [good(late[0], "10.6.6.6"), good(question, "10.0.0.2")]

    with BadServer(script) as server:
        resolver = DnsResolver([f"{server.address}:{PORT}"], timeout=TIMEOUT, attempts=1)
        assert resolver.lookup("greetserver.", types=["A"]).status == "timeout"
        assert resolver.lookup("greetserver.", types=["A"]).addresses == ["10.0.0.2"]


# A channel that had addresses keeps them


def outage(question):
    return [answer(question, rcode=dns.rcode.SERVFAIL)]


@pytest.fixture(scope="module")
def cluster():
    with gl.Cluster.local(pods=2, seed=31) as cluster:
        with cluster.channel("greetserver") as channel:
            channel.greet("Ada")  # gRPC's own threads, which stay
        yield cluster


BAD_LATER = {
    "SERVFAIL": lambda q: [answer(q, rcode=dns.rcode.SERVFAIL)],
    "NXDOMAIN": lambda q: [answer(q, rcode=dns.rcode.NXDOMAIN)],
    "no data": lambda q: [answer(q)],
    "a circle": lambda q: [answer(q, (asked_for(q), "CNAME", asked_for(q)))],
    "tc without tcp": truncated,
    "garbage": lambda q: [BROKEN["half a packet"](q)],
    "silence": lambda _: [],
}


@pytest.mark.parametrize("later", BAD_LATER.values(), ids=BAD_LATER)
def test_a_channel_keeps_its_addresses_while_its_resolver_fails(cluster, later):
    one, two = cluster.pods
    nobody = free_ip()  # a pod that is gone: its connection fails, which asks for another lookup
    failing = []

    def script(question):
        if failing:
            failing.append(question)
            return later(question)
        if question.question[0].rdtype == dns.rdatatype.AAAA:
            failing.append(None)
            return [answer(question)]
        return [good(question, one.ip, two.ip, nobody)]

    with (
        BadServer(script) as server,
        Channel(f"dns://{server.address}:{PORT}/greet.test.:{cluster.port}", policy="round_robin",
                cooldown=0.01, pods=lambda: [one.name, two.name]) as channel,
    ):  # fmt: skip
        channel.wait_ready()
        wait_until(lambda: [view.state for view in channel.subchannels].count("READY") == 2)
        wait_until(lambda: len(failing) > 2)
        if later is not BAD_LATER["silence"]:  # which takes as long as /etc/resolv.conf says
            wait_until(lambda: channel.trace.of("ResolverBackoffStarted"))
        calls = channel.greet("Ada", times=20)
        assert calls.by_status == {"OK": 20}
        assert set(calls.by_pod) == {one.name, two.name}


def test_a_channel_that_never_had_any_says_why(cluster):
    with (
        BadServer(outage) as server,
        Channel(f"dns://{server.address}:{PORT}/greet.test.:{cluster.port}") as channel,
    ):
        assert channel.greet("Ada").by_status == {"UNAVAILABLE": 1}
        assert channel.trace.first("LookupEnded").status == "servfail"


@pytest.mark.parametrize("udp", [truncated, lambda _: []])
def test_a_channel_may_be_closed_while_its_server_is_silent(udp):
    with (
        BadServer(udp, hold) as server,
        Channel(f"dns://{server.address}:{PORT}/greet.test.:1") as channel,
    ):
        assert channel.greet("Ada", timeout=0.05).ok == 0
        wait_until(lambda: server.asked)
        started = time.monotonic()
        channel.close()
        assert time.monotonic() - started < SLACK


def test_a_cluster_whose_dns_comes_back_is_found_again():
    address = free_ip()
    resolver = DnsResolver([f"{address}:{PORT}"], timeout=TIMEOUT, attempts=1)
    for _ in range(3):
        assert resolver.lookup("web.default.svc.cluster.local.").status == "unreachable"
        with ClusterDns(address, PORT) as server:
            server.set_service("web", cluster_ip="10.96.0.7")
            assert resolver.lookup("web.default.svc.cluster.local.").addresses == ["10.96.0.7"]
