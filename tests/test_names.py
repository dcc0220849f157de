"""Which addresses a target stands for, in which order: as stock gRPC has it."""

import pytest
from support import free_ip

from greetlab import _core
from greetlab.channels.channel import Channel
from greetlab.dns.server import ClusterDns


@pytest.mark.parametrize(
    ("ips", "sources", "first"),
    [  # RFC 6724 10.2
        (["198.51.100.121", "2001:db8:1::1"], ["169.254.13.78", "2001:db8:1::2"], 1),
        (["2001:db8:1::1", "198.51.100.121"], ["fe80::1", "198.51.100.117"], 1),
        (["10.1.2.3", "2001:db8:1::1"], ["10.1.2.4", "2001:db8:1::2"], 1),
        (["2001:db8:1::1", "fe80::1"], ["2001:db8:1::2", "fe80::2"], 1),
        (["2001:db8:3ffe::1", "2001:db8:1::1"], ["2001:db8:1::2", "2001:db8:1::2"], 1),
        (["2002:c633:6401::1", "2001:db8:1::1"], ["2002:c633:6401::2", "fe80::2"], 0),
        (["2002:c633:6401::1", "2001:db8:1::1"], ["2002:c633:6401::2", "2001:db8:1::2"], 1),
        (["127.0.0.1", "::1"], ["127.0.0.1", "::1"], 1),
        (["fc00::1", "198.51.100.1"], ["fc00::2", "198.51.100.2"], 1),
    ],
)
def test_addresses_are_tried_in_the_order_of_rfc_6724(ips, sources, first):
    order = _core.address_order(ips, dict(zip(ips, sources, strict=True)))
    assert order == [ips[first], ips[1 - first]]


def test_who_cannot_be_reached_comes_last_and_equals_stay_as_they_come():
    ips = ["2001:db8::1", "10.0.0.2", "10.0.0.1", "10.0.0.3"]
    sources = {"10.0.0.1": "10.0.0.9", "10.0.0.2": "10.0.0.9"}
    assert _core.address_order(ips, sources) == ["10.0.0.2", "10.0.0.1", "2001:db8::1", "10.0.0.3"]
    assert _core.address_order(ips[1:]) == ips[1:]  # all IPv4: nobody is asked


def test_a_hosts_file_names_addresses(tmp_path):
    file = tmp_path / "hosts"
    file.write_text(
        "10.0.0.1 Web web.example # web2\n#10.0.0.2 web\n\nfe80::zz web\n"
        "::7\tweb.\n10.0.0.1 web\n10.0.0.3 other"
    )
    assert _core.hosts_addresses("web", str(file)) == ["10.0.0.1", "::7"]
    assert _core.hosts_addresses("WEB.example.", str(file)) == ["10.0.0.1"]
    assert _core.hosts_addresses("web2", str(file)) == []
    assert _core.hosts_addresses("web", str(tmp_path / "none")) == []


def dialled(target, engine="lab"):
    """The addresses that a channel has subchannels for, once a call has failed."""
    with Channel(target, engine=engine) as channel:
        calls = channel.greet("A", timeout=5)
        assert calls.by_status == {"UNAVAILABLE": 1}, calls
        assert "resolution" not in calls.errors[0], calls.errors
        return [one.address for one in channel.subchannels]


SAME = ["dns:///localhost:1", "dns:/localhost:1", "dns:localhost:1", "localhost:1",
        "dns:///%6Cocalhost:1", "[::1]:1", "dns:///%5b::1]:1"]  # fmt: skip


@pytest.mark.parametrize("target", SAME)
def test_a_target_is_read_as_gRPC_reads_it(target):  # noqa: N802
    assert dialled(target) == dialled(target, engine="grpc")


@pytest.mark.parametrize("name", ["localhost.", "greet.localhost", "LOCALHOST"])
def test_the_kin_of_localhost_are_loopback(name):
    """RFC 6761 6.3. The c-ares of Debian 12 does not know them; grpcio's, which is newer, does."""
    assert set(dialled(f"dns:///{name}:1")) == {"127.0.0.1:1", "[::1]:1"}


def test_a_name_of_the_hosts_file_is_not_asked_of_dns():
    with open("/etc/hosts") as file:  # noqa: PTH123
        lines = [line.split("#")[0].split() for line in file]
    names = [line[1] for line in lines if line and line[0] == "127.0.0.1"]
    name = next((one for one in names if "localhost" not in one), None)
    if name is None:
        pytest.skip("this machine's hosts file has localhost only")
    assert dialled(f"dns:///{name}:1") == dialled(f"dns:///{name}:1", engine="grpc")


@pytest.mark.parametrize("engine", ["lab", "grpc"])
def test_a_name_of_both_families_is_tried_in_gRPCs_order(engine):  # noqa: N802
    ip = free_ip()
    dns = ClusterDns(ip, 10053)
    try:
        ends = [(None, "127.0.0.1"), (None, "127.0.0.2"), (None, "::1")]
        dns.set_service("web", "default", endpoints=ends, ports={"grpc": (1, 1)})
        found = dialled(f"dns://{ip}:10053/web.default.svc.cluster.local.:1", engine)
    finally:
        dns.close()
    assert found[0] == "[::1]:1"
    assert set(found[1:]) == {"127.0.0.1:1", "127.0.0.2:1"}
