"""Going through a trace, forward and back."""

import pytest

import greetlab as gl
from greetlab.trace.stepper import Stepper


@pytest.fixture
def cluster():
    cluster = gl.Cluster.sim(pods=3, seed=7)
    channel = cluster.channel("greetserver-headless", policy="round_robin")
    channel.wait_ready(all=True)
    channel.start(20, 4)
    cluster.run(1)
    cluster.kill("pod-2")
    cluster.run(60)
    return cluster


def test_it_goes_forward_and_back(cluster):
    stepper = Stepper(cluster.trace)
    assert stepper.event is None
    assert str(stepper).endswith("the beginning")
    assert stepper.forward().event.id == 1
    assert stepper.forward(3).event.id == 4
    assert stepper.back(2).event.id == 2
    assert stepper.back(99).event is None
    assert stepper.forward(10_000).event.id == len(cluster.trace)


def test_it_goes_to_the_next_of_a_kind_and_to_a_time(cluster):
    stepper = Stepper(cluster.trace)
    assert stepper.next(gl.Connected, gl.ConnectFailed).kind == "Connected"
    assert stepper.next(gl.ConnectionLost).kind == "ConnectionLost"
    assert stepper.next(gl.GoAwaySent) is None
    assert stepper.position == len(cluster.trace)
    assert stepper.to(0.5).event.seconds <= 0.5
    assert stepper.forward().event.seconds > 0.5
    assert stepper.to(-1).event is None


def test_the_last_snapshot_is_what_the_world_is(cluster):
    snapshot = Stepper(cluster.trace).forward(10_000).snapshot()
    [channel] = cluster.channels
    client = snapshot.clients["client-1"]
    assert client.state == channel.state
    assert client.subchannels == {s.address: s.state for s in channel.subchannels}
    assert client.ended == 20
    assert client.in_flight == {}
    assert client.queued == []
    assert snapshot.pods == {"pod-1": "started", "pod-2": "killed", "pod-3": "started"}
    assert len(snapshot.endpoints["greetserver-headless"]) == 2
    assert sorted(client.addresses) == sorted(snapshot.endpoints["greetserver-headless"])


def test_a_snapshot_in_the_middle_shows_what_was_under_way(cluster):
    stepper = Stepper(cluster.trace)
    stepper.next(gl.AddressListTaken)
    early = stepper.snapshot().clients["client-1"]
    assert early.state == "CONNECTING"
    assert early.picker == "queue"
    assert len(early.addresses) == 3
    stepper.next(gl.Picked)
    sent = stepper.snapshot().clients["client-1"]
    assert list(sent.in_flight) == [1]
    assert sent.picker == "round_robin"
    stepper.next(gl.ConnectionLost)
    stepper.next(gl.AddressListTaken)
    later = stepper.snapshot().clients["client-1"]
    assert len(later.addresses) == 3
    assert len(later.pending) == 2
    assert "pending" not in str(stepper.snapshot())
    assert "picker round_robin over 2" in str(stepper.snapshot())
