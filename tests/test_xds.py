"""The xDS control plane: proxyless gRPC, old and new, and a real Envoy are told by it."""

import contextlib
import gc
import queue

import pytest
from support import wait_until

import greetlab as gl
from greetlab.clusters.processes import StartError
from greetlab.clusters.xds import control_plane as xds

pytest.importorskip("grpc", reason="no control plane: pip install 'greetlab[xds]'")
pytest.importorskip("envoy.service", reason="no control plane: pip install 'greetlab[xds]'")


@pytest.fixture(scope="module")
def cluster():
    with gl.Cluster.local(pods=3, xds=True, proxy="envoy", seed=1) as made:
        yield made


EDS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"


@contextlib.contextmanager
def grpc_channel(plane):
    """A stream's method on a channel to it."""
    import grpc
    from envoy.service.discovery.v3 import discovery_pb2 as messages

    with grpc.insecure_channel(plane.address) as channel:
        yield channel.stream_stream(
            xds._METHOD,
            messages.DiscoveryRequest.SerializeToString,
            messages.DiscoveryResponse.FromString,
        )


def said(plane, client):
    return [(e.what, e.version) for e in plane.events if e.client == client]


def acknowledged(plane, client, version):
    return any(e.client == client and e.version == version for e in plane.of("ACK", "EDS"))


@pytest.mark.parametrize("engine", ["grpcio", "grpc"])
def test_proxyless_grpc_is_told_step_by_step_and_then_of_every_change(cluster, engine):
    cluster.scale(3)
    plane = cluster.control_plane
    with cluster.channel("xds:///greetserver", engine=engine) as channel:
        channel.wait_ready()
        wait_until(lambda: len(set(channel.greet("Ada", times=9).by_pod)) == 3)
        assert sorted(channel.greet("Ada", times=60).by_pod.values()) == [20, 20, 20]
        mine = [e for e in plane.events if e.client == channel.name]
        # Step by step; whether it says ACK before it asks for the next is its own thing.
        kinds = ["LDS", "RDS", "CDS", "EDS"]
        assert [e.kind for e in mine if e.what == "asked"] == kinds
        for kind in kinds:
            assert [e.what for e in mine if e.kind == kind][:3] == ["asked", "pushed", "ACK"]
        assert [e.detail for e in mine if e.kind == "EDS"][1] == "3 endpoints"
        cluster.scale(5)
        pushed = [e for e in plane.of("pushed", "EDS") if e.client == channel.name][-1]
        wait_until(lambda: acknowledged(plane, channel.name, pushed.version))
        wait_until(lambda: len(channel.greet("Ada", times=10).by_pod) == 5)
        assert [*channel.greet("Ada", times=60).by_pod.values()] == [12] * 5
        assert not plane.of("NACK")
        told = channel.trace.of("XdsExchanged")
        said = [e for e in plane.events if e.client == channel.name]
        assert [(one.step, one.type, one.detail) for one in told] == [
            (e.what, e.kind, e.detail) for e in said
        ]
        asked, push, ack, *_ = channel.trace.of("XdsExchanged", type="EDS")
        assert [str(one.cause) for one in (push, ack)] == [str(asked), str(push)]
        assert push.sentence.startswith(f"the control plane tells {channel.name} EDS version ")


@pytest.mark.parametrize("engine", ["grpcio", "grpc"])
def test_each_client_has_a_stream_of_its_own(cluster, engine):
    cluster.scale(3)
    with (
        cluster.channel("xds:///greetserver", engine=engine) as one,
        cluster.channel("xds:///greetserver", engine=engine) as other,
    ):
        for channel in (one, other):
            channel.wait_ready()
            told = channel.trace.of("XdsExchanged")
            assert {event.client for event in told} == {channel.name}
            assert [event.type for event in told if event.step == "asked"][:4] == [
                "LDS", "RDS", "CDS", "EDS"
            ]  # fmt: skip


def test_an_envoy_is_told_by_the_same(cluster):
    cluster.scale(3)
    wait_until(lambda: len(cluster.l7_proxies["greetserver-envoy"].hosts()) == 3)
    with cluster.channel("greetserver-envoy") as channel:
        assert sorted(channel.greet("Ada", times=60).by_pod.values()) == [20, 20, 20]
        told = channel.trace.of("XdsExchanged", step="pushed")
        cluster.scale(4)
        wait_until(lambda: len(cluster.l7_proxies["greetserver-envoy"].hosts()) == 4)
        *_, push = channel.trace.of("XdsExchanged", step="pushed")
        assert len(channel.trace.of("XdsExchanged", step="pushed")) > len(told)
    assert (push.client, push.detail) == ("greetserver-envoy", "4 endpoints")
    assert any(e.client == "greetserver-envoy" for e in cluster.control_plane.of("ACK", "EDS"))


def test_a_service_that_there_is_not_has_no_listener(cluster):
    with cluster.channel("xds:///elsewhere", engine="grpcio") as channel:
        calls = channel.greet("Ada", timeout=0.5)
    assert calls.ok == 0
    told = [e for e in cluster.control_plane.events if e.client == channel.name]
    assert (told[0].what, told[0].kind, told[0].detail) == ("asked", "LDS", "elsewhere")


def test_what_a_message_follows_from(cluster):
    """Several pushes before the first ACK: each is of its own version."""
    cluster.scale(3)
    plane = cluster.control_plane
    with cluster.channel("xds:///greetserver", engine="grpcio") as channel:
        channel.wait_ready()
        cluster.rollout(max_surge=3)
        cluster.wait_rollout()
        wait_until(lambda: acknowledged(plane, channel.name, str(plane._version)))
        trace = channel.trace
    for ack in trace.of("XdsExchanged", step="ACK"):
        assert (ack.cause.step, ack.cause.type) == ("pushed", ack.type)
        assert ack.cause.version == ack.version
    pushes = list(trace.of("XdsExchanged", step="pushed", type="EDS"))
    assert len(pushes) > 1
    assert [push.cause.step for push in pushes if push.cause is not None] == ["asked"]


def test_a_channel_that_has_gone_is_told_nothing(cluster):
    plane = cluster.control_plane
    before = {name: len(those) for name, those in plane._listeners.items()}
    for target in ("xds:///greetserver", "greetserver-envoy", "greetserver"):
        cluster.channel(target, engine="grpc").close()
    wait_until(lambda: gc.collect() is not None and before == {
        name: len(those) for name, those in plane._listeners.items()
    })  # fmt: skip


def test_what_is_not_wanted_any_more_is_not_pushed(cluster):
    from envoy.service.discovery.v3 import discovery_pb2 as messages

    plane = cluster.control_plane
    requests = queue.SimpleQueue()

    def request(names, nonce="", error=""):
        ask = messages.DiscoveryRequest(type_url=EDS, resource_names=names, response_nonce=nonce)
        ask.node.id = "odd"
        if error:
            ask.error_detail.message = error
        requests.put(ask)

    with grpc_channel(plane) as stream:
        responses = stream(iter(requests.get, None))
        request(["greetserver"])
        first = next(responses)
        request(["greetserver"], first.nonce)
        wait_until(lambda: ("ACK", first.version_info) in said(plane, "odd"))
        plane.set_endpoints([("127.0.0.1", 1)])
        second = next(responses)
        request(["greetserver"], first.nonce)  # of what it saw before: says nothing
        request(["greetserver"], second.nonce, "no such port")
        request([], second.nonce)
        wait_until(lambda: said(plane, "odd")[-1:] == [("NACK", second.version_info)])
        plane.set_endpoints([("127.0.0.1", 2)])
        request(["greetserver"], second.nonce)
        third = next(responses)
        responses.cancel()
    assert int(third.version_info) == int(second.version_info) + 1
    assert [what for what, _ in said(plane, "odd")] == [
        "asked", "pushed", "ACK", "pushed", "NACK", "asked", "pushed"
    ]  # fmt: skip
    cluster.publish()


def test_a_nack_is_kept_with_its_reason(cluster):
    import grpc
    from envoy.service.discovery.v3 import discovery_pb2 as messages

    plane = cluster.control_plane
    eds = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
    ask = messages.DiscoveryRequest(type_url=eds, resource_names=["greetserver"])
    ask.node.id = "worse\x1b[31m"
    refuse = messages.DiscoveryRequest(type_url=eds, resource_names=["greetserver"])
    refuse.response_nonce = "1"
    refuse.error_detail.message = "I do not like\nthis"
    requests = queue.SimpleQueue()
    requests.put(ask)
    with grpc.insecure_channel(plane.address) as channel:
        stream = channel.stream_stream(
            xds._METHOD, messages.DiscoveryRequest.SerializeToString,
            messages.DiscoveryResponse.FromString,
        )(iter(requests.get, None))  # fmt: skip
        assert next(stream).nonce == "1"
        requests.put(refuse)  # what is refused has to be there first
        wait_until(lambda: [one for one in plane.of("NACK", "EDS") if one.client == ask.node.id])
        nack = plane.of("NACK", "EDS")[-1]
        stream.cancel()
        requests.put(None)
    assert nack.detail == "I do not like\nthis"
    assert str(nack) == rf"worse\x1b[31m: NACK EDS version {nack.version} (I do not like\nthis)"


def test_while_it_is_away_the_calls_go_on_and_then_everything_is_told_anew():
    with (
        gl.Cluster.local(pods=2, xds=True, seed=1) as cluster,
        cluster.channel("xds:///greetserver", engine="grpcio") as channel,
    ):
        channel.wait_ready()
        plane = cluster.control_plane
        plane.set_away(True)
        cluster.scale(3)
        assert {*channel.greet("Ada", times=9).by_pod} == {"pod-1", "pod-2"}
        plane.set_away(False)
        wait_until(lambda: "pod-3" in channel.greet("Ada", times=3).by_pod)
        said = [(event.type, event.step) for event in channel.trace.of("XdsExchanged")]
        for kind in ("LDS", "RDS", "CDS", "EDS"):
            assert said.count((kind, "asked")) == 2
        pushed = channel.trace.of("XdsExchanged", step="pushed", type="EDS")
        assert [event.detail for event in pushed] == ["2 endpoints", "3 endpoints"]
        plane.set_away(False)  # it is not away


def test_what_is_missing_is_said(cluster):
    with gl.Cluster.local(pods=1) as plain:
        with pytest.raises(ValueError, match=r"no xDS control plane: Cluster.local\(xds=True\)"):
            plain.channel("xds:///greetserver", engine="grpcio")
        with pytest.raises(ValueError, match="no xDS control plane"):
            _ = plain.control_plane
    with pytest.raises(ValueError, match="engine"):
        cluster.channel("xds:///greetserver")
    with pytest.raises(StartError, match="control plane did not start"):
        xds.ControlPlane(cluster.control_plane.address.rpartition(":")[0], "greetserver")
