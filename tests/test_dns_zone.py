"""What the cluster's DNS knows, held to CoreDNS's own tables and to the specification.

The tables are those of coredns/coredns plugin/kubernetes: handler_test.go, reverse_test.go,
handler_case_test.go, handler_pod_insecure_test.go and kubernetes_apex_test.go.
"""

import dns.name
import dns.rcode
import dns.rdatatype
import dns.reversename
import pytest

from greetlab.dns.zone import Endpoint, Port, Service, Zone

DOMAIN = dns.name.from_text("cluster.local")
HTTP = {"http": Port(80, 80)}
DUAL = [
    Endpoint(None, "172.0.0.2"),
    Endpoint(None, "172.0.0.3"),
    Endpoint("dup-name", "172.0.0.4"),
    Endpoint("dup-name", "172.0.0.5"),
    Endpoint(None, "5678:abcd::1"),
    Endpoint(None, "5678:abcd::2"),
]
COREDNS = {
    ("svc1", "testns"): Service(("10.0.0.1",), HTTP, [Endpoint("ep1a", "172.0.0.1")]),
    ("svcempty", "testns"): Service(("10.0.0.1",), HTTP),
    ("svc6", "testns"): Service(("1234:abcd::1",), HTTP),
    ("hdls1", "testns"): Service((), HTTP, DUAL),
    ("hdlsprtls", "testns"): Service((), {}, [Endpoint(None, "172.0.0.20")]),
    ("external", "testns"): Service(external_name="ext.interwebs.test"),
    ("external-to-service", "testns"): Service(external_name="svc1.testns.svc.cluster.local."),
    ("svc-dual-stack", "testns"): Service(("10.0.0.3", "10::3"), HTTP),
}


def zone_of(services, **options):
    return Zone(DOMAIN, options.pop("ttl", 5), services, **options)


def look_up(zone, name, kind):
    return zone.answer(dns.name.from_text(name), dns.rdatatype.from_text(kind))


def lines(section):
    return sorted(line for rrset in section for line in rrset.to_text().splitlines())


def data(section):
    return sorted(record.to_text() for rrset in section for record in rrset)


SVC = "testns.svc.cluster.local."

ANSWERS = [
    (f"svc1.{SVC}", "A", ["10.0.0.1"], []),
    (f"svcempty.{SVC}", "A", ["10.0.0.1"], []),
    (f"svc1.{SVC}", "SRV", [f"0 100 80 svc1.{SVC}"], ["10.0.0.1"]),
    (f"svcempty.{SVC}", "SRV", [f"0 100 80 svcempty.{SVC}"], ["10.0.0.1"]),
    (f"svc6.{SVC}", "SRV", [f"0 100 80 svc6.{SVC}"], ["1234:abcd::1"]),
    (f"_http._tcp.svc1.{SVC}", "SRV", [f"0 100 80 svc1.{SVC}"], ["10.0.0.1"]),
    (f"_http._tcp.svcempty.{SVC}", "SRV", [f"0 100 80 svcempty.{SVC}"], ["10.0.0.1"]),
    (f"hdls1.{SVC}", "A", ["172.0.0.2", "172.0.0.3", "172.0.0.4", "172.0.0.5"], []),
    (f"hdlsprtls.{SVC}", "A", ["172.0.0.20"], []),
    (f"172-0-0-20.hdlsprtls.{SVC}", "A", ["172.0.0.20"], []),
    (f"172-0-0-2.hdls1.{SVC}", "A", ["172.0.0.2"], []),
    (f"172-0-0-3.hdls1.{SVC}", "A", ["172.0.0.3"], []),
    (f"dup-name.hdls1.{SVC}", "A", ["172.0.0.4", "172.0.0.5"], []),
    (
        f"_http._tcp.hdls1.{SVC}",
        "SRV",
        [
            f"0 16 80 172-0-0-2.hdls1.{SVC}",
            f"0 16 80 172-0-0-3.hdls1.{SVC}",
            f"0 16 80 5678-abcd--1.hdls1.{SVC}",
            f"0 16 80 5678-abcd--2.hdls1.{SVC}",
            f"0 16 80 dup-name.hdls1.{SVC}",
        ],
        ["172.0.0.2", "172.0.0.3", "172.0.0.4", "172.0.0.5", "5678:abcd::1", "5678:abcd::2"],
    ),
    (f"5678-abcd--2.hdls1.{SVC}", "AAAA", ["5678:abcd::2"], []),
    (f"external.{SVC}", "CNAME", ["ext.interwebs.test."], []),
    (f"external-to-service.{SVC}", "A", ["10.0.0.1", f"svc1.{SVC}"], []),
    (f"svc6.{SVC}", "AAAA", ["1234:abcd::1"], []),
    (f"_http._tcp.svc6.{SVC}", "SRV", [f"0 100 80 svc6.{SVC}"], ["1234:abcd::1"]),
    (f"hdls1.{SVC}", "AAAA", ["5678:abcd::1", "5678:abcd::2"], []),
    (f"5678-abcd--1.hdls1.{SVC}", "AAAA", ["5678:abcd::1"], []),
    (f"svc-dual-stack.{SVC}", "A", ["10.0.0.3"], []),
    (f"svc-dual-stack.{SVC}", "AAAA", ["10::3"], []),
    (f"svc-dual-stack.{SVC}", "SRV", [f"0 50 80 svc-dual-stack.{SVC}"], ["10.0.0.3", "10::3"]),
    # pods insecure
    ("10-240-0-1.testns.pod.cluster.local.", "A", ["10.240.0.1"], []),
    ("172-0-0-2.testns.pod.cluster.local.", "A", ["172.0.0.2"], []),
    ("1234-abcd--1.testns.pod.cluster.local.", "AAAA", ["1234:abcd::1"], []),
    # the apex
    ("cluster.local.", "NS", ["ns.dns.cluster.local."], ["127.0.0.1"]),
    ("ns.dns.cluster.local.", "A", ["127.0.0.1"], []),
]

NOTHING = [
    (f"svc1.{SVC}", "AAAA", "NOERROR"),
    (f"svc0.{SVC}", "AAAA", "NXDOMAIN"),
    (f"svc0.{SVC}", "A", "NXDOMAIN"),
    ("svc0.svc-nons.svc.cluster.local.", "A", "NXDOMAIN"),
    (f"bogusendpoint.hdls1.{SVC}", "A", "NXDOMAIN"),
    (f"bogusendpoint.svc0.{SVC}", "A", "NXDOMAIN"),
    (f"endpoint.external.{SVC}", "CNAME", "NXDOMAIN"),
    ("svc.cluster.local.", "A", "NOERROR"),
    ("pod.cluster.local.", "A", "NOERROR"),
    (SVC, "A", "NOERROR"),
    ("svc.cluster.local.", "NS", "NOERROR"),
    (SVC, "NS", "NOERROR"),
    ("foo.cluster.local.", "NS", "NXDOMAIN"),
    ("foo.svc.cluster.local.", "NS", "NXDOMAIN"),
    (f"svc1.{SVC}", "SOA", "NOERROR"),
    ("cluster.local.", "HINFO", "NOERROR"),
    ("example.org.cluster.local.", "PTR", "NXDOMAIN"),
    # pods insecure
    ("blah.testns.pod.cluster.local.", "A", "NXDOMAIN"),
    ("blah.testns.pod.cluster.local.", "AAAA", "NXDOMAIN"),
    ("blah.testns.pod.cluster.local.", "HINFO", "NXDOMAIN"),
    ("blah.pod-nons.pod.cluster.local.", "A", "NXDOMAIN"),
    ("10-0-0-1.pod-nons.pod.cluster.local.", "A", "NXDOMAIN"),
    ("testns.pod.cluster.local.", "A", "NOERROR"),
    # not in its tables, but in its code
    (f"_tcp.svc1.{SVC}", "A", "NXDOMAIN"),  # parseRequest: an endpoint of that name
    (f"_http._udp.svc1.{SVC}", "SRV", "NXDOMAIN"),
    (f"_grpc._tcp.svc1.{SVC}", "SRV", "NXDOMAIN"),
    (f"a.b.c.svc1.{SVC}", "A", "NXDOMAIN"),
    (f"hdlsprtls.{SVC}", "SRV", "NOERROR"),
    (f"external.{SVC}", "SRV", "NOERROR"),
    (f"svc1.{SVC}", "ANY", "NOERROR"),
    (f"svc0.{SVC}", "ANY", "NXDOMAIN"),
    (f"svc1.{SVC}", "TXT", "NOERROR"),
    ("default.svc.cluster.local.", "A", "NOERROR"),  # a namespace without services
]


@pytest.mark.parametrize(("name", "kind", "answer", "additional"), ANSWERS)
def test_what_there_is_is_as_coredns_tells_it(name, kind, answer, additional):
    found = look_up(zone_of(COREDNS), name, kind)
    assert (found.rcode, found.authoritative) == (dns.rcode.NOERROR, True)
    assert data(found.answer) == sorted(answer)
    assert data(found.additional) == sorted(additional)
    assert not found.authority
    assert {rrset.ttl for rrset in [*found.answer, *found.additional]} == {5}


@pytest.mark.parametrize(("name", "kind", "rcode"), NOTHING)
def test_what_there_is_not_is_denied_as_coredns_denies_it(name, kind, rcode):
    found = look_up(zone_of(COREDNS, serial=1499347823), name, kind)
    assert (dns.rcode.to_text(found.rcode), found.authoritative) == (rcode, True)
    assert (found.answer, found.additional) == ((), ())
    assert lines(found.authority) == [
        "cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. "
        "1499347823 7200 1800 86400 5"
    ]


def test_the_soa_is_there_for_the_asking():
    found = look_up(zone_of({}), "cluster.local.", "SOA")
    assert data(found.answer) == [
        "ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5"
    ]


@pytest.mark.parametrize(("ttl", "soa_ttl"), [(30, 30), (3600, 300)])
def test_a_no_may_be_remembered_for_the_ttl_but_the_soa_for_300_seconds_at_most(ttl, soa_ttl):
    (soa,) = look_up(zone_of({}, ttl=ttl), "nobody.default.svc.cluster.local.", "A").authority
    assert (soa.ttl, soa[0].minimum) == (soa_ttl, ttl)


def test_a_service_s_config_is_a_txt_record_in_strings_of_255_bytes():
    """gRFC A2, RFC 1035 3.3.14. A service that has none has no such record, as in CoreDNS."""
    zone = zone_of({("svc1", "testns"): Service(config="grpc_config=" + "[" * 300)})
    (record,) = look_up(zone, f"_grpc_config.svc1.{SVC}", "TXT").answer[0]
    assert [len(part) for part in record.strings] == [255, 57]
    assert not look_up(zone, f"_grpc_config.svc2.{SVC}", "TXT").answer


def test_the_version_of_the_specification_has_a_ttl_of_its_own():
    found = look_up(zone_of({}, ttl=30), "dns-version.cluster.local.", "TXT")
    assert lines(found.answer) == ['dns-version.cluster.local. 30 IN TXT "1.1.0"']
    assert look_up(zone_of({}), "dns-version.cluster.local.", "A").rcode == dns.rcode.NXDOMAIN


def test_the_case_of_the_question_is_kept_in_the_answer_and_does_not_matter():
    name = "SvC1.TestNS.svc.Cluster.LOCAL."
    assert lines(look_up(zone_of(COREDNS), name, "A").answer) == [f"{name} 5 IN A 10.0.0.1"]
    srv = look_up(zone_of(COREDNS), "_HTTP._TCP.SVC1.testns.svc.cluster.local.", "SRV")
    assert data(srv.answer) == [f"0 100 80 svc1.{SVC}"]
    dup = look_up(zone_of(COREDNS), f"DUP-Name.hdls1.{SVC}", "A")
    assert data(dup.answer) == ["172.0.0.4", "172.0.0.5"]


# Ports


PORTS = {"grpc": Port(80, 50051), "": Port(9, 9009), "dns": Port(53, 1053, "UDP")}


def test_srv_has_the_service_port_of_a_clusterip_and_the_target_port_of_a_headless_service():
    pods = [Endpoint("web-0", "10.0.0.7")]
    zone = zone_of({("web", "ns"): Service(("10.0.0.1",), PORTS, pods),
                    ("bare", "ns"): Service((), PORTS, pods)})  # fmt: skip

    def srv(name):
        return data(look_up(zone, f"{name}.ns.svc.cluster.local.", "SRV").answer)

    assert srv("_grpc._tcp.web") == ["0 100 80 web.ns.svc.cluster.local."]
    assert srv("_grpc._tcp.bare") == ["0 100 50051 web-0.bare.ns.svc.cluster.local."]
    assert srv("_dns._udp.web") == ["0 100 53 web.ns.svc.cluster.local."]
    assert srv("_dns._udp.bare") == ["0 100 1053 web-0.bare.ns.svc.cluster.local."]
    # A pod behind a ClusterIP has a name, too, and its own port.
    assert srv("web-0.web") == [
        "0 33 1053 web-0.web.ns.svc.cluster.local.",
        "0 33 50051 web-0.web.ns.svc.cluster.local.",
        "0 33 9009 web-0.web.ns.svc.cluster.local.",
    ]


def test_an_unnamed_port_has_no_srv_name_but_the_service_tells_of_it():
    zone = zone_of({("web", "ns"): Service(("10.0.0.1",), {"": Port(80, 50051)})})
    for name in ("_http._tcp.web", "_80._tcp.web"):
        answer = look_up(zone, f"{name}.ns.svc.cluster.local.", "SRV")
        assert answer.rcode == dns.rcode.NXDOMAIN
    answer = look_up(zone, "web.ns.svc.cluster.local.", "SRV")
    assert data(answer.answer) == ["0 100 80 web.ns.svc.cluster.local."]


def test_of_more_than_a_hundred_pods_each_has_a_weight_all_the_same():
    pods = [Endpoint(None, f"10.0.0.{i}") for i in range(1, 151)]
    zone = zone_of({("web", "ns"): Service((), HTTP, pods)})
    srv = look_up(zone, "_http._tcp.web.ns.svc.cluster.local.", "SRV")
    assert {record.weight for rrset in srv.answer for record in rrset} == {1}


# Readiness


ONE_OF_TWO = [Endpoint("a", "10.0.0.1"), Endpoint("b", "10.0.0.2", ready=False)]


def test_a_pod_that_is_not_ready_has_no_records():
    zone = zone_of({("web", "ns"): Service((), HTTP, ONE_OF_TWO)})
    assert data(look_up(zone, "web.ns.svc.cluster.local.", "A").answer) == ["10.0.0.1"]
    assert look_up(zone, "b.web.ns.svc.cluster.local.", "A").rcode == dns.rcode.NXDOMAIN
    srv = look_up(zone, "_http._tcp.web.ns.svc.cluster.local.", "SRV")
    assert data(srv.answer) == ["0 100 80 a.web.ns.svc.cluster.local."]
    assert look_up(zone, "2.0.0.10.in-addr.arpa.", "PTR").rcode == dns.rcode.NXDOMAIN


def test_publish_not_ready_addresses_tells_of_it_all_the_same():
    zone = zone_of({("web", "ns"): Service((), HTTP, ONE_OF_TWO, publish_not_ready_addresses=True)})
    assert data(look_up(zone, "web.ns.svc.cluster.local.", "A").answer) == ["10.0.0.1", "10.0.0.2"]
    assert data(look_up(zone, "b.web.ns.svc.cluster.local.", "A").answer) == ["10.0.0.2"]
    assert look_up(zone, "2.0.0.10.in-addr.arpa.", "PTR").rcode == dns.rcode.NOERROR


@pytest.mark.parametrize("kind", ["A", "AAAA", "SRV"])
def test_with_no_pod_ready_a_headless_service_is_nxdomain(kind):
    none = [Endpoint("b", "10.0.0.2", ready=False)]
    zone = zone_of({("web", "ns"): Service((), HTTP, none)})
    for name in ("web", "_http._tcp.web", "b.web"):
        answer = look_up(zone, f"{name}.ns.svc.cluster.local.", kind)
        assert answer.rcode == dns.rcode.NXDOMAIN


def test_with_no_pod_ready_a_clusterip_keeps_its_address():
    none = [Endpoint("b", "10.0.0.2", ready=False)]
    zone = zone_of({("web", "ns"): Service(("10.96.0.1",), HTTP, none)})
    assert data(look_up(zone, "web.ns.svc.cluster.local.", "A").answer) == ["10.96.0.1"]
    srv = look_up(zone, "_http._tcp.web.ns.svc.cluster.local.", "SRV")
    assert data(srv.answer) == ["0 100 80 web.ns.svc.cluster.local."]


# From an address to names


@pytest.mark.parametrize(
    ("ip", "names"),
    [
        ("192.168.1.100", ["svc1.testns.svc.cluster.local."]),
        ("10.0.0.100", ["ep1a.svc1.testns.svc.cluster.local."]),
        ("1234:abcd::1", ["ep1b.svc1.testns.svc.cluster.local."]),
        ("fd00:77:30::2:9ba6", ["ip6svc1in.svc1.testns.svc.cluster.local."]),
        ("10.0.0.7", ["10-0-0-7.other.testns.svc.cluster.local.",
                      "10-0-0-7.svc1.testns.svc.cluster.local."]),
    ],
)  # fmt: skip
def test_a_ptr_leads_from_an_address_to_its_service_or_to_its_endpoints(ip, names):
    pods = [
        Endpoint("ep1a", "10.0.0.100"),
        Endpoint("ep1b", "1234:abcd::1"),
        Endpoint("ip6svc1in", "fd00:77:30::2:9ba6"),
        Endpoint(None, "10.0.0.7"),
    ]
    zone = zone_of({("svc1", "testns"): Service(("192.168.1.100",), HTTP, pods),
                    ("other", "testns"): Service((), HTTP, pods[3:])})  # fmt: skip
    found = zone.answer(dns.reversename.from_address(ip), dns.rdatatype.PTR)
    assert data(found.answer) == names
    assert found.authoritative


# Aliases


def test_an_alias_of_a_name_outside_is_told_and_not_followed_for_nothing_is_forwarded():
    found = look_up(zone_of(COREDNS), f"external.{SVC}", "A")
    assert data(found.answer) == ["ext.interwebs.test."]


def test_an_alias_comes_before_what_it_leads_to():
    first, second = look_up(zone_of(COREDNS), f"external-to-service.{SVC}", "A").answer
    assert (first.rdtype, second.rdtype) == (dns.rdatatype.CNAME, dns.rdatatype.A)


@pytest.mark.parametrize("target", [f"external-to-nobody.{SVC}", f"b.{SVC}"])
def test_an_alias_that_leads_nowhere_or_in_a_circle_has_no_address(target):
    zone = zone_of({("a", "testns"): Service(external_name=target),
                    ("b", "testns"): Service(external_name=f"a.{SVC}")})  # fmt: skip
    found = look_up(zone, f"a.{SVC}", "A")
    assert (found.rcode, found.answer) == (dns.rcode.NOERROR, ())


# Outside


@pytest.mark.parametrize(
    "name",
    ["web", "web.default", "WEB.Default.SVC", "web.testns", "1-2-3-4.default.pod",
     "9.0.0.10.in-addr.arpa", "1.0.0.127.in-addr.arpa", "no.number.in-addr.arpa",
     "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa"],
)  # fmt: skip
def test_what_the_internet_need_not_be_asked_for_is_nxdomain(name):
    found = look_up(zone_of(COREDNS), f"{name}.", "PTR" if name.endswith("arpa") else "A")
    assert found == (dns.rcode.NXDOMAIN, False, (), (), ())


@pytest.mark.parametrize(
    "name", [".", "example.com", "cluster.local.example.com", "8.8.8.8.in-addr.arpa"]
)
def test_the_rest_of_the_world_is_refused(name):
    found = look_up(zone_of(COREDNS), name, "PTR" if name.endswith("arpa") else "A")
    assert found == (dns.rcode.REFUSED, False, (), (), ())


@pytest.mark.parametrize("kind", ["AXFR", "IXFR"])
def test_the_zone_is_not_given_away(kind):
    assert look_up(zone_of(COREDNS), "cluster.local.", kind).rcode == dns.rcode.REFUSED


def test_an_address_that_is_none_is_a_valueerror():
    with pytest.raises(ValueError, match=r"10\.0\.0"):
        Service((), {}, [Endpoint(None, "10.0.0")])
