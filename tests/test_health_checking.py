"""Client-side health checking (gRFC A17): on the bench, in the sim, and with real pods."""

import pytest
from support import wait_until

import greetlab as gl
from greetlab import _core
from greetlab.trace.trace import Trace


def made(policy="round_robin", service="x"):
    return _core.PolicyBench(policy, seed=1, health_service=service)


def connected(names, policy="round_robin"):
    bench = made(policy)
    bench.update(list(names))
    for name in bench.connecting():
        bench.ready(name)
    return bench


def told(bench, kind):
    return Trace(bench.trace()).of(kind)


def test_it_is_connecting_until_the_first_reply():
    bench = connected("ab")
    assert bench.streams == ["a: health of x", "b: health of x"]
    assert bench.subchannels == {"a": "READY", "b": "READY"}
    assert bench.state == "CONNECTING"
    assert bench.picks(1) == ["wait"]
    bench.health("a", "SERVING")
    assert bench.state == "READY"
    assert bench.picks(2) == ["a", "a"]


@pytest.mark.parametrize("status", ["NOT_SERVING", "UNKNOWN", "SERVICE_UNKNOWN"])
def test_anything_but_serving_is_a_failure_and_it_may_come_back(status):
    bench = connected("ab")
    bench.health("a", "SERVING")
    bench.health("b", "SERVING")
    bench.health("a", status)
    assert set(bench.picks(4)) == {"b"}
    assert bench.subchannels["a"] == "READY"  # the connection stays
    assert bench.connecting() == []
    bench.health("b", status)
    assert bench.state == "TRANSIENT_FAILURE"
    assert status in bench.failure
    bench.health("a", "SERVING")
    assert bench.picks(2) == ["a", "a"]


def test_the_fact_says_who_says_what_of_what():
    bench = connected("a")
    bench.health("a", "NOT_SERVING")
    fact = told(bench, "HealthReported").last()
    assert (fact.service, fact.status) == ("x", "NOT_SERVING")
    assert str(fact).endswith("a:1 says that x is NOT_SERVING: it gets no calls")
    assert fact.cause.kind == "Connected"
    published = told(bench, "PickerPublished").last()
    assert "HealthReported" in [event.kind for event in published.causes()]


def test_a_server_without_the_service_counts_as_healthy_and_is_not_asked_again():
    bench = connected("a")
    bench.end_health("a", "UNIMPLEMENTED")
    assert bench.picks(2) == ["a", "a"]
    (fact,) = told(bench, "HealthWatchEnded")
    assert "has no health service (UNIMPLEMENTED): it counts as healthy" in str(fact)
    bench.run(1000)
    assert len(bench.streams) == 1


def test_a_stream_that_fails_at_once_is_asked_again_with_backoff():
    bench = connected("a")
    waits = []
    for attempt in range(1, 5):
        assert len(bench.streams) == attempt
        bench.end_health("a", "UNAVAILABLE")
        assert bench.state == "TRANSIENT_FAILURE"
        before = bench.now
        while len(bench.streams) == attempt:
            assert bench.step()
        waits.append(bench.now - before)
    assert waits == [pytest.approx(1.6**n, rel=0.2) for n in range(4)]
    (first, *_) = told(bench, "HealthWatchEnded")
    assert "is asked again at" in str(first)
    bench.health("a", "SERVING")
    assert bench.state == "READY"


def test_a_stream_that_had_said_something_is_asked_again_at_once():
    bench = connected("a")
    bench.health("a", "SERVING")
    bench.end_health("a", "INTERNAL")
    assert bench.picks(1)[0].startswith("fail: ")
    bench.run(0)
    assert len(bench.streams) == 2
    bench.health("a", "SERVING")
    assert bench.picks(1) == ["a"]


def test_a_lost_connection_is_nobodys_stream_and_the_next_one_is_asked_anew():
    bench = connected("ab")
    bench.health("a", "SERVING")
    bench.health("b", "SERVING")
    bench.lose("a")
    assert bench.picks(2) == ["b", "b"]
    bench.ready("a")
    assert bench.picks(2) == ["b", "b"]  # it has not said yet how it is
    bench.health("a", "SERVING")
    assert set(bench.picks(4)) == {"a", "b"}


def test_a_new_list_asks_nobody_twice():
    bench = connected("ab")
    bench.health("a", "SERVING")
    bench.health("b", "SERVING")
    bench.update(["a", "b", "c"])
    assert bench.streams.count("a: health of x") == 1
    assert set(bench.picks(4)) == {"a", "b"}
    bench.update(["b"])
    with pytest.raises(ValueError, match="connected"):
        bench.health("a", "SERVING")


def test_an_endpoint_of_two_addresses_is_asked_over_the_one_that_it_has():
    bench = made()
    bench.update(["a+b", "c"])
    for name in "ac":
        bench.ready(name)
    assert bench.streams == ["a: health of x", "c: health of x"]
    assert bench.picks(1) == ["wait"]
    bench.health("c", "SERVING")
    bench.health("a", "SERVING")
    assert set(bench.picks(4)) == {"a", "c"}


def test_pick_first_does_not_ask():
    bench = connected("a", "pick_first")
    assert bench.streams == []
    assert bench.picks(1) == ["a"]


def test_nobody_asks_where_the_service_config_does_not():
    bench = _core.PolicyBench("round_robin")
    bench.update(["a"])
    bench.ready("a")
    assert bench.streams == []
    assert bench.picks(1) == ["a"]


@pytest.mark.parametrize("parent", ["random_subsetting", "outlier_detection_experimental"])
def test_it_works_below_any_parent(parent):
    fields = {"subsetSize": 5} if parent == "random_subsetting" else {
        "failurePercentageEjection": 1,
        "failurePercentageEjection.minimumHosts": 1,
    }  # fmt: skip
    bench = connected("ab", _core.PolicyConfig(parent, fields))
    assert bench.picks(1) == ["wait"]
    bench.health("a", "SERVING")
    bench.health("b", "SERVING")
    assert set(bench.picks(4)) == {"a", "b"}
    if parent == "random_subsetting":
        return
    for name in bench.picks(200):
        bench.done(name, "UNKNOWN" if name == "a" else "OK")
    bench.run(10)
    assert set(bench.picks(4)) == {"b"}
    bench.run(30)
    assert set(bench.picks(4)) == {"b"}  # a is back, and has to say how it is
    bench.health("a", "SERVING")
    assert set(bench.picks(4)) == {"a", "b"}


@pytest.mark.parametrize("world", ["sim", "local"])
def test_a_pod_that_is_not_well_is_left_by_those_who_ask(world):
    asks = {"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}
    with (
        getattr(gl.Cluster, world)(pods=3, seed=1) as cluster,
        cluster.channel("greetserver-headless", service_config=asks) as channel,
    ):

        def told_that(status, times):
            if world == "sim":
                cluster.run(0.001)  # a message's time, there and back
            wait_until(lambda: len(channel.trace.of("HealthReported", status=status)) == times)

        channel.wait_ready(all=True)
        told_that("SERVING", 3)
        assert channel.greet(times=30).by_pod == {"pod-1": 10, "pod-2": 10, "pod-3": 10}
        cluster.set_serving("pod-2", False)
        told_that("NOT_SERVING", 1)
        calls = channel.greet(times=30)
        assert calls.ok == 30
        assert "pod-2" not in calls.by_pod
        assert len(channel.trace.of("CallStarted")) == 60  # the streams are no calls
