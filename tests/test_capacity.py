"""Pods that can be overloaded, in the sim: capacity, queue, service time; and queueing theory."""

import math
import re

import numpy as np
import pytest

import greetlab as gl
from greetlab import _core
from greetlab.clusters.local import LocalCluster
from greetlab.clusters.sim import SimCluster


def erlang_c(servers, service, every):
    """Mean wait of an M/M/c queue, in seconds (Erlang 1917; Kleinrock, Queueing Systems I, 3.5)."""
    load = service / every
    assert load < servers
    terms = [load**k / math.factorial(k) for k in range(servers)]
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(terms) + last) * service / (servers - load)


def sim(pods=1, **options):
    return gl.Cluster.sim(pods, seed=7, **{"latency": 0.0, "service_time": 0.02} | options)


def ready(cluster, service="greetserver-headless", **options):
    channel = cluster.channel(service, **options)
    channel.wait_ready(all=True)
    return channel


def seconds(calls):
    return calls.latency_ns / 1e9


def ms(times):
    return [round(float(one) * 1e3) for one in times]


# The notation.


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (0.02, "20ms"),
        (0, "0h"),
        ((0.005, 0.02), "5ms..20ms"),
        ("1.5s", "1500ms"),
        ("5ms..20ms", "5ms..20ms"),
        ("20ms..20ms", "20ms"),
        ("exponential 250us", "exponential 250us"),
    ],
)
def test_a_time_is_written_in_one_way(given, text):
    assert _core.pod_flags(service_time=given) == ["--service-time", text]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("soon", "time 'soon': expected 20ms, 5ms..20ms (uniform), exponential 20ms"),
        ("5", "a number has its unit"),
        ("-5ms", "expected 20ms"),
        ("exponential", "expected 20ms"),
        ("exponential 5", "a number has its unit"),
        ("gauss 5ms", "expected 20ms"),
        ("9ms..5ms", "the first is above the second"),
        ("5ms..", "expected 20ms"),
        ("9000h", "a year at the most"),
        ((2.0, 1.0), "the smaller number first"),
        ((1.0, 2.0, 3.0), "two numbers"),
        (-1, "it is 0 at least"),
    ],
)
def test_what_is_no_time_is_refused_in_words(given, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        gl.Cluster.sim(1, service_time=given)


def test_a_sum_is_no_time():
    with pytest.raises(TypeError, match=r"service_time None: a number"):
        gl.Cluster.sim(1, service_time=None)


@pytest.mark.parametrize("make", [gl.Cluster.sim, gl.Cluster.local], ids=["sim", "local"])
@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"capacity": 0}, ValueError, "capacity 0: a pod that serves nobody; 1 at least"),
        ({"queue": 5}, ValueError, "queue 5: only a pod with a capacity has a queue"),
        ({"capacity": "many"}, TypeError, "capacity 'many': a whole number"),
        ({"capacity": -1}, TypeError, "capacity -1: a whole number"),
        ({"service_time": "soon"}, ValueError, "expected 20ms"),
        ({"capcity": 1}, TypeError, "no option 'capcity'"),
    ],
)
def test_pods_that_make_no_sense_are_refused_alike_in_both_worlds(make, options, error, said):
    with pytest.raises(error, match=said):
        make(1, **options)


def test_each_option_says_the_same_in_both_worlds():
    sim, local = SimCluster.__init__.__doc__, LocalCluster.__init__.__doc__
    for name, _, text in _core.pod_options():
        assert text in sim
        assert text in local
        assert name in local


def test_exponential_draws_have_the_mean_and_the_shape_of_an_exponential():
    calls = ready(sim(service_time="exponential 20ms", trace_capacity=0)).load(40_000)
    took = seconds(calls)
    n = len(took)
    assert took.mean() == pytest.approx(0.02, abs=4 * 0.02 / math.sqrt(n))
    # Kolmogorov's distance to 1 - e^-x/mean: above 1.95 / sqrt(n) once in a thousand seeds.
    expected = 1 - np.exp(-np.sort(took) / 0.02)
    assert np.abs(expected - np.arange(1, n + 1) / n).max() < 1.95 / math.sqrt(n)


# One pod.


def test_a_pod_serves_its_capacity_and_the_others_wait_first_come_first_served():
    cluster = sim(capacity=2)
    calls = ready(cluster).load(6, concurrency=6)
    assert ms(seconds(calls)) == [20, 20, 40, 40, 60, 60]
    served = cluster.trace.of("PodServed", step="begins")
    assert [event.call for event in served] == sorted(event.call for event in served)
    assert ms(event.waited / 1e9 for event in served) == [0, 0, 20, 20, 40, 40]


def test_without_a_capacity_nobody_waits_and_nothing_is_told():
    cluster = sim()
    calls = ready(cluster).load(6, concurrency=6)
    assert ms(seconds(calls)) == [20] * 6
    assert not len(cluster.trace.of("PodServed"))


def test_what_is_beyond_the_queue_is_refused_at_once():
    cluster = sim(capacity=1, queue=2)
    calls = ready(cluster).load(5, concurrency=5)
    assert calls.by_status == {"OK": 3, "RESOURCE_EXHAUSTED": 2}
    assert calls.errors == ["the pod's queue is full"]
    assert ms(seconds(calls)) == [20, 40, 60, 0, 0]
    refused = cluster.trace.first("PodServed", step="refuses")
    assert str(refused).split("  ", 1)[1] == (
        f"pod-1 refuses call {refused.call}: it serves 1 call, and 2 wait [sim only]"
    )
    assert "pod-1 refuses" in cluster.trace.last("CallEnded", code="RESOURCE_EXHAUSTED").why()


def test_a_queue_of_none_is_a_pod_that_never_lets_wait():
    calls = ready(sim(capacity=2, queue=0)).load(5, concurrency=5)
    assert calls.by_status == {"OK": 2, "RESOURCE_EXHAUSTED": 3}


def test_a_call_that_has_waited_past_its_deadline_is_not_served():
    cluster = sim(capacity=1, service_time=1.0)
    channel = ready(cluster)
    channel.start(1, timeout=10)
    hasty = channel.load(3, concurrency=3, timeout=0.1)
    assert hasty.by_status == {"DEADLINE_EXCEEDED": 3}
    cluster.run(5)
    steps = [event.step for event in cluster.trace.of("PodServed")]
    assert steps == ["begins", "waits", "waits", "waits", "loses", "loses", "loses", "ends"]
    assert cluster.trace.last("PodServed").waiting == 0


def test_a_client_that_has_gone_gives_up_its_place_in_the_queue():
    cluster = sim(capacity=1, queue=1, service_time=1.0)
    channel = ready(cluster)
    channel.start(1, timeout=10)
    gone = channel.start(1, timeout=10)
    cluster.run(0.1)
    gone.cancel()
    cluster.run(0.1)
    assert ms(seconds(channel.load(1))) == [1800]


def test_one_that_is_being_served_goes_on_though_nobody_waits_for_it():
    cluster = sim(capacity=1, service_time=1.0)
    channel = ready(cluster)
    channel.load(1, timeout=0.1)
    assert ms(seconds(channel.load(1))) == [1900]


def test_a_pod_that_is_killed_has_nothing_to_do_when_it_comes_back():
    cluster = sim(capacity=1, service_time=1.0)
    channel = ready(cluster)
    lost = channel.start(5, concurrency=5, timeout=60)
    cluster.run(0.5)
    cluster.restart("pod-1")
    cluster.run(5)
    assert channel.calls(lost).by_status == {"UNAVAILABLE": 5}
    assert ms(seconds(channel.load(1))) == [1000]


def test_connections_share_the_queue_of_their_pod():
    cluster = sim(capacity=1)
    begun = [(channel, channel.start(2, concurrency=2)) for channel in
             (ready(cluster), ready(cluster))]  # fmt: skip
    cluster.run(1)
    took = [ms(seconds(channel.calls(load))) for channel, load in begun]
    assert took == [[20, 40], [60, 80]]


def test_a_slow_pod_is_overloaded_and_the_others_are_not():
    cluster = sim(3, capacity=2, service_time="exponential 10ms", latency=0.0001)
    channel = ready(cluster, policy="round_robin")
    cluster.slow("pod-2", "exponential 20ms")
    calls = channel.load(3000, every="exponential 2.5ms", timeout=60)
    took = {name: seconds(calls)[[call.pod == name for call in calls]] for name in calls.pods}
    hot = np.median(took["pod-2"]) / np.median(took["pod-1"])
    assert hot > 10
    waiting = {event.who: event.waiting for event in cluster.trace.of("PodServed", step="waits")}
    assert max(waiting, key=waiting.get) == "pod-2"
    cluster.slow("pod-2", 0)
    assert [e.change for e in cluster.trace.of("PodChanged", pod="pod-2")][1:] == [
        "slowed", "fast again"
    ]  # fmt: skip


def test_the_same_seed_gives_the_same_trace():
    def story():
        cluster = sim(2, capacity=1, queue=3, service_time="exponential 10ms", load_reports=True)
        ready(cluster, policy="round_robin").load(200, every="exponential 4ms")
        return [str(event) for event in cluster.trace]

    assert story() == story()


def test_the_facts_add_up():
    cluster = sim(2, capacity=2, queue=3, service_time="exponential 10ms")
    calls = ready(cluster, policy="round_robin").load(500, every="exponential 2.2ms")
    told = cluster.trace
    count = {step: len(told.of("PodServed", step=step)) for step in
             ("waits", "begins", "ends", "refuses", "loses")}  # fmt: skip
    assert count["begins"] == count["ends"] == calls.ok
    assert count["refuses"] == calls.by_status["RESOURCE_EXHAUSTED"] > 0
    assert count["begins"] + count["refuses"] == 500
    for event in told.of("PodServed"):
        assert 0 <= event.in_service <= 2
        assert 0 <= event.waiting <= 3
        assert not event.waiting or event.in_service == 2 or event.step == "ends"
    assert gl.Stepper(told).to(1e9).snapshot().loads == {"pod-1": (0, 0), "pod-2": (0, 0)}


# Queueing theory.


def test_gaps_are_exponential_and_come_from_the_seed():
    def starts(seed):
        cluster = gl.Cluster.sim(1, seed=seed, trace_capacity=0)
        return ready(cluster).load(20_000, every="exponential 10ms").start_ns

    gaps = np.diff(starts(7)) / 1e9
    assert gaps.mean() == pytest.approx(0.01, rel=4 / math.sqrt(len(gaps)))
    assert gaps.std() == pytest.approx(0.01, rel=0.05)
    assert (starts(7) == starts(7)).all()
    assert (starts(7) != starts(8)).any()


@pytest.mark.parametrize(("servers", "busy"), [(1, 0.5), (1, 0.8), (4, 0.7), (16, 0.85)])
def test_waits_are_those_of_the_formula(servers, busy):
    service = 0.02
    every = service / servers / busy
    cluster = sim(capacity=servers, service_time=f"exponential {service}s", trace_capacity=0)
    calls = ready(cluster).load(100_000, every=f"exponential {every:.9f}s", timeout=600)
    assert calls.by_status == {"OK": 100_000}
    waited = seconds(calls).mean() - service
    # The waits of neighbours are alike: so the band is that of batches, each a sample of its own.
    batches = seconds(calls).reshape(50, -1).mean(axis=1)
    band = 3.3 * batches.std(ddof=1) / math.sqrt(len(batches))
    expected = erlang_c(servers, service, every)
    assert band < 0.35 * expected
    assert waited == pytest.approx(expected, abs=band)
