"""IPv6 and dual-stack: names, lists of addresses, clusters. Stock gRPC is the oracle.

Clusters of real processes need IPv6 addresses on the loopback interface, and so the right to put
them there; without it those tests are skipped.
"""

import contextlib
import itertools
import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import dns.message
import dns.query
import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import free_ip, wait_until

import greetlab as gl
from greetlab import _core
from greetlab.channels.channel import Channel
from greetlab.channels.options import ENGINES
from greetlab.clusters.local import loopback
from greetlab.dns.server import ClusterDns
from greetlab.trace.consistency import problems
from greetlab.trace.trace import Trace
from greetlab.views.widget.topology import topology

HEADLESS = "greetserver-headless"
FULL = f"{HEADLESS}.default.svc.cluster.local."
FAMILIES = {"v4": ["A"], "v6": ["AAAA"], "dual": ["A", "AAAA"]}


@pytest.fixture(scope="module", params=["v6", "dual"])
def cluster(_ipv6, request):
    with gl.Cluster.local(pods=2, ip=request.param, seed=7) as cluster:
        cluster.families = FAMILIES[request.param]
        yield cluster


@pytest.fixture
def network(_ipv6):
    """Four addresses of each family, for a test to listen on."""
    network = loopback.Network(255, ["v4", "v6"])
    ips = [network.pod(number) for number in range(1, 5)]
    network.add([v6 for _, v6 in ips])
    yield ips
    network.close()


# --- Families by turns (gRFC A61) -----------------------------------------------------------------

ADDRESSES = st.lists(
    st.one_of(
        st.integers(1, 250).map("10.0.0.{}:1".format),
        st.integers(1, 250).map("[fd00::{}]:1".format),
    ),
    min_size=1,
    max_size=12,
    unique=True,
)


def is_v6(address):
    return address.startswith("[")


@given(ADDRESSES)
def test_pick_first_tries_the_families_by_turns(given_list):
    bench = _core.PolicyBench("pick_first", seed=7)
    bench.update(given_list)
    for _ in given_list:
        bench.fail(bench.connecting()[0])
    tried = [address for _, address in bench.dials[: len(given_list)]]

    assert sorted(tried) == sorted(given_list)
    assert tried[0] == given_list[0]
    for family in (True, False):  # in each the order stays
        of_family = [one for one in given_list if is_v6(one) is family]
        assert [one for one in tried if is_v6(one) is family] == of_family
    runs = [len(list(run)) for _, run in itertools.groupby(tried, key=is_v6)]
    assert set(runs[:-1]) <= {1}  # only when a family is used up the other one comes twice
    taken = Trace(bench.trace()).first("AddressListTaken").addresses
    assert taken == ",".join(tried)


def test_so_does_an_endpoint_of_several_addresses():
    bench = _core.PolicyBench("round_robin", seed=7)
    bench.update(["10.0.0.1:1+10.0.0.2:1+[fd00::1]:1"])
    for _ in range(3):
        bench.fail(bench.connecting()[0])
    assert [address for _, address in bench.dials[:3]] == [
        "10.0.0.1:1", "[fd00::1]:1", "10.0.0.2:1"
    ]  # fmt: skip


@contextlib.contextmanager
def hanging_up():
    """Listens everywhere, and hangs up on everybody; gives the port, and where it was asked.

    One listener for all: so the kernel keeps the order, whoever is late.
    """
    asked = []
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:

        def serve():
            while not asked or asked[-1] != "127.0.0.1":
                connection, _ = listener.accept()
                with connection:
                    asked.append(connection.getsockname()[0].removeprefix("::ffff:"))

        port = listener.getsockname()[1]
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield port, asked
        finally:
            socket.create_connection(("127.0.0.1", port)).close()  # the last in the queue
            thread.join()


def order_of_lab(target, _):
    with Channel(target) as channel:
        channel.greet("A", timeout=5)
        return channel.trace.first("AddressListTaken").addresses.split(",")


def order_of_grpc(target, _):
    with Channel(target, engine="grpc") as channel:
        channel.greet("A", timeout=5)
        return [one.address for one in channel.subchannels]  # made in the order of the list


def order_of_grpcio(target, asked):
    options = [("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(target, options) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary("/greet.GreetService/Greet")(b"", timeout=5)
    wait_until(lambda: len(set(asked)) == 6)
    return [f"[{one}]" if ":" in one else one for one in dict.fromkeys(asked)]


# gRPC C++ 1.51 is older than A61's order: see conformance/differences.py.
@pytest.mark.parametrize(
    ("order_of", "by_turns"),
    [(order_of_lab, True), (order_of_grpcio, True), (order_of_grpc, False)],
)
def test_the_order_in_which_stock_grpc_dials(network, order_of, by_turns):
    v4, v6 = ([pair[family] for pair in network[:3]] for family in (0, 1))
    ip = free_ip()
    with ClusterDns(ip, 10053) as server, hanging_up() as (port, asked):
        server.set_service("both", endpoints=[(None, one) for one in [*v4, *v6]])
        order = order_of(f"dns://{ip}:10053/both.default.svc.cluster.local.:{port}", asked)
    families = ["AAAA" if is_v6(one) else "A" for one in order]
    # Unique local addresses come after IPv4 (RFC 6724 2.1: precedence 3 against 35).
    assert families == (["A", "AAAA"] * 3 if by_turns else ["A"] * 3 + ["AAAA"] * 3)


# --- DNS ------------------------------------------------------------------------------------------


def test_the_cluster_dns_has_addresses_of_both_families():
    ip = free_ip()
    with ClusterDns(ip, 10053) as server:
        server.set_service("one", cluster_ip=["10.96.0.1", "fd00:10:96::1"])
        server.set_service(
            HEADLESS, endpoints=[(None, "10.244.0.2"), (None, "fd00:10:244::2")],
            ports={"grpc": (50051, 50051)},
        )  # fmt: skip

        def ask(name, kind):
            query = dns.message.make_query(f"{name}.default.svc.cluster.local.", kind)
            answer = dns.query.udp(query, ip, 2, port=10053).answer
            return sorted(record.to_text() for rrset in answer for record in rrset)

        assert ask("one", "A") == ["10.96.0.1"]
        assert ask("one", "AAAA") == ["fd00:10:96::1"]
        assert ask(HEADLESS, "A") == ["10.244.0.2"]
        assert ask(HEADLESS, "AAAA") == ["fd00:10:244::2"]
        # An endpoint is named after its address, of whichever family (kubernetes/dns 2.4.1).
        assert ask(f"fd00-10-244--2.{HEADLESS}", "AAAA") == ["fd00:10:244::2"]
        assert [one.split()[3].split(".")[0] for one in ask(f"_grpc._tcp.{HEADLESS}", "SRV")] == [
            "10-244-0-2", "fd00-10-244--2",
        ]  # fmt: skip


@pytest.mark.parametrize("ip", FAMILIES)
def test_the_sims_dns_answers_in_the_families_that_there_are(ip):
    cluster = gl.Cluster.sim(pods=3, seed=7, ip=ip)
    for service, count in (("greetserver", 1), (HEADLESS, 3)):
        found = cluster.lookup(service)
        assert found.ok
        assert len(found.addresses) == count * len(FAMILIES[ip])
        assert {q.type for q in found.queries if q.status == "ok"} == set(FAMILIES[ip])
        assert {q.status for q in found.queries} <= {"ok", "no_data"}
        assert [":" in one for one in found.addresses] == sorted(":" in o for o in found.addresses)
    assert cluster.lookup("greetserver").addresses == cluster.cluster_ips
    assert found.queries[0].server == {"v6": "[fd00:10:96::a]:53"}.get(ip, "10.96.0.10:53")


# --- Clusters -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ip", FAMILIES)
def test_in_the_sim_round_robin_has_an_endpoint_for_each_address(ip):
    cluster = gl.Cluster.sim(pods=3, seed=7, ip=ip)
    channel = cluster.channel(HEADLESS, policy="round_robin")
    channel.wait_ready(all=True)
    calls = channel.greet("Ada", times=60)
    assert len(channel.subchannels) == 3 * len(FAMILIES[ip])
    assert set(calls.by_pod.values()) == {20}
    assert not problems(channel.trace)
    for pod in cluster.pods:
        assert len(pod.ips) == len(FAMILIES[ip])
        assert pod.ip == pod.ips[0]


def test_a_dual_stack_pod_is_one_pod_to_whoever_reads_the_trace():
    cluster = gl.Cluster.sim(pods=2, seed=7, ip="dual")
    channel = cluster.channel(HEADLESS, policy="round_robin")
    channel.wait_ready(all=True)
    channel.greet("Ada", times=8)
    place = topology(channel.trace)
    assert place.virtual == []
    assert place.pods == {
        "pod-1": ["10.244.0.2:50051", "[fd00:10:244::2]:50051"],
        "pod-2": ["10.244.0.3:50051", "[fd00:10:244::3]:50051"],
    }
    told = str(channel.trace.first("LookupEnded"))
    assert "DNS does not say which of them are one server's: each is an endpoint" in told
    cluster.kill("pod-1")
    cluster.run(0.1)
    assert Counter(s.state for s in channel.subchannels) == {"READY": 2, "TRANSIENT_FAILURE": 2}


@pytest.mark.parametrize("seed", range(4))
def test_over_a_dual_stack_cluster_ip_round_robin_has_two_addresses(seed):
    """So it is not the no-op that it is over one: two connections, each to a pod by chance."""
    cluster = gl.Cluster.sim(pods=3, seed=seed, ip="dual")
    channel = cluster.channel("greetserver", policy="round_robin")
    channel.wait_ready(all=True)
    channel.greet("Ada", times=12)
    dialled = {s.address for s in channel.subchannels}
    assert dialled == {"10.96.0.1:50051", "[fd00:10:96::1]:50051"}
    for event in channel.trace.of("ProxyRouted"):  # to a pod's address of its own family
        virtual = channel.trace.of_connection(event.connection)
        assert is_v6(event.endpoint) == is_v6(virtual)


@pytest.mark.parametrize("make", [gl.Cluster.sim, gl.Cluster.local])
def test_other_families_there_are_not(make):
    with pytest.raises(ValueError, match="ip 'ipv6': it is 'v4', 'v6' or 'dual'"):
        make(ip="ipv6")


@pytest.mark.parametrize("engine", ENGINES)
def test_stock_grpc_has_an_endpoint_for_each_address_too(cluster, engine):
    """C-core's DNS resolver makes each address an endpoint of its own, as ours does."""
    connections = 2 * len(cluster.families)
    with cluster.channel(HEADLESS, policy="round_robin", engine=engine) as channel:
        channel.wait_ready(all=True)
        calls = channel.greet("Ada", times=40)
        assert len(channel.subchannels) == len(calls.connections) == connections
        assert calls.by_pod == {"pod-1": 20, "pod-2": 20} or engine == "lab"


def test_a_local_cluster_in_ipv6(cluster):
    v6 = cluster.families[-1]
    assert v6 == "AAAA"
    found = cluster.lookup(HEADLESS)
    assert {q.type for q in found.queries if q.status == "ok"} == set(cluster.families)
    assert cluster.lookup("greetserver").addresses == cluster.cluster_ips
    with cluster.channel("greetserver", policy="round_robin") as channel:
        channel.wait_ready(all=True)
        calls = channel.greet("Ada", times=10)
        assert calls.by_status == {"OK": 10}
        assert len(channel.subchannels) == len(cluster.families)
        assert not problems(channel.trace)
    families = {fact["upstream"].startswith("[") for fact in cluster.proxy_facts
                if fact["fact"] == "opened"}  # fmt: skip
    assert families == {kind == "AAAA" for kind in cluster.families}


@pytest.mark.usefixtures("_ipv6")
def test_a_pod_that_is_killed_is_gone_at_each_of_its_addresses():
    with gl.Cluster.local(pods=2, ip="dual", seed=7) as cluster:
        with cluster.channel(HEADLESS, policy="round_robin") as channel:
            channel.wait_ready(all=True)
            cluster.kill("pod-1")
            channel.greet("Ada", times=20)
            lost = channel.trace.of("ConnectionLost")
            assert len(lost) == 2
            assert {event.cause.kind for event in lost} == {"PodChanged"}
        ours = f"fd00007f{cluster.network:04}"  # N is written in decimal
        there = Path("/proc/net/if_inet6")
        assert there.read_text().count(ours) == 3  # the ClusterIP's, and the pods'
    assert ours not in there.read_text()


def test_who_may_not_add_addresses_is_told_what_it_needs():
    """In a user namespace without a network of its own nobody is root."""
    said = subprocess.run(
        [sys.executable, "-c", "import greetlab as gl; gl.Cluster.local(ip='v6')"],
        capture_output=True, text=True, user=65534 if _is_root() else None,
    )  # fmt: skip
    if said.returncode == 0:
        pytest.skip("here everybody may")
    last = said.stderr.splitlines()[-1]
    assert "on the loopback interface: " in last
    assert "run it as root, or in a network of its own: unshare -Urn" in last


def _is_root():
    return Path("/proc/self/status").read_text().split("Uid:")[1].split()[0] == "0"


# --- Zones (RFC 4007, RFC 6874) -------------------------------------------------------------------


def dialled(target):
    with Channel(target) as channel:
        failed = channel.greet("A", timeout=5)
        assert failed.by_status == {"UNAVAILABLE": 1}
        return [one.address for one in channel.subchannels], failed.errors[0]


@pytest.mark.parametrize(
    "target",
    ["[fe80::1%lo]:1", "dns:///[fe80::1%25lo]:1", "dns:///%5Bfe80::1%25lo%5D:1",
     "ipv6:[fe80::1%25lo]:1", "static:[fe80::1%lo]:1"],
)  # fmt: skip
def test_a_zone_stays_with_its_address(target):
    addresses, error = dialled(target)
    assert addresses == ["[fe80::1%lo]:1"]
    assert "resolution" not in error


def test_a_zone_is_an_interface_by_its_name_or_its_number():
    index = socket.if_nametoindex("lo")
    named, numbered = (dialled(f"[fe80::1%{zone}]:1")[1] for zone in ("lo", index))
    assert named.replace("%lo", f"%{index}") == numbered
    _, error = dialled("[fe80::1%nowhere]:1")
    assert "[fe80::1%nowhere]:1: connect: No such device" in error
    _, error = dialled("[fe80::1]:1")  # of which link?
    assert "connect: Invalid argument" in error
    with pytest.raises(ValueError, match="'fe80::1%' is no IP address"):
        Channel("ipv6:[fe80::1%25]:1")


def link_local():
    """An address that only its zone makes an address."""
    for line in Path("/proc/net/if_inet6").read_text().splitlines():
        digits, _, _, _, _, name = line.split()
        if digits.startswith("fe80"):
            groups = ":".join(digits[i : i + 4] for i in range(0, 32, 4))
            return f"{groups}%{name}"
    pytest.skip("no interface here has a link-local address")


def test_a_link_local_server_is_reached_over_its_zone():
    ip = link_local()
    family, *_, where = socket.getaddrinfo(ip, 0, proto=socket.IPPROTO_TCP)[0]
    with socket.socket(family) as listener:
        listener.bind(where)
        listener.listen()
        port = listener.getsockname()[1]
        with Channel(f"[{ip}]:{port}") as channel:
            thread = threading.Thread(target=channel.greet, args=("A",), kwargs={"timeout": 5})
            thread.start()
            connection, peer = listener.accept()
            assert peer[3] == where[3] != 0  # sin6_scope_id
            connection.close()
            thread.join()
