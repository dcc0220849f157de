"""Policies beyond pick_first and round_robin, on the bench and in the sim: their stories."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import greetlab as gl
from greetlab import _core


def connected(policy, names, seed=1):
    """A bench whose policy has all of these addresses READY."""
    bench = _core.PolicyBench(policy, seed=seed)
    bench.update(list(names))
    for name in bench.connecting():
        bench.ready(name)
    return bench


# least_request (gRFC A48).


def test_least_request_chooses_the_idler_of_two():
    bench = connected("least_request", "ab")
    bench.picks(200)  # nobody's call ends
    # Two samples of two: a quarter of the picks saw the busier one only. So they stay level.
    first, second = (bench.picks(100).count(name) for name in "ab")
    assert abs(first - second) <= 20
    for _ in range(40):
        bench.done("a")
    # Until they are level again b is chosen only where both samples were b: a quarter.
    assert bench.picks(20).count("a") >= 10


def test_least_request_gives_a_pod_whose_calls_do_not_end_less():
    bench = connected("least_request", "abcde")
    counts = Counter()
    for _ in range(500):
        (name,) = bench.picks(1)
        counts[name] += 1
        if name != "a":
            bench.done(name)
    assert counts["a"] < 40  # of 100, its share in turns: only where both samples were a
    assert sum(counts[name] for name in "bcde") == 500 - counts["a"]


def test_least_request_with_more_samples_avoids_it_the_more():
    def of_a(samples):
        bench = connected(_core.PolicyConfig("least_request", {"choiceCount": samples}), "abcde")
        picks = Counter()
        for _ in range(1000):
            (name,) = bench.picks(1)
            picks[name] += 1
            if name != "a":
                bench.done(name)
        return picks["a"]

    assert of_a(10) < of_a(2)


def test_least_request_goes_on_counting_when_the_list_changes():
    bench = connected("least_request", "ab")
    while "a" not in bench.picks(1):
        pass
    bench.picks(50)
    bench.update(["a", "b", "c"])
    bench.ready("c")
    # c has none in flight, and is chosen whenever it is seen: 5 times of 9.
    assert bench.picks(18).count("c") >= 6


def test_a_call_that_ends_after_its_list_is_nobodys_trouble():
    bench = connected("least_request", "ab")
    bench.picks(10)
    bench.update(["c"])
    bench.ready("c")
    bench.done("a")
    bench.done("b")
    assert bench.picks(3) == ["c"] * 3


@pytest.mark.parametrize("world", ["sim", "local"])
def test_least_request_spares_a_slow_pod(world):
    with getattr(gl.Cluster, world)(pods=3, seed=3) as cluster:
        cluster.slow("pod-2", 0.05)
        shares = {}
        for policy in ("round_robin", "least_request"):
            with cluster.channel("greetserver-headless", policy=policy) as channel:
                calls = channel.wait_ready(all=True).load(300, 12)
                assert calls.ok == 300
                shares[policy] = calls.by_pod.get("pod-2", 0)
        assert shares["least_request"] < shares["round_robin"] / 2


# random_subsetting (gRFC A68).

MANY = [f"10.244.0.{i}:50051" for i in range(1, 41)]


def subsetting(size, child=None):
    return _core.PolicyConfig("random_subsetting", {"subsetSize": size}, child)


def subset_of(seed, addresses, size=4):
    bench = _core.PolicyBench(subsetting(size), seed=seed)
    bench.update(addresses)
    return set(bench.connecting())


def test_a_client_connects_to_its_few():
    assert len(subset_of(1, MANY)) == 4
    assert subset_of(1, MANY[:3]) == set(MANY[:3])  # fewer than that: all


def test_the_order_of_the_list_does_not_matter_and_the_seed_does():
    assert subset_of(1, MANY) == subset_of(1, MANY[::-1])
    assert len({frozenset(subset_of(seed, MANY)) for seed in range(20)}) > 15


@given(seed=st.integers(0, 2**32), gone=st.sampled_from(MANY))
def test_a_pod_that_goes_moves_nobody_but_those_who_had_it(seed, gone):
    before = subset_of(seed, MANY)
    after = subset_of(seed, [address for address in MANY if address != gone])
    assert len(after) == 4
    assert len(before - after) == (gone in before)
    assert before - {gone} <= after


def test_every_pod_has_about_as_many_clients():
    clients = Counter(address for seed in range(400) for address in subset_of(seed, MANY))
    assert set(clients) == set(MANY)
    assert 20 <= min(clients.values()) <= max(clients.values()) <= 64  # 40 on average


def test_its_child_is_whatever_it_is_told():
    bench = _core.PolicyBench(subsetting(4, _core.PolicyConfig("pick_first")), seed=1)
    bench.update(MANY)
    assert len(bench.connecting()) == 1
    cluster = gl.Cluster.sim(pods=12, seed=1)
    told = {"random_subsetting": {"subsetSize": 3, "childPolicy": [{"least_request": {}}]}}
    channel = cluster.channel("greetserver-headless", policy=told).wait_ready(all=True)
    assert len(channel.greet(times=60).by_pod) == 3
    assert channel.trace.last("PickerPublished").picker == "least_request"


# What a policy may be told.


@pytest.mark.parametrize(
    ("policy", "kind", "said"),
    [
        ("fastest", ValueError, r"policy 'fastest': there is pick_first, .* and \w+"),
        ("random_subsetting", ValueError, "random_subsetting needs subsetSize"),
        ({"least_request": {"choices": 2}}, ValueError,
         "least_request.choices is no field of a service config"),
        ({"least_request": {"choiceCount": 11}}, ValueError,
         "least_request.choiceCount is 11: it must be 10 or less"),
        ({"round_robin": {"childPolicy": [{"random": {}}]}}, ValueError,
         "round_robin.childPolicy is no field"),
        ({"random_subsetting": {"subsetSize": 2, "childPolicy": [{"nope": {}}]}}, ValueError,
         r"childPolicy: policy 'nope' is not known here: there is"),
        ({"least_request": {"choiceCount": "many"}}, ValueError,
         'choiceCount is "many": it must be a number'),
        ({"least_request": {"choiceCount": {3}}}, TypeError, "not JSON serializable"),
        ({"least_request": 3}, TypeError, "what least_request is told is a dict"),
        (3, TypeError, "policy 3; it is a name"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_words(policy, kind, said):
    with pytest.raises(kind, match=said):
        gl.Cluster.sim(pods=1, seed=1).channel("greetserver", policy=policy)


@pytest.mark.parametrize("policy", ["random", {"least_request": {"choiceCount": 3}}])
def test_gRPCs_own_channel_has_two_policies(policy):  # noqa: N802
    with pytest.raises(ValueError, match="gRPC's own channel takes pick_first or round_robin"):
        gl.Channel("static:127.0.0.1:1", policy=policy, engine="grpc")


# --- What each does that is told nothing ----------------------------------------------------------

SECOND = 10**9


@pytest.mark.parametrize(
    ("policy", "usual"),
    [
        ("pick_first", {"shuffleAddressList": 0}),  # gRFC A62
        ("least_request", {"choiceCount": 2}),  # A48
        ("ring_hash_experimental", {"minRingSize": 1024, "maxRingSize": 4096}),  # A42, A76
        (
            "weighted_round_robin",  # A58
            {
                "enableOobLoadReport": 0,
                "oobReportingPeriod": 10 * SECOND,
                "blackoutPeriod": 10 * SECOND,
                "weightExpirationPeriod": 180 * SECOND,
                "weightUpdatePeriod": SECOND,
                "errorUtilizationPenalty": 1_000_000,
            },
        ),
        (
            "outlier_detection_experimental",  # A50; a factor in thousandths
            {
                "interval": 10 * SECOND,
                "baseEjectionTime": 30 * SECOND,
                "maxEjectionTime": 300 * SECOND,
                "maxEjectionPercent": 10,
                "successRateEjection": 0,
                "successRateEjection.stdevFactor": 1900,
                "successRateEjection.enforcementPercentage": 100,
                "successRateEjection.minimumHosts": 5,
                "successRateEjection.requestVolume": 100,
                "failurePercentageEjection": 0,
                "failurePercentageEjection.threshold": 85,
                "failurePercentageEjection.enforcementPercentage": 100,
                "failurePercentageEjection.minimumHosts": 5,
                "failurePercentageEjection.requestVolume": 50,
            },
        ),
    ],
)
def test_who_is_told_nothing_does_as_the_grfc_says(policy, usual):
    assert _core.PolicyConfig(policy).fields == usual
