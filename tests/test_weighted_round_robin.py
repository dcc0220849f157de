"""weighted_round_robin on the bench (gRFC A58): weights from load reports, and whose turn it is."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greetlab import _core
from greetlab.trace.trace import Trace

SECOND = 10**9


def config(**fields):
    return _core.PolicyConfig("weighted_round_robin", fields)


def connected(names, *, seed=1, **fields):
    bench = _core.PolicyBench(config(**fields), seed=seed)
    bench.update(list(names))
    for name in bench.connecting():
        bench.ready(name)
    return bench


def load(qps, utilization, eps=0.0):
    return {"rps": qps, "eps": eps, "cpu_utilization": utilization}


def report(bench, loads):
    """One call of each endpoint ends with its report; of the others no call ends."""
    waiting = dict(loads)
    while waiting:
        for name in bench.picks(len(loads) * 2):
            if name in waiting:
                bench.done(name, load=waiting.pop(name))


def weighed(bench, loads, seconds=11):
    """They report for longer than the blackout, and the weights are calculated again."""
    report(bench, loads)
    for _ in range(seconds):
        bench.run(1)
        report(bench, loads)
    bench.run(1)


def shares(bench, picks=10_000):
    return {name: count / picks for name, count in Counter(bench.picks(picks)).items()}


def told(bench, kind="WeightChanged"):
    return Trace(bench.trace()).of(kind)


def test_without_reports_it_takes_turns():
    bench = connected("abc")
    turns = bench.picks(3)
    assert "".join(turns) in {"abc", "bca", "cab"}
    assert bench.picks(30) == turns * 10
    assert not len(told(bench))


def test_who_does_more_for_its_load_has_more_of_the_calls():
    bench = connected("abc")
    weighed(bench, {"a": load(100, 1.0), "b": load(100, 0.5), "c": load(100, 0.25)})
    assert shares(bench) == pytest.approx({"a": 1 / 7, "b": 2 / 7, "c": 4 / 7}, abs=0.002)


def test_the_facts_explain_the_shares():
    bench = connected("abc")
    weighed(bench, {"a": load(100, 1.0), "b": load(100, 0.5), "c": load(100, 0.25)})
    assert [(fact.share, fact.reported) for fact in told(bench)] == [
        (143, True), (286, True), (571, True),
    ]  # fmt: skip
    assert str(told(bench).last()).endswith(
        "c:1 gets 57.1 % of the calls from now on, by the load that it reports"
    )
    weighed(bench, {"a": load(100, 1.0), "b": load(100, 0.5), "c": load(100, 0.25)})
    assert len(told(bench)) == 3  # nothing has changed


def test_the_applications_own_measure_stands_before_the_cpus():
    bench = connected("ab")
    weighed(
        bench,
        {"a": load(100, 0.9) | {"application_utilization": 0.1}, "b": load(100, 0.3)},
    )
    assert shares(bench) == pytest.approx({"a": 0.75, "b": 0.25}, abs=0.002)


@pytest.mark.parametrize(("penalty", "share"), [(1_000_000, 1 / 3), (0, 1 / 2), (3_000_000, 1 / 5)])
def test_errors_cost_weight(penalty, share):
    bench = connected("ab", errorUtilizationPenalty=penalty)
    # 0.5, and 50 of 100 fail: 0.5 + 0.5 * penalty.
    weighed(bench, {"a": load(100, 0.5, eps=50), "b": load(100, 0.5)})
    assert shares(bench)["a"] == pytest.approx(share, abs=0.002)


def test_a_report_without_a_rate_or_a_load_is_none():
    bench = connected("ab")
    weighed(bench, {"a": load(0, 0.5), "b": load(100, 0)})
    weighed(bench, {"a": load(100, -1), "b": load(float("nan"), 1)})
    assert not len(told(bench))


def test_one_that_is_not_known_has_the_mean_and_two_must_be():
    bench = connected("abc")
    weighed(bench, {"a": load(100, 1.0)})
    assert shares(bench) == pytest.approx(dict.fromkeys("abc", 1 / 3), abs=0.001)
    weighed(bench, {"a": load(100, 1.0), "b": load(100, 0.2)})  # 100, 500, and so 300
    assert shares(bench) == pytest.approx({"a": 1 / 9, "b": 5 / 9, "c": 3 / 9}, abs=0.002)
    assert "of its own load not enough is known" in str(told(bench).last())


def test_a_weight_counts_after_the_blackout_only():
    bench = connected("ab")
    report(bench, {"a": load(100, 1.0), "b": load(100, 0.5)})
    bench.run(9.9)
    assert shares(bench)["a"] == pytest.approx(0.5, abs=0.001)
    bench.run(1.1)
    assert shares(bench)["a"] == pytest.approx(1 / 3, abs=0.002)
    fast = connected("ab", blackoutPeriod=0)
    report(fast, {"a": load(100, 1.0), "b": load(100, 0.5)})
    fast.run(1)
    assert shares(fast)["a"] == pytest.approx(1 / 3, abs=0.002)


def test_a_weight_expires_and_the_blackout_is_due_again():
    bench = connected("ab", weightExpirationPeriod=20 * SECOND)
    loads = {"a": load(100, 1.0), "b": load(100, 0.5)}
    weighed(bench, loads)
    bench.run(18)
    assert shares(bench)["a"] == pytest.approx(1 / 3, abs=0.002)
    bench.run(3)
    assert shares(bench)["a"] == pytest.approx(0.5, abs=0.001)
    assert [fact.reported for fact in told(bench)][-2:] == [False, False]
    report(bench, loads)
    bench.run(2)
    assert shares(bench)["a"] == pytest.approx(0.5, abs=0.001)
    weighed(bench, loads)
    assert shares(bench)["a"] == pytest.approx(1 / 3, abs=0.002)


def test_a_connection_that_was_lost_and_is_back_is_not_known_for_a_while():
    bench = connected("abc")
    loads = {"a": load(100, 1.0), "b": load(100, 0.5), "c": load(100, 0.1)}
    weighed(bench, loads)
    bench.lose("c")
    bench.ready("c")
    assert shares(bench)["c"] == pytest.approx(1 / 3, abs=0.002)  # 150 of 100, 200 and that
    weighed(bench, loads)
    assert shares(bench)["c"] == pytest.approx(10 / 13, abs=0.002)


def test_all_that_were_lost_together_are_not_known_either():
    bench = connected("ab")
    loads = {"a": load(100, 1.0), "b": load(100, 0.5)}
    weighed(bench, loads)
    for name in "ab":
        bench.lose(name)
    for name in "ab":
        bench.ready(name)
    assert shares(bench)["a"] == pytest.approx(0.5, abs=0.001)


def test_a_new_list_keeps_the_weights():
    bench = connected("ab")
    weighed(bench, {"a": load(100, 1.0), "b": load(100, 0.5)})
    bench.update(["a", "b", "c"])
    bench.ready("c")
    assert shares(bench) == pytest.approx({"a": 2 / 9, "b": 4 / 9, "c": 3 / 9}, abs=0.002)


def test_weights_are_calculated_every_so_often_and_at_least_100_ms_apart():
    def changed_after(**fields):
        bench = connected("ab", blackoutPeriod=0, **fields)
        bench.run(0.01)
        report(bench, {"a": load(100, 1.0), "b": load(100, 0.5)})
        while not len(told(bench)):
            assert bench.step()
        return bench.now

    assert changed_after() == pytest.approx(1)
    assert changed_after(weightUpdatePeriod=5 * SECOND) == pytest.approx(5)
    assert changed_after(weightUpdatePeriod=1) == pytest.approx(0.1)


def test_no_one_has_more_than_ten_times_the_mean_or_less_than_a_hundredth():
    names = [f"10.0.0.{i}:1" for i in range(40)]
    bench = connected(names)
    weighed(bench, {name: load(100, 0.001 if name == names[7] else 1.0) for name in names})
    # 100,000 and 39 of 100: the mean is 2,597.5. 25,975, and each of the others 100.
    assert shares(bench)[names[7]] == pytest.approx(25975 / (25975 + 39 * 100), abs=0.01)
    bench = connected("abc")
    weighed(bench, {"a": load(100, 1.0), "b": load(100, 1.0), "c": load(1, 1000.0)})
    assert shares(bench)["c"] == pytest.approx(0.00666 / 2, abs=0.0005)


def static_stride(weights):
    """All turns of gRFC A58's scheduler before it begins anew (static_stride_scheduler.cc)."""
    most = 65535
    return "".join(
        "abcdefgh"[place]
        for turn in range(most)
        for place, weight in enumerate(weights)
        if (weight * turn + place * (most // 2)) % most >= most - weight
    )


@pytest.mark.parametrize("rates", [(80, 100), (100, 37, 73), (100, 25, 50)])
def test_the_turns_are_the_static_strides(rates):
    names = "abc"[: len(rates)]
    bench = connected(names)
    weighed(bench, {name: load(rate, 1) for name, rate in zip(names, rates, strict=True)})
    turns = static_stride([round(rate * 65535 / max(rates)) for rate in rates])
    assert "".join(bench.picks(len(turns))) in turns * 2  # it begins anywhere


def test_equal_neighbours_do_not_stand_back_together():
    bench = connected("abcd")
    weighed(bench, {"a": load(80, 1), "b": load(80, 1), "c": load(80, 1), "d": load(100, 1)})
    picks = bench.picks(2000)
    gaps = [picks[i : i + 8].count("d") for i in range(len(picks) - 8)]
    assert max(gaps) <= 3  # of 8 it has 2.35: nowhere is it on its own


def test_an_address_that_is_listed_twice_has_one_share():
    bench = connected(["a", "a", "b"])
    assert shares(bench, 100) == {"a": 0.5, "b": 0.5}


def test_out_of_band_a_stream_tells_and_calls_do_not():
    bench = connected("ab", enableOobLoadReport=1, oobReportingPeriod=5 * SECOND)
    assert bench.streams == ["a: load every 5s", "b: load every 5s"]
    bench.picks(10)
    with pytest.raises(ValueError, match="tracked"):
        bench.done("a")
    for _ in range(12):
        bench.load("a", load(100, 1.0))
        bench.load("b", load(100, 0.5))
        bench.run(1)
    assert shares(bench)["a"] == pytest.approx(1 / 3, abs=0.002)


def test_the_stream_is_opened_again_with_the_connection():
    bench = connected("ab", enableOobLoadReport=1)
    bench.lose("a")
    with pytest.raises(ValueError, match="connected"):
        bench.load("a", load(1, 1))
    bench.ready("a")
    assert bench.streams.count("a: load every 10s") == 2
    bench.load("a", load(1, 1))
    bench.update(["a", "b", "c"])  # the same connection, and the same stream
    assert bench.streams.count("a: load every 10s") == 2


@settings(max_examples=25, deadline=None)
@given(
    weights=st.lists(st.floats(10, 100), min_size=2, max_size=20),
    seed=st.integers(0, 2**32),
)
def test_after_10_000_picks_every_share_is_within_2_percent_of_its_weight(weights, seed):
    names = [f"10.0.0.{i}:1" for i in range(len(weights))]
    bench = connected(names, seed=seed, blackoutPeriod=0)
    report(bench, {name: load(w, 1.0) for name, w in zip(names, weights, strict=True)})
    bench.run(1)
    counts = Counter(bench.picks(10_000))
    for name, weight in zip(names, weights, strict=True):
        target = 10_000 * weight / sum(weights)
        # Within 2 %, or one call: of the smallest share there are some 50.
        assert abs(counts[name] - target) <= max(0.02 * target, 1)
