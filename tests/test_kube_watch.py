"""A client that a Kubernetes API tells of its service's endpoints (k8s:///)."""

import asyncio
import base64
import ctypes
import gc
import json
import random
import ssl
import time
from pathlib import Path

import pytest
from support import wait_until

import greetlab as gl
from greetlab import _core

HEADLESS = "k8s:///greetserver-headless.default:50051"
LIST = (
    "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    "?labelSelector=kubernetes.io%2Fservice-name%3Dweb"
)


def told(channel):
    return channel.trace.of("EndpointsTold")


# --- On the bench: the API is a script ------------------------------------------------------------


def endpoint(ip, pod=None, zones=(), **conditions):
    made = {"addresses": [ip], "conditions": conditions}
    if pod:
        made["targetRef"] = {"kind": "Pod", "name": pod}
    if zones:
        made["hints"] = {"forZones": [{"name": zone} for zone in zones]}
    return made


def part(name="web-1", endpoints=(), ports=(("grpc", 50051),), version="7", family="IPv4"):
    return {
        "metadata": {"name": name, "resourceVersion": version, "managedFields": [{"x": {}}]},
        "addressType": family,
        "endpoints": list(endpoints),
        "ports": [{"name": port, "port": number, "protocol": "TCP"} for port, number in ports],
    }


def listed(*parts, version="10"):
    return {
        "kind": "EndpointSliceList", "metadata": {"resourceVersion": version},
        "items": list(parts),
    }  # fmt: skip


def line(change, what):
    return json.dumps({"type": change, "object": what}).encode() + b"\n"


def gone(message="too old resource version: 10 (99)"):
    return {"kind": "Status", "code": 410, "reason": "Expired", "message": message}


def respond(bench, answer, code=200):
    """All of an answer, and what follows from it at once."""
    bench.answer(code)
    bench.say(json.dumps(answer).encode())
    bench.end()
    bench.run(0)


def watching(*parts, service="web.default:grpc"):
    """A bench that has its list, and whose watch has begun."""
    bench = _core.SliceWatchBench(service, seed=7)
    respond(bench, listed(*parts))
    bench.answer(200)
    return bench


def trace(bench):
    return gl.Trace(bench.trace())


def why(bench):
    return [event.reason for event in trace(bench).of("EndpointWatchEnded")]


ONE = part(endpoints=[endpoint("10.0.0.1")])
TWO = part(endpoints=[endpoint("10.0.0.1"), endpoint("10.0.0.2")], version="11")


def test_it_lists_and_then_watches_from_that_version():
    bench = watching(ONE)
    assert bench.addresses == ["10.0.0.1:50051"]
    first, second = bench.requests
    assert first == LIST
    assert second.startswith(LIST + "&watch=true&allowWatchBookmarks=true&timeoutSeconds=")
    assert second.endswith("&resourceVersion=10")
    bench.say(line("MODIFIED", TWO))
    assert bench.addresses == ["10.0.0.1:50051", "10.0.0.2:50051"]
    bench.say(line("ADDED", part("web-2", [endpoint("10.0.0.3")])))
    bench.say(line("DELETED", TWO))
    assert bench.addresses == ["10.0.0.3:50051"]
    assert [event.change for event in trace(bench).of("EndpointsTold")] == [
        "LISTED", "MODIFIED", "ADDED", "DELETED",
    ]  # fmt: skip


def test_the_pieces_may_be_cut_anywhere():
    bench = watching(ONE)
    for byte in line("MODIFIED", TWO) + line("ADDED", part("web-2", [endpoint("10.0.0.3")])):
        bench.say(bytes([byte]))
    assert len(bench.addresses) == 3


def test_a_watch_that_ends_goes_on_from_what_was_heard_last_and_says_nothing_of_it():
    bench = watching(ONE)
    bench.say(line("MODIFIED", TWO))
    bench.say(line("BOOKMARK", {"metadata": {"resourceVersion": "500"}}))
    bench.end()
    bench.run(0)
    assert bench.requests[-1].endswith("&resourceVersion=500")
    assert not why(bench)
    assert len(bench.addresses) == 2


@pytest.mark.parametrize("how", ["an event", "a status"])
def test_410_gone_is_a_new_list_at_once_and_the_endpoints_stay_meanwhile(how):
    bench = watching(ONE)
    if how == "an event":
        bench.say(line("ERROR", gone()))
    else:
        bench.end()
        bench.run(2)
        respond(bench, gone(), code=410)
    bench.run(2)
    assert bench.requests[-1] == LIST
    assert bench.addresses == ["10.0.0.1:50051"]
    assert "too old resource version: 10 (99)" in why(bench)[-1]
    respond(bench, listed(TWO, version="100"))
    assert len(bench.addresses) == 2
    assert bench.requests[-1].endswith("&resourceVersion=100")


def test_410_again_and_again_does_not_become_a_storm():
    bench = watching(ONE)
    for _ in range(20):
        bench.say(line("ERROR", gone()))
        bench.run(0)
        if not bench.asked:
            break
        respond(bench, listed(ONE))
        bench.answer(200)
    assert not bench.asked
    assert len(bench.requests) < 6


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (lambda b: b.end("connect: Connection refused"), "connect: Connection refused"),
        (lambda b: (b.say(b'{"type":'), b.end()), "ends in the middle of a line"),
        (lambda b: b.say(b"<html>\n"), "is no JSON object: <html>"),
        (lambda b: b.say(b"\xff\xfe\x00\n"), r"is no JSON object: \xff\xfe\x00"),
        (lambda b: b.say(b"[" * 100_000 + b"\n"), "is no JSON object: [[["),
        (lambda b: b.say(b'{"type":"WHAT","object":{}}\n'), "is no event of a watch"),
        (lambda b: b.say(line("ADDED", {"metadata": {"resourceVersion": "1"}})), "without a name"),
        (lambda b: b.say(b"x" * 3_000_000), "a line of more than 2 MiB"),
        (lambda b: [b.say(b"y" * 60_000) for _ in range(99)], "a line of more than 2 MiB"),
        (lambda b: b.end(), "ends its watch at once, without news"),
        (lambda b: b.say(line("ERROR", {"code": 500, "message": "etcd"})), "says 500: etcd"),
    ],
)
def test_whatever_the_api_does_the_endpoints_stay_and_it_is_a_sentence(break_it, sentence):
    bench = watching(ONE)
    break_it(bench)
    assert sentence in why(bench)[-1]
    assert not bench.error
    assert bench.addresses == ["10.0.0.1:50051"]
    story = str(trace(bench).last("EndpointWatchEnded"))
    assert "client-1 hears no more of web.default: " in story
    assert "goes by what it knows until then" in story
    bench.run(2)
    assert bench.asked


def test_an_api_that_is_slow_is_given_half_a_minute():
    bench = _core.SliceWatchBench("web.default:grpc")
    bench.answer(200)
    bench.say(b'{"kind":')
    bench.run(29.9)
    assert not bench.error
    bench.run(0.2)
    assert bench.error == (
        "the endpoints of web.default are not known: no answer in 30 s, from https://10.96.0.1:443"
    )
    assert not bench.asked
    bench.run(1.2)
    respond(bench, listed(ONE))
    assert bench.addresses == ["10.0.0.1:50051"]


def test_a_quiet_watch_is_waited_for_as_long_as_it_is_quiet():
    bench = watching(ONE)
    bench.run(3600)
    assert not why(bench)


def test_an_api_that_is_away_is_asked_again_after_longer_and_longer():
    bench = watching(ONE)
    waits = []
    for _ in range(12):
        bench.end("away")
        bench.run(0)
        began = bench.now
        while not bench.asked:
            bench.run(0.1)
        waits.append(bench.now - began)
    assert waits[0] == pytest.approx(1, rel=0.25)
    assert waits[1] == pytest.approx(1.6, rel=0.25)
    assert max(waits) < 37
    assert len(set(map(round, waits[-4:]))) > 1  # drawn: no herd
    assert bench.requests[-1].endswith("&resourceVersion=10")
    bench.answer(200)
    bench.run(5)
    bench.end("away")
    bench.run(1.3)
    assert bench.asked


def test_where_there_was_never_a_list_the_calls_are_told_why():
    bench = _core.SliceWatchBench("web.default:grpc")
    message = (
        'endpointslices.discovery.k8s.io is forbidden: User "system:serviceaccount:default:x" '
        'cannot list resource "endpointslices"'
    )
    respond(bench, {"kind": "Status", "code": 403, "message": message}, code=403)
    assert f"https://10.96.0.1:443 says 403: {message}" in bench.error


def test_five_thousand_endpoints_are_fifty_slices_and_take_no_time():
    parts = [
        part(f"web-{i}", [endpoint(f"10.1.{i}.{j}", f"pod-{i}-{j}") for j in range(100)])
        for i in range(50)
    ]
    text = json.dumps(listed(*parts)).encode()
    bench = _core.SliceWatchBench("web.default:grpc")
    bench.answer(200)
    began = time.process_time()
    for at in range(0, len(text), 16_384):
        bench.say(text[at : at + 16_384])
    bench.end()
    assert time.process_time() - began < 1  # some 60 ms where nothing else is at work
    assert len(bench.addresses) == 5000
    bench.run(0)
    bench.answer(200)
    bench.say(line("MODIFIED", part("web-7", [], version="11")))
    assert len(bench.addresses) == 4900


class _Malloc(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
        "fordblks", "keepcost",
    )]  # fmt: skip


def held():
    """The bytes that malloc has given out (glibc, mallinfo(3)); Python's small objects are not."""
    ask = ctypes.CDLL(None).mallinfo2
    ask.restype = _Malloc
    told = ask()
    return told.uordblks + told.hblkhd


def test_what_five_thousand_endpoints_take_does_not_grow_with_what_changes():
    def whole(n, version):
        pods = [endpoint(f"10.{version % 251}.{n}.{j}", f"pod-{n}-{j}") for j in range(100)]
        return part(f"web-{n}", pods, version=str(version))

    bench = _core.SliceWatchBench("web.default:grpc", seed=7)
    before = held()
    respond(bench, listed(*(whole(n, 1) for n in range(50))))
    bench.answer(200)
    assert len(bench.addresses) == 5000
    grown = []
    for turn in range(3):
        for change in range(100):
            bench.say(line("MODIFIED", whole(change % 50, 11 + 100 * turn + change)))
        gc.collect()
        grown.append(held() - before)
    assert bench.updates == 301
    # Each endpoint three times: in its slice, in what was passed on, in the bench. And the words of
    # the trace, of which this has 1 MiB.
    assert max(grown) < 5e6
    assert grown[2] - grown[0] < 0.1e6


def test_a_list_that_never_ends_is_not_kept():
    bench = _core.SliceWatchBench("web.default:grpc")
    bench.answer(200)
    for _ in range(200):
        bench.say(b"z" * 65_536)
    assert "a list of more than 8 MiB" in bench.error


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("web.default:grpc", ["10.0.0.1:50051"]),
        ("web.default:9090", ["10.0.0.1:9090"]),
        ("web:metrics", ["10.0.0.1:9090"]),
        ("web.default.svc.cluster.local:grpc", ["10.0.0.1:50051"]),
        ("web.default:80", "with a port 80 (of its pods; there is: grpc (50051), metrics (9090))"),
        ("web.default", "and which port is meant (of its pods; there is: grpc (50051), metrics"),
    ],
)
def test_a_port_is_the_pods_by_its_number_or_its_name(service, expected):
    ports = (("grpc", 50051), ("metrics", 9090))
    bench = _core.SliceWatchBench(service)
    respond(bench, listed(part(endpoints=[endpoint("10.0.0.1")], ports=ports)))
    if isinstance(expected, list):
        assert bench.addresses == expected
    else:
        assert expected in bench.error


def test_a_named_port_may_have_another_number_in_each_slice():
    other = part("web-2", [endpoint("10.0.0.2")], ports=(("grpc", 8080),))
    assert watching(ONE, other).addresses == ["10.0.0.1:50051", "10.0.0.2:8080"]


def test_a_slice_that_loses_the_port_is_gone_and_one_that_gets_it_is_there():
    bench = watching(ONE)
    bench.say(line("MODIFIED", part(endpoints=[endpoint("10.0.0.1")], ports=(("http", 80),))))
    assert "with a port grpc (of its pods; there is: http (80))" in bench.error
    bench.say(line("MODIFIED", ONE))
    assert not bench.error
    assert bench.addresses == ["10.0.0.1:50051"]


def test_conditions_that_are_not_said_are_what_the_api_means_by_it():
    some = [
        endpoint("10.0.0.1"),
        endpoint("10.0.0.2", ready=True, terminating=False),
        endpoint("10.0.0.3", ready=False, serving=True, terminating=True),
        endpoint("10.0.0.4", ready=False),
        endpoint("no-address"),
    ]
    bench = watching(part(endpoints=some))
    assert bench.addresses == ["10.0.0.1:50051", "10.0.0.2:50051"]
    bench.say(line("MODIFIED", part(endpoints=some[2:], version="12")))
    assert bench.addresses == ["10.0.0.3:50051"]  # none is ready: better one that ends than none


def test_both_families_of_a_pod_are_one_endpoint_and_names_are_none():
    four = part("web-4", [endpoint("10.0.0.1", "pod-1")])
    six = part("web-6", [endpoint("fd00::1", "pod-1")], family="IPv6")
    name = part("web-f", [endpoint("10.9.9.9", "pod-9")], family="FQDN")
    bench = watching(four, six, name)
    assert bench.addresses == ["10.0.0.1:50051", "[fd00::1]:50051"]


def test_hints_for_zones_are_noted_and_all_are_called():
    bench = watching(
        part(endpoints=[endpoint("10.0.0.1", zones=["a"]), endpoint("10.0.0.2", zones=["b"])])
    )
    (hinted,) = trace(bench).of("ZonesHinted")
    assert "endpoints of web.default are for clients in a, b, the cluster hints" in str(hinted)
    assert len(bench.addresses) == 2
    bench.say(line("MODIFIED", ONE))
    assert "no endpoint of web.default is for a zone any more" in str(
        trace(bench).last("ZonesHinted")
    )


def test_a_service_whose_pods_are_gone_has_an_empty_slice_and_is_still_one():
    bench = watching(ONE)
    bench.say(line("MODIFIED", part(endpoints=[], ports=())))
    assert not bench.error
    assert bench.addresses == []


def test_random_bytes_never_do_more_than_end_the_watch():
    chosen = random.Random(19)
    whole = json.dumps(listed(ONE, TWO)).encode()
    events = line("MODIFIED", TWO) + line("DELETED", ONE) + line("ERROR", gone())
    for seed in range(400):
        bench = _core.SliceWatchBench("web.default:grpc", seed=seed)
        for _ in range(6):
            while not bench.asked:
                bench.run(1)
            bench.answer(chosen.choice([200, 200, 200, 410, 403, 500, 0, -1]))
            good = whole if "watch=" not in bench.requests[-1] else events
            text = bytearray(good if chosen.random() < 0.8 else chosen.randbytes(200))
            for _ in range(chosen.randrange(4)):
                at = chosen.randrange(len(text))
                text[at : at + chosen.randrange(9)] = chosen.randbytes(chosen.randrange(5))
            bench.say(bytes(text[: len(text) // 2]))
            bench.say(bytes(text[len(text) // 2 :]))
            bench.run(0)
            if bench.asked:
                bench.end(chosen.choice(["", "cut"]))
            bench.run(0)


# --- Whom it asks, and as whom --------------------------------------------------------------------


def kubeconfig(path, *, cluster=None, user=None, **context):
    named = {"name": "lab"}
    path.write_text(
        json.dumps(
            {
                "current-context": "lab",
                "clusters": [
                    named | {"cluster": {"server": "https://10.0.0.1:6443"} | (cluster or {})}
                ],
                "users": [named | {"user": user or {}}],
                "contexts": [named | {"context": {"cluster": "lab", "user": "lab"} | context}],
            }
        )
    )
    return str(path)


def test_a_kubeconfig_is_read_with_its_files_beside_it(tmp_path):
    (tmp_path / "ca.pem").write_text("CA")
    (tmp_path / "token").write_text("secret\n")
    path = kubeconfig(
        tmp_path / "config",
        cluster={"certificate-authority": "ca.pem", "server": "https://api.example.com/prefix/"},
        user={
            "tokenFile": "token",
            "client-certificate-data": base64.b64encode(b"CERT").decode(),
            "client-key-data": base64.b64encode(b"KEY").decode(),
        },
        namespace="blue",
    )
    assert _core.read_kubeconfig(path) == {
        "server": "https://api.example.com:443/prefix", "server_name": "api.example.com",
        "namespace": "blue", "ca": "CA", "cert": "CERT", "key": "KEY", "token": "secret",
    }  # fmt: skip


def test_of_several_kubeconfigs_the_first_that_has_a_name_stands(tmp_path):
    first = tmp_path / "first"
    first.write_text("current-context: lab\nusers:\n- {name: lab, user: {token: mine}}\n")
    second = kubeconfig(tmp_path / "second", user={"token": "theirs"})
    read = _core.read_kubeconfig(f"{tmp_path}/not-there:{first}:{second}")
    assert (read["token"], read["namespace"]) == ("mine", "default")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"user": {"exec": {"command": "aws"}}}, "exec is not done here: use a ServiceAccount's"),
        ({"cluster": {"insecure-skip-tls-verify": "true"}}, "give certificate-authority"),
        ({"cluster": {"proxy-url": "http://p"}}, "proxy-url is not done here"),
        ({"cluster": {"server": "10.0.0.1"}}, "an address such as https://10.0.0.1:6443"),
        ({"cluster": {"server": "https://10.0.0.1:99999"}}, "its port is none"),
        ({"cluster": {"certificate-authority-data": "!"}}, "is no base64"),
        ({"cluster": {"certificate-authority": "gone.pem"}}, "gone.pem: No such file"),
        ({"user": {"client-key-data": "S0VZ"}}, "go together"),
        ({"cluster": {"server": ["x"]}}, "server is no text"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_says_why(tmp_path, changed, sentence):
    path = kubeconfig(tmp_path / "config", **changed)
    with pytest.raises(ValueError, match=r"kubeconfig .*config: ") as error:
        _core.read_kubeconfig(path)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    "text", ["", "a: [", "- 1", "current-context: x", "[" * 50, "\0", "&a [*a]"]
)
def test_what_is_no_kubeconfig_says_so(tmp_path, text):
    (tmp_path / "config").write_text(text)
    with pytest.raises(ValueError, match=r"config: |is empty"):
        _core.read_kubeconfig(str(tmp_path / "config"))


def test_where_there_is_no_api_to_ask(monkeypatch, tmp_path):
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ValueError, match="there is no Kubernetes API to ask: no kubeconfig"):
        gl.Channel("k8s:///web")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(ValueError, match="automountServiceAccountToken: false"):
        gl.Channel("k8s:///web")


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("k8s://api/web", "which API is asked, a kubeconfig says"),
        ("k8s:///", "'' is no name of a service"),
        ("k8s:///Web.default", "'Web' is no name of a service"),
        ("k8s:///web.default:0", "port 0: 1 to 65535, or its name"),
        ("k8s:///web.default:", "no port after ':'"),
        ("k8s:///web.default.x", "after the namespace"),
        ("k8s:///web?x=y", "is no name of a service"),
    ],
)
def test_a_target_that_is_none(target, sentence):
    with pytest.raises(ValueError, match="target '") as error:
        gl.Channel(target)
    assert sentence in str(error.value)


def test_the_other_engines_are_told_by_nobody():
    for engine in ("grpc", "grpcio"):
        with pytest.raises(ValueError, match="gRPC's own channel asks DNS"):
            gl.Channel("k8s:///web", engine=engine)


# --- On real connections --------------------------------------------------------------------------


def test_in_the_local_cluster_it_is_told_of_all_that_happens():
    with gl.Cluster.local(pods=3) as local:
        channel = local.channel(HEADLESS, policy="round_robin").wait_ready(all=True)
        assert set(channel.greet(times=9).by_pod.values()) == {3}
        local.scale(5)
        channel.wait_ready(pods=5)
        assert set(channel.greet(times=10).by_pod.values()) == {2}
        local.drain("pod-1")
        wait_until(lambda: told(channel)[-1].count == 4)
        assert "pod-1" not in channel.greet(times=20).by_pod
        local.kill("pod-2")
        wait_until(lambda: told(channel)[-1].count == 3)
        local.restart("pod-2")
        wait_until(lambda: told(channel)[-1].count == 4)
        assert not channel.trace.of("LookupStarted", "EndpointWatchEnded")
        with pytest.raises(ValueError, match="is told the pods' own"):
            local.channel(HEADLESS, port=80)
        other = local.channel("k8s:///greetserver:grpc", policy="round_robin").wait_ready(all=True)
        assert len(other.greet(times=8).by_pod) == 4


def test_where_a_loop_runs_already_as_in_a_notebook():
    async def cell():
        with gl.Cluster.local(pods=1) as local:
            return local.channel(HEADLESS).greet(timeout=5).ok

    assert asyncio.run(cell()) == 1


def test_a_service_that_there_is_not_and_a_token_that_is_none(tmp_path):
    with gl.Cluster.local(pods=1) as local:
        (error,) = local.channel("k8s:///nobody").greet(timeout=5).errors
        assert "no EndpointSlice belongs to a service 'nobody.default'" in error
        assert "in the namespace 'default' of http://127." in error
        wrong = json.loads(Path(local.kubeconfig).read_text())
        wrong["users"][0]["user"]["token"] = "wrong"
        (tmp_path / "config").write_text(json.dumps(wrong))
        stranger = local.channel(HEADLESS, kubeconfig=str(tmp_path / "config"))
        (error,) = stranger.greet(timeout=5).errors
        assert "says 401: Unauthorized" in error


def test_while_the_api_is_away_the_calls_go_on_and_the_news_come_when_it_is_back():
    with gl.Cluster.local(pods=2) as local:
        channel = local.channel(HEADLESS, policy="round_robin").wait_ready(all=True)
        local.api_outage(True)
        wait_until(lambda: channel.trace.of("EndpointWatchEnded"))
        local.scale(3)
        assert set(channel.greet(times=8).by_pod) == {"pod-1", "pod-2"}
        local.api_outage(False)
        wait_until(lambda: told(channel)[-1].count == 3)
        assert channel.trace.last("EndpointsTold").cause.kind == "EndpointWatchEnded"


def test_over_tls_the_api_is_who_its_certificate_says(tmp_path):
    from greetlab.clusters.authority import Authority
    from greetlab.clusters.kube_api import EndpointApi

    authority = Authority()
    try:
        mine = authority.issue("127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(mine.cert, mine.key)
        context.set_alpn_protocols(["h2"])
        api = EndpointApi("127.0.0.1", "default", ("grpc", 50051), api_port=0, tls=context)
        try:
            api.set_endpoints("web", [])
            server = {"server": api.url, "certificate-authority": authority.ca}
            right = kubeconfig(tmp_path / "right", cluster=server, user={"token": api.token})
            with gl.Channel("k8s:///web", kubeconfig=right) as channel:
                assert channel.greet(timeout=5).errors == ["empty address list"]
            named = kubeconfig(
                tmp_path / "named", cluster=server | {"tls-server-name": "example.com"}
            )
            with gl.Channel("k8s:///web", kubeconfig=named) as channel:
                (error,) = channel.greet(timeout=5).errors
                assert "the certificate is for 127.0.0.1, not for example.com" in error
        finally:
            api.close()
    finally:
        authority.close()
