"""A client that is told of its service's endpoints (watch:///), and looks nothing up."""

import pytest
from support import wait_until

import greetlab as gl

HEADLESS = "watch:///greetserver-headless"


def told(channel):
    return channel.trace.of("EndpointsTold")


def lookups(channel):
    return channel.trace.of("LookupStarted")


def test_new_pods_are_called_within_milliseconds_and_nothing_is_looked_up():
    sim = gl.Cluster.sim(pods=3, seed=7)
    asked = sim.channel("greetserver-headless", policy="round_robin")
    watching = sim.channel(HEADLESS, policy="round_robin").wait_ready(all=True)
    asked.wait_ready(all=True)
    sim.scale(5)
    sim.run(0.01)
    assert set(asked.greet(times=30).by_pod) == {"pod-1", "pod-2", "pod-3"}
    assert set(watching.greet(times=30).by_pod.values()) == {6}
    assert not lookups(watching)


def test_the_story_goes_from_a_pick_back_to_the_pod():
    sim = gl.Cluster.sim(pods=1, seed=7)
    channel = sim.channel(HEADLESS, policy="round_robin").wait_ready()
    sim.scale(2)
    sim.run(0.01)
    channel.greet(times=2)
    new = channel.trace.last("Picked", subchannel=2)
    story, event = [], new
    while event is not None:
        story.append(event.kind)
        event = event.cause
    assert story[0] == "Picked"
    assert story[-4:] == ["AddressListTaken", "EndpointsTold", "EndpointsChanged", "PodChanged"]
    assert "pod-2 started" in new.why()


def test_what_it_was_told_is_a_sentence():
    sim = gl.Cluster.sim(pods=2, seed=7)
    channel = sim.channel(HEADLESS, policy="round_robin").wait_ready(all=True)
    sim.scale(3)
    sim.run(0.01)
    first, then = told(channel)
    assert "watches greetserver-headless: 1 slice with 2 addresses to call" in str(first)
    assert (
        "client-1 is told that greetserver-headless-1 has changed: greetserver-headless has "
        "1 slice with 3 addresses to call"
    ) in str(then)
    assert (first.change, then.change, then.slices) == ("LISTED", "MODIFIED", 1)
    assert then.cause.kind == "EndpointsChanged"


def test_two_hundred_and_fifty_pods_are_three_slices_and_one_change_costs_none():
    sim = gl.Cluster.sim(pods=250, seed=7)
    channel = sim.channel(HEADLESS, policy="round_robin").wait_ready(all=True)
    assert told(channel)[0].slices == 3
    assert len(channel.greet(times=250).by_pod) == 250
    sim.scale(251)
    sim.run(0.01)
    assert len(channel.greet(times=251).by_pod) == 251
    sim.kill("pod-1")
    sim.run(0.01)
    assert told(channel)[-1].count == 250
    assert channel.greet(times=250).ok == 250


def test_the_news_take_their_time():
    sim = gl.Cluster.sim(pods=3, seed=7, watch_lag=2)
    channel = sim.channel(HEADLESS, policy="round_robin").wait_ready(all=True)
    sim.scale(4)
    sim.run(1.9)
    assert len(channel.subchannels) == 3
    sim.run(0.2)
    assert len(channel.subchannels) == 4


def test_a_rollout_loses_no_call_where_the_news_are_faster_than_the_pods_end():
    def lost(pre_stop):
        sim = gl.Cluster.sim(
            pods=3,
            seed=7,
            readiness_delay=1,
            endpoint_lag=0.5,
            watch_lag=0.2,
            pre_stop=pre_stop,
            grace=5,
        )
        sim.wait_ready()
        channel = sim.channel(HEADLESS, policy="round_robin").wait_ready(all=True)
        begun = channel.start(3000, every=0.005)
        sim.rollout()
        sim.wait_rollout()
        sim.run(20)
        calls = channel.calls(begun)
        assert {"pod-4", "pod-5", "pod-6"} <= set(calls.by_pod)
        assert not lookups(channel)
        return len(calls) - calls.ok

    assert lost(pre_stop=2) == 0


def test_a_pod_that_is_not_healthy_is_called_no_more_and_comes_back():
    sim = gl.Cluster.sim(pods=3, seed=7)
    channel = sim.channel(HEADLESS, policy="round_robin").wait_ready(all=True)
    sim.set_serving("pod-2", False)
    sim.run(0.01)
    assert set(channel.greet(times=12).by_pod) == {"pod-1", "pod-3"}
    sim.set_serving("pod-2", True)
    sim.run(0.01)
    assert set(channel.greet(times=12).by_pod) == {"pod-1", "pod-2", "pod-3"}


def test_where_no_pod_is_ready_those_that_end_are_called_as_kube_proxy_does():
    sim = gl.Cluster.sim(pods=1, seed=7, pre_stop=5, grace=1)
    channel = sim.channel(HEADLESS, policy="round_robin").wait_ready()
    sim.scale(0)
    sim.run(1)
    assert channel.greet(times=3).ok == 3
    sim.run(10)
    calls = channel.greet()
    assert calls.errors == ["empty address list"]
    sim.scale(1)
    sim.run(0.1)
    assert channel.greet().ok == 1


def test_of_a_cluster_ip_service_it_is_told_the_pods():
    sim = gl.Cluster.sim(pods=3, seed=7)
    channel = sim.channel("watch:///greetserver", policy="round_robin").wait_ready(all=True)
    assert set(channel.greet(times=9).by_pod.values()) == {3}


def test_the_two_addresses_of_a_pod_are_one_endpoint():
    sim = gl.Cluster.sim(pods=3, seed=7, ip="dual")
    channel = sim.channel(HEADLESS, policy="round_robin").wait_ready()
    sim.run(0.1)
    assert told(channel)[0].count == 6
    assert set(channel.greet(times=9).by_pod.values()) == {3}
    assert sim._core.connections_opened == 3


def test_a_service_that_there_is_not():
    sim = gl.Cluster.sim(seed=7)
    calls = sim.channel("watch:///greetserv").greet()
    assert calls.by_status == {"UNAVAILABLE": 1}
    assert "no EndpointSlice belongs to a service 'greetserv'" in calls.errors[0]


def test_after_idleness_it_watches_anew():
    sim = gl.Cluster.sim(pods=3, seed=7)
    channel = sim.channel(HEADLESS, policy="round_robin", idle_timeout=60)
    channel.greet()
    sim.run(100)
    assert channel.state == "IDLE"
    sim.scale(4)
    assert channel.wait_ready(all=True).greet(times=4).ok == 4
    assert [event.change for event in told(channel)] == ["LISTED", "LISTED"]
    assert len(channel.subchannels) == 4


# --- On real connections -------------------------------------------------------------------------


def test_in_the_local_cluster_too():
    with gl.Cluster.local(pods=3) as local:
        channel = local.channel(HEADLESS, policy="round_robin").wait_ready(all=True)
        assert set(channel.greet(times=9).by_pod.values()) == {3}
        local.scale(5)
        channel.wait_ready(pods=5)
        channel.wait_ready(all=True)
        assert set(channel.greet(times=10).by_pod.values()) == {2}
        local.drain("pod-1")
        wait_until(lambda: told(channel)[-1].count == 4)  # a drain returns before the news are out
        assert "pod-1" not in channel.greet(times=20).by_pod
        assert not lookups(channel)
        assert [event.change for event in told(channel)][:2] == ["LISTED", "MODIFIED"]
        last = told(channel)[-1]
        assert last.cause.kind == "EndpointsChanged"
        assert last.count == 4
        with pytest.raises(ValueError, match="is told the pods' own"):
            local.channel(HEADLESS, port=80)
        with pytest.raises(ValueError, match="gRPC's own channel asks DNS"):
            local.channel(HEADLESS, engine="grpc")


def test_a_channel_of_no_cluster_is_told_nothing_and_says_so():
    with gl.Channel("watch:///greetserver") as channel:
        (error,) = channel.greet(timeout=2).errors
        assert "is this a channel of its cluster's" in error
    with pytest.raises(ValueError, match="a service's name, without a port"):
        gl.Channel("watch:///greetserver:50051")


def test_the_sim_has_no_kubernetes_api_and_says_so():
    sim = gl.Cluster.sim(pods=1, seed=7)
    with pytest.raises(ValueError, match=r"k8s:///: there is no Kubernetes API in the sim"):
        sim.channel("k8s:///greetserver-headless.default:50051", policy="round_robin")
    assert not sim.channels
