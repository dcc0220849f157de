"""What a client's target means, language by language: `greetlab doctor` reads what people write."""

import pytest
from command_line import greetlab

import greetlab as gl
from greetlab.commands.doctor import examine_service
from greetlab.commands.doctor.cures import LANGUAGES
from greetlab.commands.doctor.targets import Target, read_target


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("grpc_proxy", "https_proxy", "http_proxy", "no_grpc_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def cluster():
    with gl.Cluster.local(pods=3, seed=1) as cluster:
        yield cluster


@pytest.mark.parametrize(
    ("given", "examined", "host", "port", "unresolved"),
    [
        ("web:1", "web:1", "web", 1, False),
        ("dns:///web:1", "dns:///web:1", "web", 1, False),
        ("dns:web:1", "dns:web:1", "web", 1, False),
        ("dns://10.0.0.1:53/web.shop.:1", "dns://10.0.0.1:53/web.shop.:1", "web.shop.", 1, False),
        ("[::1]:1", "[::1]:1", "[::1]", 1, False),
        ("static:127.0.0.1:1,127.0.0.2:1", "static:127.0.0.1:1,127.0.0.2:1", "", None, False),
        ("srv:///web", "srv:///web", "web", None, False),
        ("passthrough:///web:1", "dns:///web:1", "web", 1, True),
        ("passthrough:web:1", "dns:///web:1", "web", 1, True),
        ("http://web:1", "dns:///web:1", "web", 1, True),
        ("http://web", "dns:///web:80", "web", 80, True),
        ("https://ada@web/path", "dns:///web:443", "web", 443, True),
        ("http://[::1]:1", "dns:///[::1]:1", "[::1]", 1, True),
        ("kubernetes:///web.shop:1", "dns:///web.shop:1", "web.shop", 1, False),
        ("kubernetes://shop/web:1", "dns:///web.shop:1", "web.shop", 1, False),
        ("k8s:///web.shop:1", "dns:///web.shop:1", "web.shop", 1, False),
        ("xds:///web.shop:1", "dns:///web.shop:1", "web.shop", 1, False),
    ],
)
def test_a_target_is_read(given, examined, host, port, unresolved):
    read = read_target(given)
    assert (read.examined, read.host, read.port) == (examined, host, port)
    assert read.unresolved is unresolved
    assert read.tls is given.startswith("https")
    assert set(read.meanings) <= set(LANGUAGES)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("unix:/tmp/greet", "one socket of one machine"),
        ("xds:///listener", "an xDS control plane alone says"),
        ("kubernetes:///web.shop:grpc", "a port by its name"),
        ("consul://127.0.0.1/web", "'consul' is no scheme of gRPC's own"),
        ("etcd:///web", "'etcd' is no scheme of gRPC's own"),
    ],
)
def test_what_cannot_be_followed_is_one_sentence_and_status_2(given, why):
    ended = greetlab("doctor", given)
    assert ended.status == 2
    assert why in ended.complaint
    assert len(ended.complaint.splitlines()) == 1


@pytest.mark.parametrize(
    ("given", "language", "says"),
    [
        ("web:1", "Go", "grpc.Dial and DialContext, deprecated, take it as passthrough"),
        ("web:1", "C#", "takes no bare name"),
        ("127.0.0.1:1", "C#", "takes no bare name"),
        ("passthrough:///web:1", "Go", "one address, so one connection, with any policy"),
        ("passthrough:///web:1", "Java", "throws IllegalArgumentException"),
        ("http://web:1", "C#", "is not balanced"),
        ("http://web:1", "Python", "each call is UNAVAILABLE"),
        ("kubernetes:///web.shop:1", "Go", "EndpointSlices"),
        ("xds:///web:1", "Go", "xDS control plane"),
    ],
)
def test_each_language_is_told_what_it_makes_of_it(given, language, says):
    assert says in read_target(given).meanings[language]


def test_a_bare_name_is_told_of_go_s_two_ways():
    said = " ".join(greetlab("doctor", "localhost:1", "--timeout", 0.1).said.split())
    assert "Go grpc.NewClient looks it up (dns). grpc.Dial and DialContext" in said
    only = greetlab("doctor", "localhost:1", "--timeout", 0.1, "--language", "C#").said
    assert "What your language makes of that target" in only
    assert "grpc.NewClient looks it up" not in only


@pytest.mark.parametrize("policy", ["pick_first", "round_robin"])
def test_a_name_that_is_passed_through_is_one_address_with_any_policy(cluster, policy):
    """Go's own, measured: 60 calls of `passthrough:///` to one pod, of `dns:///` 20, 20, 20."""
    target = cluster.target("greetserver-headless").replace("dns:", "passthrough:")
    report = examine_service(target, policy=policy)
    assert report.sticky
    assert report.verdict.startswith(
        "Sticky: DNS has 3 addresses, but passthrough: does not look the name up"
    )
    assert report.runs[0].connections == 1
    assert (report.fix.service, report.fix.target[:27]) == ("", "dns:///greetserver-headless")
    if policy == "pick_first":
        assert list(report.runs[1].by_pod.values()) == [10, 10, 10]  # the cure


@pytest.mark.parametrize("service", ["greetserver", "greetserver-headless"])
def test_what_another_resolver_would_see_is_not_known(cluster, monkeypatch, service):
    """It has the pods of a ClusterIP, too: DNS's one address makes it not sticky."""
    from greetlab.commands.doctor import service as service_doctor

    read = read_target("kubernetes:///greetserver.default:50051")
    here = Target(
        read.given, cluster.target(service), read.scheme, meanings=read.meanings, beyond=read.beyond
    )
    monkeypatch.setattr(service_doctor, "read_target", lambda given: here)
    report = examine_service(read.given, times=2)
    assert (report.sticky, report.fix) == (None, None)
    assert report.verdict.startswith("By DNS alone, which is not what your client asks: Sticky")
    assert any("watches Kubernetes' EndpointSlices" in said for said in report.unknown)
