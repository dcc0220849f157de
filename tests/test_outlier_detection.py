"""outlier_detection on the bench and in the sim (gRFC A50): who is ejected, and for how long."""

from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import greetlab as gl
from greetlab import _core
from greetlab.trace.trace import Trace

SECOND = 10**9
FIVE = "abcde"
TEN = "abcdefghij"


def config(child="round_robin", **fields):
    """With failurePercentageEjection where nothing else is said; `x__y` is `x.y`."""
    told = {name.replace("__", "."): value for name, value in fields.items()}
    if not any(name.startswith(("successRate", "failurePercentage")) for name in told):
        told["failurePercentageEjection"] = 1
    return _core.PolicyConfig("outlier_detection_experimental", told, _core.PolicyConfig(child))


def connected(policy, names, **options):
    bench = _core.PolicyBench(policy, **options)
    bench.update(list(names))
    for name in bench.connecting():
        bench.ready(name)
    return bench


def interval(bench, failing, calls=100, names=FIVE, seconds=10):
    """An interval's calls: of each endpoint this many, and of `failing` such a share (%) fails."""
    left = {name: calls for name in names if name in bench.picks(2 * len(names))}
    taken = dict.fromkeys(left, 2)
    while any(count > 0 for count in left.values()):
        for name in bench.picks(len(left)):
            taken[name] = taken.get(name, 0) + 1
            left[name] -= 1
    for name, count in taken.items():
        bad = round(count * failing.get(name, 0) / 100)
        for i in range(count):
            bench.done(name, "UNAVAILABLE" if i < bad else "OK")
    bench.run(seconds)


def used(bench):
    return set(bench.picks(60))


def told(bench, kind):
    return Trace(bench.trace()).of(kind)


# Failure percentage.


def test_an_endpoint_whose_calls_fail_is_ejected_at_the_end_of_the_interval():
    bench = connected(config(), FIVE)
    interval(bench, {"c": 100}, seconds=9.9)
    assert used(bench) == set(FIVE)
    bench.run(0.2)
    assert used(bench) == set("abde")
    assert bench.state == "READY"
    assert bench.subchannels["c"] == "READY"  # the connection is kept


def test_the_fact_has_the_figures_and_its_sentence_says_them():
    bench = connected(config(), FIVE)
    interval(bench, {"c": 90})
    (fact,) = told(bench, "EndpointEjected")
    assert (fact.endpoint, fact.algorithm, fact.calls, fact.times) == (
        "c:1", "failure_percentage", 102, 1,
    )  # fmt: skip
    assert fact.failed == 92
    assert fact.least == 150_000
    assert str(fact).endswith(
        "c:1 is an outlier, and gets no calls for a while: 92 of 102 calls failed, where no more "
        "than 85 % may"
    )


@pytest.mark.parametrize(("failing", "ejected"), [(85, False), (87, True)])
def test_it_has_to_fail_more_often_than_the_threshold(failing, ejected):
    bench = connected(config(), FIVE)
    interval(bench, {"c": failing}, calls=98)  # of 100
    assert ("c" not in used(bench)) == ejected


@pytest.mark.parametrize(("calls", "ejected"), [(47, False), (48, True)])
def test_it_is_judged_by_enough_calls_only(calls, ejected):
    bench = connected(config(), FIVE)
    interval(bench, {"c": 100}, calls=calls)  # and 2 more
    assert ("c" not in used(bench)) == ejected


def test_four_endpoints_are_too_few_to_judge():
    bench = connected(config(), "abcd")
    interval(bench, {"c": 100}, names="abcd")
    assert used(bench) == set("abcd")


def test_each_interval_is_judged_by_its_own_calls():
    bench = connected(config(), FIVE)
    for _ in range(4):
        interval(bench, {"c": 100}, calls=30)
    assert used(bench) == set(FIVE)


def test_an_enforcement_of_0_ejects_nobody_and_one_of_50_half_the_time():
    def ejected(percentage, seed):
        bench = connected(
            config(
                failurePercentageEjection=1,
                failurePercentageEjection__enforcementPercentage=percentage,
            ),
            FIVE,
            seed=seed,
        )
        interval(bench, {"c": 100})
        return "c" not in used(bench)

    assert not any(ejected(0, seed) for seed in range(20))
    assert 15 <= sum(ejected(50, seed) for seed in range(60)) <= 45


def test_a_call_that_never_left_says_nothing_of_the_endpoint():
    few = {"failurePercentageEjection": 1, "failurePercentageEjection__minimumHosts": 1}
    bench = connected(config(maxEjectionPercent=100, **few), FIVE)
    for name in bench.picks(500):
        bench.done(name, "UNAVAILABLE", unsent=name == "c")
    bench.run(10)
    assert used(bench) == {"c"}


# Success rate.


def by_success_rate(**fields):
    return config(successRateEjection=1, **fields)


def test_one_that_fails_more_than_the_others_is_an_outlier():
    bench = connected(by_success_rate(), TEN)
    interval(bench, {"c": 40}, names=TEN)
    assert used(bench) == set(TEN) - {"c"}
    (fact,) = told(bench, "EndpointEjected")
    assert fact.algorithm == "success_rate"
    # The mean is about 96 %, the deviation 12 %: 96 % - 1.9 * 12 %.
    assert fact.least == pytest.approx(732_000, abs=10_000)
    assert "going by how the others do" in str(fact)


def test_where_all_fail_alike_nobody_is_an_outlier():
    bench = connected(by_success_rate(), TEN)
    interval(bench, dict.fromkeys(TEN, 60), names=TEN)
    interval(bench, {}, names=TEN)
    assert used(bench) == set(TEN)


def test_the_factor_says_how_far_off_is_too_far():
    def ejected(factor):
        bench = connected(by_success_rate(successRateEjection__stdevFactor=factor), TEN)
        interval(bench, {"c": 40}, names=TEN)
        return "c" not in used(bench)

    assert ejected(2900)
    assert not ejected(3100)  # one of ten is 3 deviations off, however bad it is


@pytest.mark.parametrize(("calls", "ejected"), [(97, False), (98, True)])
def test_the_success_rate_needs_its_calls_too(calls, ejected):
    bench = connected(by_success_rate(), TEN)
    interval(bench, {"c": 100}, calls=calls, names=TEN)
    assert ("c" not in used(bench)) == ejected


def test_a_volume_of_one_judges_by_one_call():
    bench = connected(by_success_rate(successRateEjection__requestVolume=1), TEN)
    for name in bench.picks(10):
        bench.done(name, "UNAVAILABLE" if name == "c" else "OK")
    bench.run(10)
    assert used(bench) == set(TEN) - {"c"}


# How many, and for how long.


def test_no_more_than_their_share_are_ejected_and_one_at_least():
    bench = connected(config(), TEN)
    interval(bench, dict.fromkeys("abc", 100), names=TEN)
    assert len(told(bench, "EndpointEjected")) == 1  # 10 % of 10
    bench = connected(config(), FIVE)
    interval(bench, dict.fromkeys("abc", 100))
    assert len(told(bench, "EndpointEjected")) == 1  # of 5: less than one
    bench = connected(config(maxEjectionPercent=0), FIVE)
    interval(bench, dict.fromkeys("abc", 100))
    assert len(told(bench, "EndpointEjected")) == 1
    bench = connected(config(maxEjectionPercent=30), TEN)
    interval(bench, dict.fromkeys("abcde", 100), names=TEN)
    assert len(told(bench, "EndpointEjected")) == 3


def test_it_is_back_after_its_time_and_the_next_time_is_longer():
    bench = connected(config(), FIVE)
    interval(bench, {"c": 100})
    bench.run(29)
    assert used(bench) == set("abde")
    bench.run(1)
    assert used(bench) == set(FIVE)
    (back,) = told(bench, "EndpointReturned")
    assert back.ejected == 30 * SECOND
    assert back.cause.kind == "EndpointEjected"
    assert "gets calls again after 30s" in str(back)

    interval(bench, {"c": 100})
    assert told(bench, "EndpointEjected").last().times == 2
    bench.run(59)
    assert used(bench) == set("abde")
    bench.run(1)
    assert used(bench) == set(FIVE)


def test_every_good_interval_takes_one_from_its_time():
    bench = connected(config(), FIVE)
    interval(bench, {"c": 100})
    bench.run(30)
    bench.run(10)  # one without trouble
    interval(bench, {"c": 100})
    assert [fact.times for fact in told(bench, "EndpointEjected")] == [1, 1]


def test_the_time_has_a_bound():
    bench = connected(config(maxEjectionTime=50 * SECOND), FIVE)
    for length in (30, 50, 50):
        interval(bench, {"c": 100})
        bench.run(length)
    lengths = [fact.ejected // SECOND for fact in told(bench, "EndpointReturned")]
    assert lengths == [30, 50, 50]
    # Less than the base time is no bound.
    bench = connected(config(maxEjectionTime=10 * SECOND), FIVE)
    interval(bench, {"c": 100})
    bench.run(29)
    assert used(bench) == set("abde")


# What the child sees.


def test_without_an_algorithm_nobody_is_ejected_and_no_call_is_tracked():
    bench = connected(config(successRateEjection=0), FIVE)
    bench.picks(100)
    with pytest.raises(ValueError, match="tracked"):
        bench.done("a")
    assert not bench.step()  # there is no timer either


def test_an_ejected_endpoint_that_is_lost_is_dialled_when_it_is_back():
    bench = connected(config(), FIVE)
    interval(bench, {"c": 100})
    bench.lose("c")
    assert bench.connecting() == []
    bench.run(30)
    assert bench.connecting() == ["c"]
    bench.ready("c")
    assert used(bench) == set(FIVE)


def test_a_new_list_keeps_who_is_ejected_and_forgets_who_is_gone():
    bench = connected(config(), FIVE)
    interval(bench, {"c": 100})
    bench.update(list("abcdef"))
    bench.ready("f")
    assert used(bench) == set("abdef")
    bench.update(list("abdef"))
    bench.update(list("abcdef"))
    bench.ready("c")
    assert used(bench) == set("abcdef")


def test_when_the_only_one_is_ejected_calls_fail_and_say_so():
    bench = connected(config(failurePercentageEjection__minimumHosts=1,
                             failurePercentageEjection=1), "a")  # fmt: skip
    interval(bench, {"a": 100}, names="a")
    assert bench.state == "TRANSIENT_FAILURE"
    assert "ejected by outlier detection" in bench.failure
    bench.run(30)
    assert bench.state == "READY"


def test_a_child_that_tracks_its_calls_goes_on_doing_so():
    bench = connected(config("least_request"), FIVE, seed=3)
    for name in bench.picks(1000):
        bench.done(name, "UNAVAILABLE" if name == "c" else "OK")
    bench.run(10)
    assert used(bench) == set("abde")


@pytest.mark.parametrize("child", ["round_robin", "least_request"])
def test_calls_count_for_the_endpoint_that_the_address_is_of_now(child):
    bench = _core.PolicyBench(config(child))
    bench.update(["a+b", "c", "d", "e", "f"])
    for name in "acdef":
        bench.ready(name)
    for name in bench.picks(50):
        bench.done(name, "OK")
    bench.update(list("abcdef"))
    bench.ready("b")
    for name in bench.picks(900):
        bench.done(name, "UNAVAILABLE" if name == "a" else "OK")
    bench.run(10)
    assert used(bench) == set("bcdef")


def test_an_endpoint_of_two_addresses_is_ejected_as_one():
    bench = _core.PolicyBench(config())
    bench.update(["a+b", "c", "d", "e", "f"])
    for name in "acdef":
        bench.ready(name)
    for name in bench.picks(500):
        bench.done(name, "UNAVAILABLE" if name == "a" else "OK")
    bench.run(10)
    assert used(bench) == set("cdef")
    assert told(bench, "EndpointEjected").last().endpoint == "a:1,b:1"
    bench.run(30)
    assert used(bench) == set("acdef")


def test_pick_first_is_left_alone():
    bench = connected(config("pick_first"), "a")
    bench.picks(100)
    with pytest.raises(ValueError, match="tracked"):
        bench.done("a")


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(1, 12),
    percent=st.integers(0, 100),
    rates=st.lists(st.lists(st.integers(0, 100), min_size=12, max_size=12), min_size=1, max_size=4),
    both=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_it_never_ejects_more_than_its_share(size, percent, rates, both, seed):
    names = [f"10.0.0.{i}:1" for i in range(size)]
    bench = connected(
        config(
            maxEjectionPercent=percent,
            failurePercentageEjection=1,
            failurePercentageEjection__threshold=30,
            failurePercentageEjection__minimumHosts=1,
            failurePercentageEjection__requestVolume=1,
            successRateEjection=int(both),
            successRateEjection__stdevFactor=500,
            successRateEjection__minimumHosts=1,
            successRateEjection__requestVolume=1,
        ),
        names,
        seed=seed,
    )
    for row in rates:
        for i, name in enumerate(bench.picks(4 * size)):
            if name in names:
                failed = (i * 37 + seed) % 100 < row[names.index(name)]
                bench.done(name, "UNKNOWN" if failed else "OK")
        bench.run(10)
        ejected = len(told(bench, "EndpointEjected")) - len(told(bench, "EndpointReturned"))
        assert ejected <= max(1, ceil(percent * size / 100))


def test_in_the_sim_a_failing_pod_is_put_out_and_comes_back():
    cluster = gl.Cluster.sim(pods=5, seed=1)
    policy = {"outlier_detection_experimental": {
        "interval": "10s", "failurePercentageEjection": {},
        "childPolicy": [{"round_robin": {}}],
    }}  # fmt: skip
    channel = cluster.channel("greetserver-headless", policy=policy).wait_ready(all=True)
    cluster.fail("pod-2", 1.0)
    assert channel.greet(times=500).by_status["UNAVAILABLE"] == 100
    cluster.run(10)
    assert channel.greet(times=500).ok == 500
    cluster.fail("pod-2", 0.0)
    cluster.run(30)
    assert channel.greet(times=500).by_pod["pod-2"] == 100
    assert channel.trace.last("EndpointReturned").why()
