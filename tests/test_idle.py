"""A channel that nobody uses lets go of everything (found W10), and finds it anew."""

import pytest
from support import wait_until

import greetlab as gl

HEADLESS = "greetserver-headless"


def test_after_half_an_hour_without_a_call_a_channel_is_idle():
    cluster = gl.Cluster.sim(3, seed=7)
    channel = cluster.channel(HEADLESS, policy="round_robin")
    channel.greet("Ada", times=3)
    last = cluster.seconds
    cluster.run(1799)
    assert channel.state == "READY"
    cluster.run(2)
    assert channel.state == "IDLE"
    idle = cluster.trace.last("ChannelStateChanged")
    assert idle.seconds - last == pytest.approx(1800)
    assert idle.reason == "no call for 30m"
    assert not channel.subchannels
    assert len(cluster.trace.of("SubchannelStateChanged", to="SHUTDOWN")) == 3


def test_who_calls_then_has_the_name_looked_up_anew():
    """So a client that is seldom used sees new pods where a busy one does not."""
    cluster = gl.Cluster.sim(3, seed=7)
    channel = cluster.channel(HEADLESS, policy="round_robin")
    channel.greet("Ada", times=3)
    cluster.scale(5)
    assert len(channel.greet("Ada", times=50).by_pod) == 3
    cluster.run(1801)
    channel.wait_ready(all=True)
    assert len(channel.greet("Ada", times=50).by_pod) == 5
    assert len(cluster.trace.of("LookupStarted")) == 2


def test_the_time_begins_with_the_end_of_the_last_call():
    cluster = gl.Cluster.sim(1, seed=7)
    cluster.slow("pod-1", 100.0)
    channel = cluster.channel(HEADLESS, idle_timeout=10.0)
    channel.greet("Ada", timeout=1000.0)
    ended = cluster.trace.last("CallEnded").seconds
    assert ended > 100
    cluster.run(20)
    assert cluster.trace.last("ChannelStateChanged").seconds - ended == pytest.approx(10)


def test_calls_that_come_in_time_keep_it():
    cluster = gl.Cluster.sim(1, seed=7)
    channel = cluster.channel(HEADLESS, idle_timeout=10.0)
    channel.start(20, every=9.0)
    cluster.run(180)
    assert [e.to for e in cluster.trace.of("ChannelStateChanged")] == ["CONNECTING", "READY"]
    cluster.run(20)
    assert channel.state == "IDLE"


@pytest.mark.parametrize(
    "policy",
    [
        {"random_subsetting": {"subsetSize": 2}},
        {"ring_hash_experimental": {"requestHashHeader": "user-id"}},
        *sorted({*gl.POLICIES} - {"random_subsetting", "ring_hash_experimental"}),
    ],
)
def test_every_policy_lets_go(policy):
    cluster = gl.Cluster.sim(3, seed=7)
    channel = cluster.channel(HEADLESS, policy=policy)
    assert channel.greet("Ada", times=9).ok == 9
    cluster.run(3600)
    assert channel.state == "IDLE"
    assert channel.greet("Ada", times=9).ok == 9


def test_a_channel_that_fails_and_that_nobody_calls_stops_trying():
    cluster = gl.Cluster.sim(0, seed=7)
    channel = cluster.channel(HEADLESS)
    channel.greet("Ada")
    cluster.run(7200)
    assert channel.state == "IDLE"
    assert cluster.trace.last("LookupStarted").seconds < 1801


def test_never_is_never():
    cluster = gl.Cluster.sim(1, seed=7)
    channel = cluster.channel(HEADLESS, idle_timeout=0)
    channel.greet("Ada")
    cluster.run(1e6)
    assert channel.state == "READY"


def test_on_real_connections_it_closes_them_too():
    options = {"policy": "round_robin", "idle_timeout": 0.2}
    with gl.Cluster.local(2) as cluster, cluster.channel(HEADLESS, **options) as channel:
        channel.wait_ready(all=True)
        assert channel.greet("Ada", times=4).ok == 4
        wait_until(lambda: channel.state == "IDLE")
        assert not channel.subchannels
        assert channel.trace.last("ChannelStateChanged").reason == "no call for 200ms"
        cluster.scale(3)
        channel.wait_ready(all=True)
        assert len(channel.greet("Ada", times=6).by_pod) == 3
        assert len(channel.trace.of("LookupStarted")) == 2


def test_a_channel_that_only_was_waited_for_goes_idle_too():
    """Its time begins when it connects, calls or no calls."""
    cluster = gl.Cluster.sim(pods=1, seed=1)
    channel = cluster.channel("greetserver", idle_timeout=5.0).wait_ready()
    cluster.run(4.0)
    assert channel.state == "READY"
    cluster.run(1.5)
    assert channel.state == "IDLE"
