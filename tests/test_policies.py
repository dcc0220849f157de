"""The policies on the bench, scenario by scenario: gRPC's rules, held.

You are the resolver, the network and the clock (`_core.PolicyBench`). Each test is a story: what is
done, and what the policy makes of it. The scenarios follow gRPC's own `round_robin_test.cc` and
`pick_first_test.cc`, and the rules are those of `round_robin.cc`, `pick_first.cc`, gRFC A61 and A62
and `connection-backoff.md`. When one fails, pytest shows the steps and the trace under it.
"""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from greetlab import _core
from greetlab.trace.trace import Trace

REFUSED = "Connection refused"
SHUFFLED = _core.PolicyConfig("pick_first", {"shuffleAddressList": 1})


@pytest.fixture
def bench():
    """Makes benches; the last one's story is told, which pytest shows if the test has failed."""
    made = []

    def make(*args, **options):
        made.append(_core.PolicyBench(*args, **options))
        return made[-1]

    yield make
    if made:
        print(story(made[-1]))


@pytest.fixture
def rr(bench):
    return bench("round_robin", seed=7)


@pytest.fixture
def pf(bench):
    return bench("pick_first", seed=7)


def story(bench):
    events = (f"{event!r} <- {event.cause and event.cause.id}" for event in trace(bench))
    return "The steps:\n" + bench.script() + "The trace:\n" + "\n".join(events)


def trace(bench):
    return Trace(bench.trace())


def connect(bench, *addresses):
    """The resolver finds these, and all of them answer."""
    assert bench.update(list(addresses))
    for address in addresses:
        bench.ready(address)


def fail_all(bench, *addresses):
    for address in addresses:
        bench.fail(address)


def dialled(bench):
    return [address for _, address in bench.dials]


def swaps(bench):
    return trace(bench).of("ListSwapped")


def next_dial(bench):
    """Lets time pass until there is another attempt. Returns when that is."""
    before = len(bench.dials)
    while len(bench.dials) == before:
        assert bench.step()
    return bench.now


# --- round_robin: startup ------------------------------------------------------------------------


def test_round_robin_connects_to_every_address_at_once(rr):
    assert rr.update(["a", "b", "c"])
    assert rr.dials == [(0, "a"), (0, "b"), (0, "c")]
    assert rr.connecting() == ["a", "b", "c"]
    assert rr.state == "CONNECTING"


def test_calls_wait_until_the_first_is_ready_and_then_go_there(rr):
    assert rr.picks(1) == ["wait"]  # before there is any address
    rr.update(["a", "b", "c"])
    assert rr.picks(2) == ["wait", "wait"]
    rr.ready("b")
    assert rr.state == "READY"
    assert rr.picks(3) == ["b", "b", "b"]


def test_each_address_joins_the_turns_as_it_becomes_ready(rr):
    rr.update(["a", "b", "c"])
    for ready, turns in [("b", {"b"}), ("c", {"b", "c"}), ("a", {"a", "b", "c"})]:
        rr.ready(ready)
        assert set(rr.picks(6)) == turns


def test_a_failed_address_does_not_keep_the_others_waiting(rr):
    rr.update(["a", "b"])
    rr.fail("a")
    assert rr.state == "CONNECTING"  # b may still come
    assert rr.picks(1) == ["wait"]
    rr.ready("b")
    assert rr.state == "READY"
    assert rr.picks(2) == ["b", "b"]


# --- round_robin: turns --------------------------------------------------------------------------


def test_picks_go_in_the_order_of_the_list(rr):
    connect(rr, "a", "b", "c")
    turns = rr.picks(3)
    assert "".join(turns) in {"abc", "bca", "cab"}
    assert rr.picks(9) == turns * 3


def test_the_order_is_the_lists_and_not_that_of_becoming_ready(rr):
    rr.update(["a", "b", "c"])
    for address in "cab":
        rr.ready(address)
    assert "".join(rr.picks(3)) in {"abc", "bca", "cab"}


def test_a_picker_starts_at_random(bench):
    def start(seed):
        fresh = bench("round_robin", seed=seed)
        connect(fresh, "a", "b", "c")
        return fresh.picks(1)[0]

    starts = Counter(start(seed) for seed in range(300))
    assert set(starts) == {"a", "b", "c"}
    assert min(starts.values()) > 60  # 100 each, give or take five standard deviations
    assert [start(seed) for seed in range(20)] == [start(seed) for seed in range(20)]


def test_each_new_picker_starts_at_random_again(rr):
    connect(rr, "a", "b", "c")
    starts = Counter()
    for _ in range(300):
        rr.lose("c")
        rr.ready("c")
        starts.update(rr.picks(1))
    assert set(starts) == {"a", "b", "c"}
    assert min(starts.values()) > 60


def test_a_picker_stays_as_long_as_nothing_changes(rr):
    connect(rr, "a", "b")
    before = rr.pickers
    rr.run(3600)
    rr.picks(100)
    assert rr.pickers == before
    assert rr.reresolutions == 0


def test_an_address_that_is_listed_twice_is_one_connection_and_two_turns(rr):
    rr.update(["a", "a", "b"])
    assert dialled(rr) == ["a", "b"]
    rr.ready("a")
    rr.ready("b")
    assert Counter(rr.picks(9)) == {"a": 6, "b": 3}
    rr.lose("a")
    assert rr.connecting() == ["a"]
    assert rr.picks(2) == ["b", "b"]
    rr.ready("a")
    assert Counter(rr.picks(9)) == {"a": 6, "b": 3}


# --- round_robin: losses and failures ------------------------------------------------------------


def test_when_one_is_lost_the_others_go_on_and_it_is_dialled_again_at_once(rr):
    connect(rr, "a", "b", "c")
    rr.run(100)
    rr.lose("b")
    assert rr.state == "READY"
    assert set(rr.picks(6)) == {"a", "c"}
    assert rr.reresolutions == 1
    assert rr.dials[-1] == (100, "b")
    rr.ready("b")
    assert set(rr.picks(6)) == {"a", "b", "c"}


def test_when_the_only_one_is_lost_calls_wait(rr):
    connect(rr, "a")
    rr.lose("a")
    assert rr.state == "CONNECTING"  # round_robin never is IDLE
    assert rr.picks(1) == ["wait"]
    assert rr.connecting() == ["a"]


def test_when_all_have_failed_calls_fail_with_the_last_error(rr):
    rr.update(["a", "b"])
    rr.fail("a", REFUSED)
    rr.fail("b", "No route to host")
    assert rr.state == "TRANSIENT_FAILURE"
    assert rr.failure == "connections to all backends failing; last error: No route to host"
    assert rr.picks(1) == ["fail: " + rr.failure]


def test_the_last_error_is_the_latest_one(rr):
    rr.update(["a", "b"])
    fail_all(rr, "a", "b")
    rr.run(2)
    rr.fail("a", "Connection timed out")
    assert rr.state == "TRANSIENT_FAILURE"
    assert rr.failure == "connections to all backends failing; last error: Connection timed out"


def test_transient_failure_is_sticky_until_one_is_ready(rr):
    rr.update(["a", "b"])
    fail_all(rr, "a", "b")
    for _ in range(5):
        rr.run(130)  # longer than any backoff
        assert rr.connecting() in (["a", "b"], ["b", "a"])
        assert rr.state == "TRANSIENT_FAILURE"  # an attempt is no reason to wait
        assert rr.picks(1)[0].startswith("fail: ")
        fail_all(rr, "a", "b")
    rr.run(130)
    rr.ready("b")
    assert rr.state == "READY"
    assert rr.picks(2) == ["b", "b"]


def test_one_address_is_sticky_too_while_another_connects(rr):
    rr.update(["a", "b"])
    rr.fail("a")
    rr.run(1.3)
    assert rr.connecting() == ["b", "a"]
    rr.fail("b")  # a is on its second attempt, and counts as failed nevertheless
    assert rr.state == "TRANSIENT_FAILURE"


def test_a_lost_address_is_connecting_and_no_failure_until_it_fails(rr):
    connect(rr, "a")
    rr.lose("a")
    assert rr.state == "CONNECTING"
    rr.fail("a")
    assert rr.state == "TRANSIENT_FAILURE"
    rr.run(2)
    rr.ready("a")
    rr.lose("a")  # READY has ended the stickiness
    assert rr.state == "CONNECTING"


def test_it_asks_for_newer_addresses_at_a_failure_and_when_a_backoff_ends(rr):
    rr.update(["a"])
    assert rr.reresolutions == 0
    rr.fail("a")
    assert rr.reresolutions == 1  # TRANSIENT_FAILURE
    rr.run(2)
    assert rr.reresolutions == 2  # IDLE


def test_the_first_report_of_a_new_list_asks_for_nothing(rr):
    rr.update(["a", "b"])
    fail_all(rr, "a", "b")
    asked = rr.reresolutions
    assert rr.update(["a", "b"])  # both are in TRANSIENT_FAILURE as it comes
    assert rr.update(["b", "c"])
    assert rr.reresolutions == asked  # else it would never end


# --- Backoff -------------------------------------------------------------------------------------


def test_backoff_is_1_s_and_1_6_times_more_each_time_up_to_120_s(rr):
    rr.update(["a"])
    starts = [0.0]
    for _ in range(16):
        rr.fail("a")
        starts.append(next_dial(rr))
    waits = [later - start for start, later in pairwise(starts)]
    nominal = [min(120, 1.6**n) for n in range(len(waits))]
    assert waits == [pytest.approx(wait, rel=0.2) for wait in nominal]
    assert nominal[-1] == 120
    factors = [wait / length for wait, length in zip(waits, nominal, strict=True)]
    assert max(factors) - min(factors) > 0.1  # jitter: no two clients come back together


def test_every_backoff_is_jittered_over_20_percent(bench):
    waits = []
    for seed in range(300):
        fresh = bench("round_robin", seed=seed)
        fresh.update(["a"])
        fresh.fail("a")
        waits.append(next_dial(fresh))
    assert 0.8 <= min(waits) < 0.82
    assert 1.18 < max(waits) <= 1.2
    assert sum(waits) / len(waits) == pytest.approx(1, abs=0.03)


def test_backoff_counts_from_the_start_of_an_attempt(rr):
    rr.update(["a"])
    rr.run(0.5)
    rr.fail("a")
    assert 0.8 <= next_dial(rr) <= 1.2


def test_a_slow_failure_is_not_made_to_wait_twice(rr):
    rr.update(["a"])
    rr.run(30)  # far longer than the first backoff
    rr.fail("a")
    assert rr.state == "TRANSIENT_FAILURE"
    rr.run(0)
    assert rr.dials[-1] == (30, "a")


def test_a_connection_resets_the_backoff(rr):
    rr.update(["a"])
    for _ in range(6):
        rr.fail("a")
        next_dial(rr)
    rr.ready("a")
    rr.run(50)
    rr.lose("a")
    assert rr.dials[-1] == (rr.now, "a")  # no wait after a loss
    lost = rr.now
    rr.fail("a")
    assert 0.8 <= next_dial(rr) - lost <= 1.2


def test_each_address_has_its_own_backoff(rr):
    rr.update(["a", "b"])
    for _ in range(8):
        rr.fail("a")
        while "a" not in rr.connecting():
            rr.step()
    start = rr.now
    rr.fail("b")  # its first failure, and an old attempt: it is due
    rr.run(0)
    assert rr.dials[-1] == (start, "b")


# --- round_robin: a new list ---------------------------------------------------------------------


def test_a_new_list_waits_while_the_old_one_works(rr):
    connect(rr, "a", "b")
    assert rr.update(["c", "d"])
    assert rr.connecting() == ["c", "d"]
    assert rr.state == "READY"
    assert set(rr.picks(4)) == {"a", "b"}
    rr.fail("c")
    assert set(rr.picks(4)) == {"a", "b"}
    assert rr.subchannels["a"] == rr.subchannels["b"] == "READY"
    assert not len(swaps(rr))

    rr.ready("d")  # one is READY, and all have reported
    assert rr.state == "READY"
    assert rr.picks(2) == ["d", "d"]
    assert rr.subchannels == {"c": "TRANSIENT_FAILURE", "d": "READY"}
    assert len(swaps(rr)) == 1


def test_a_new_list_comes_in_at_once_where_the_old_one_is_still_connecting(rr):
    rr.update(["a"])
    rr.update(["b"])
    assert rr.connecting() == ["b"]  # the attempt to a is let go
    assert rr.subchannels == {"b": "CONNECTING"}
    assert rr.state == "CONNECTING"


def test_a_new_list_comes_in_at_once_where_the_old_one_has_failed(rr):
    rr.update(["a"])
    rr.fail("a")
    rr.update(["b"])
    assert rr.subchannels == {"b": "CONNECTING"}
    assert rr.state == "CONNECTING"
    assert rr.picks(1) == ["wait"]


def test_a_pending_list_comes_in_when_the_old_one_has_lost_its_last(rr):
    connect(rr, "a")
    rr.update(["c", "d"])
    rr.lose("a")
    rr.fail("c")  # its next report: the list in use has no READY one
    assert set(rr.subchannels) == {"c", "d"}
    assert rr.state == "CONNECTING"  # d is


def test_a_pending_list_comes_in_at_any_report_even_of_a_failed_address(rr):
    connect(rr, "a")
    rr.update(["c", "d"])  # d hangs
    rr.fail("c")
    rr.lose("a")
    assert set(rr.subchannels) == {"a", "c", "d"}
    rr.run(2)  # c's backoff ends, and c reports that it is IDLE, then CONNECTING
    assert set(rr.subchannels) == {"c", "d"}


def test_a_new_list_that_fails_as_a_whole_comes_in_all_the_same(rr):
    connect(rr, "a")
    rr.update(["c", "d"])
    rr.fail("c")
    assert rr.state == "READY"
    rr.fail("d", "No route to host")
    assert rr.state == "TRANSIENT_FAILURE"  # it is what the control plane has said
    assert rr.failure == "connections to all backends failing; last error: No route to host"
    assert set(rr.subchannels) == {"c", "d"}


def test_a_newer_list_replaces_one_that_is_pending(rr):
    connect(rr, "a")
    rr.update(["b"])
    rr.update(["c"])
    assert rr.connecting() == ["c"]
    assert set(rr.subchannels) == {"a", "c"}
    assert rr.picks(1) == ["a"]
    rr.ready("c")
    assert rr.picks(1) == ["c"]
    assert set(rr.subchannels) == {"c"}


def test_an_address_in_both_lists_keeps_its_connection(rr):
    connect(rr, "a", "b", "c")
    rr.update(["b", "c", "d"])
    assert dialled(rr) == ["a", "b", "c", "d"]  # b and c are not dialled again
    assert set(rr.picks(4)) == {"b", "c"}  # it has READY ones: in at once
    assert set(rr.subchannels) == {"b", "c", "d"}
    rr.ready("d")
    assert "".join(rr.picks(3)) in {"bcd", "cdb", "dbc"}


def test_addresses_come_and_go_as_in_grpcs_own_test(rr):
    connect(rr, "a", "b", "c")
    rr.update(["a", "b"])
    assert set(rr.picks(6)) == {"a", "b"}
    assert set(rr.subchannels) == {"a", "b"}
    rr.update(["b", "c"])
    assert set(rr.picks(6)) == {"b"}
    rr.ready("c")
    assert set(rr.picks(6)) == {"b", "c"}
    assert dialled(rr) == ["a", "b", "c", "c"]


def test_the_same_list_again_changes_nothing_but_the_picker(rr):
    connect(rr, "a", "b")
    rr.update(["a", "b"])
    assert dialled(rr) == ["a", "b"]
    assert rr.state == "READY"
    assert Counter(rr.picks(4)) == {"a": 2, "b": 2}


def test_an_address_keeps_its_backoff_over_a_new_list(rr):
    rr.update(["a"])
    for _ in range(6):
        rr.fail("a")
        next_dial(rr)
    rr.fail("a")
    rr.update(["a", "b"])
    assert rr.connecting() == ["b"]
    rr.run(5)  # a's seventh wait is 1.6**6 = 16.8 s
    assert rr.connecting() == ["b"]


def test_an_error_of_the_resolver_keeps_the_list(rr):
    connect(rr, "a", "b")
    assert not rr.update([], error="no such name (NXDOMAIN)")
    assert rr.state == "READY"
    assert set(rr.picks(4)) == {"a", "b"}


def test_an_error_of_the_resolver_keeps_a_pending_list_too(rr):
    connect(rr, "a")
    rr.update(["b"])
    assert not rr.update([], error="no such name (NXDOMAIN)")
    rr.ready("b")
    assert rr.picks(1) == ["b"]


@pytest.mark.parametrize("policy", ["round_robin", "pick_first"])
def test_an_error_before_any_list_is_what_calls_fail_with(bench, policy):
    fresh = bench(policy)
    assert not fresh.update([], error="no such name (NXDOMAIN)")
    assert fresh.state == "TRANSIENT_FAILURE"
    assert fresh.picks(1) == ["fail: no such name (NXDOMAIN)"]
    connect(fresh, "a")
    assert fresh.picks(1) == ["a"]


@pytest.mark.parametrize("policy", ["round_robin", "pick_first"])
def test_an_empty_list_is_rejected_and_in_force_at_once(bench, policy):
    fresh = bench(policy)
    connect(fresh, "a")
    assert not fresh.update([])
    assert fresh.state == "TRANSIENT_FAILURE"
    assert fresh.failure.startswith("empty address list")
    assert fresh.picks(1) == ["fail: " + fresh.failure]
    assert fresh.subchannels == {}
    connect(fresh, "b")
    assert fresh.picks(1) == ["b"]


def test_an_empty_list_forgets_a_pending_one(rr):
    connect(rr, "a")
    rr.update(["b"])
    rr.update([])
    assert rr.connecting() == []
    assert rr.subchannels == {}


def test_a_call_is_no_news_to_round_robin(rr):
    rr.exit_idle()
    assert rr.dials == []
    connect(rr, "a")
    before = rr.pickers
    rr.exit_idle()
    assert rr.pickers == before


# --- random --------------------------------------------------------------------------------------


def test_random_picks_evenly_but_not_in_turns(bench):
    dice = bench("random", seed=1)
    connect(dice, "a", "b", "c")
    picks = dice.picks(3000)
    assert set(picks) == {"a", "b", "c"}
    assert all(count == pytest.approx(1000, abs=130) for count in Counter(picks).values())
    repeats = sum(one == other for one, other in pairwise(picks))
    assert repeats == pytest.approx(1000, abs=130)  # one in three


def test_random_keeps_its_connections_as_round_robin_does(bench):
    dice = bench("random", seed=1)
    connect(dice, "a", "b", "c")
    dice.lose("b")
    assert dice.connecting() == ["b"]
    assert set(dice.picks(100)) == {"a", "c"}


# --- pick_first: the first round -----------------------------------------------------------------


def test_pick_first_takes_the_first_and_leaves_the_others_alone(pf):
    assert pf.update(["a", "b", "c"])
    assert dialled(pf) == ["a"]
    assert pf.state == "CONNECTING"
    assert pf.picks(1) == ["wait"]
    pf.ready("a")
    assert pf.state == "READY"
    assert pf.picks(3) == ["a", "a", "a"]
    pf.run(100)
    assert dialled(pf) == ["a"]


def test_the_second_is_tried_as_soon_as_the_first_has_failed(pf):
    pf.update(["a", "b", "c"])
    pf.run(0.1)
    pf.fail("a")
    assert pf.dials == [(0, "a"), (0.1, "b")]
    assert pf.state == "CONNECTING"
    pf.ready("b")
    assert pf.picks(2) == ["b", "b"]


def test_happy_eyeballs_tries_the_next_after_250_ms(pf):
    pf.update(["a", "b", "c"])
    pf.run(0.249)
    assert pf.connecting() == ["a"]
    pf.run(10)
    assert pf.dials == [(0, "a"), (0.25, "b"), (0.5, "c")]
    assert pf.connecting() == ["a", "b", "c"]


def test_the_first_ready_one_wins_and_the_others_are_let_go(pf):
    pf.update(["a", "b", "c"])
    pf.run(0.5)
    pf.ready("b")
    assert pf.picks(2) == ["b", "b"]
    assert pf.connecting() == []
    assert pf.subchannels == {"b": "READY"}


def test_a_failure_starts_the_250_ms_anew(pf):
    pf.update(["a", "b", "c", "d"])
    pf.run(0.25)  # a is slow: b as well
    pf.run(0.1)
    pf.fail("b")  # c at once, and d 250 ms after c
    assert pf.dials[-1] == (0.35, "c")
    pf.run(0.249)
    assert pf.connecting() == ["a", "c"]
    pf.run(0.001)
    assert pf.dials[-1] == (0.6, "d")
    pf.ready("a")  # the slow one after all
    assert pf.picks(1) == ["a"]


def test_the_failure_of_an_earlier_address_does_not_hurry_the_next(pf):
    pf.update(["a", "b", "c"])
    pf.run(0.25)
    pf.fail("a")
    assert pf.connecting() == ["b"]
    pf.run(0.25)
    assert pf.connecting() == ["b", "c"]


def test_all_failed_is_after_the_last_one_only(pf):
    pf.update(["a", "b"])
    pf.run(0.25)
    pf.fail("b", "No route to host")
    assert pf.state == "CONNECTING"
    assert pf.reresolutions == 0
    pf.fail("a", REFUSED)
    assert pf.state == "TRANSIENT_FAILURE"
    assert pf.failure == "failed to connect to all addresses; last error: " + REFUSED
    assert pf.picks(1) == ["fail: " + pf.failure]
    assert pf.reresolutions == 1


def test_happy_eyeballs_without_success_goes_on_with_all_at_once(pf):
    pf.update(["a", "b", "c"])
    pf.run(0.25)
    pf.fail("b")
    assert pf.connecting() == ["a", "c"]
    pf.run(2)  # b's backoff ends: IDLE, and not tried again before the round is over
    assert pf.subchannels["b"] == "IDLE"
    pf.fail("c")
    assert pf.state == "CONNECTING"
    pf.fail("a")
    assert (pf.state, pf.reresolutions) == ("TRANSIENT_FAILURE", 1)
    assert pf.connecting() == ["b"]  # it was IDLE; the others wait for their backoff
    pf.run(0)  # which is over, for theirs were slow failures
    assert sorted(pf.connecting()) == ["a", "b", "c"]
    pf.fail("a")
    pf.fail("b")
    assert pf.reresolutions == 1
    pf.fail("c")  # as many failures as addresses: another round, another re-resolution
    assert (pf.state, pf.reresolutions) == ("TRANSIENT_FAILURE", 2)
    pf.run(10)
    pf.ready("b")
    assert pf.picks(2) == ["b", "b"]
    assert pf.connecting() == []


def test_pick_firsts_transient_failure_is_sticky_and_the_attempts_go_on(pf):
    pf.update(["a", "b"])
    fail_all(pf, "a", "b")
    for _ in range(5):
        pf.run(130)
        assert sorted(pf.connecting()) == ["a", "b"]
        assert pf.state == "TRANSIENT_FAILURE"
        assert pf.picks(1)[0].startswith("fail: ")
        fail_all(pf, "a", "b")
    pf.run(130)
    pf.ready("a")
    assert pf.state == "READY"


def test_the_later_rounds_tell_the_latest_error(pf):
    pf.update(["a", "b"])
    fail_all(pf, "a", "b")
    pf.run(2)
    pf.fail("a", "No route to host")
    pf.fail("b", "Connection timed out")
    assert pf.failure == "failed to connect to all addresses; last error: Connection timed out"


def test_an_address_that_pick_first_is_told_twice_is_dialled_once(pf):
    pf.update(["a", "a", "b"])
    assert dialled(pf) == ["a"]
    pf.fail("a")
    assert dialled(pf) == ["a", "b"]
    pf.fail("b")
    assert pf.state == "TRANSIENT_FAILURE"
    pf.run(2)
    pf.ready("a")
    assert pf.picks(1) == ["a"]
    pf.lose("a")
    assert pf.state == "IDLE"


# --- pick_first: a loss --------------------------------------------------------------------------


def test_a_loss_makes_it_idle_and_nothing_happens_until_there_is_a_call(pf):
    connect_first(pf, "a", "b")
    pf.lose("a")
    assert pf.state == "IDLE"
    assert pf.reresolutions == 1
    assert pf.picks(1) == ["wait"]
    pf.run(3600)
    assert dialled(pf) == ["a"]
    pf.exit_idle()
    assert pf.state == "CONNECTING"
    assert pf.dials[-1] == (3600, "a")
    pf.ready("a")
    assert pf.picks(1) == ["a"]


def test_after_idle_it_begins_at_the_first_address_again(pf):
    pf.update(["a", "b"])
    pf.fail("a")
    pf.ready("b")
    pf.run(100)
    pf.lose("b")
    pf.exit_idle()
    assert pf.connecting() == ["a"]


def test_a_new_list_while_idle_does_not_connect(pf):
    connect_first(pf, "a", "b")
    pf.lose("a")
    assert pf.update(["c", "d"])
    pf.run(10)
    assert pf.state == "IDLE"
    assert pf.connecting() == []
    pf.exit_idle()
    assert pf.connecting() == ["c"]  # the newest list


def test_an_empty_list_while_idle_ends_that_and_the_next_list_is_tried(pf):
    connect_first(pf, "a")
    pf.lose("a")
    pf.update([])
    assert pf.state == "TRANSIENT_FAILURE"
    pf.update(["b"])
    assert pf.connecting() == ["b"]


def test_a_call_is_no_news_unless_it_is_idle(pf):
    pf.exit_idle()
    assert pf.dials == []
    connect_first(pf, "a")
    pf.exit_idle()
    assert dialled(pf) == ["a"]
    assert pf.state == "READY"


def test_a_new_list_right_after_leaving_idle_replaces_the_old_one(pf):
    connect_first(pf, "a", "b")
    pf.lose("a")
    pf.exit_idle()
    pf.update(["c", "d"])
    assert pf.connecting() == ["c"]
    pf.ready("c")
    assert pf.picks(1) == ["c"]


def connect_first(pf, *addresses):
    """The resolver finds these, and the first one answers."""
    assert pf.update(list(addresses))
    pf.ready(addresses[0])


# --- pick_first: a new list ----------------------------------------------------------------------


def test_a_new_list_with_the_selected_address_keeps_it(pf):
    connect_first(pf, "a", "b")
    assert pf.update(["c", "a"])
    assert pf.state == "READY"
    assert pf.picks(2) == ["a", "a"]
    assert dialled(pf) == ["a"]
    assert pf.subchannels == {"a": "READY"}


def test_a_new_list_without_the_selected_address_is_pending_until_ready(pf):
    connect_first(pf, "a", "b")
    pf.update(["c", "d"])
    assert pf.state == "READY"
    assert pf.connecting() == ["c"]
    pf.fail("c")
    assert pf.picks(2) == ["a", "a"]
    pf.ready("d")
    assert pf.picks(2) == ["d", "d"]
    assert pf.subchannels == {"d": "READY"}
    assert pf.reresolutions == 0


def test_a_pending_list_that_fails_as_a_whole_takes_over(pf):
    connect_first(pf, "a")
    pf.update(["c", "d"])
    fail_all(pf, "c", "d")
    assert pf.state == "TRANSIENT_FAILURE"
    assert set(pf.subchannels) == {"c", "d"}
    assert pf.reresolutions == 1


def test_losing_the_selected_address_with_a_list_pending_goes_on_with_that_list(pf):
    connect_first(pf, "a")
    pf.update(["c", "d"])
    pf.lose("a")
    assert pf.state == "CONNECTING"
    assert pf.reresolutions == 1
    assert pf.picks(1) == ["wait"]
    assert set(pf.subchannels) == {"c", "d"}
    assert dialled(pf) == ["a", "c"]
    pf.ready("c")
    assert pf.picks(1) == ["c"]


def test_a_newer_list_replaces_a_pending_one_of_pick_first(pf):
    connect_first(pf, "a")
    pf.update(["c"])
    pf.update(["d"])
    assert pf.connecting() == ["d"]
    assert pf.picks(1) == ["a"]
    pf.update(["a"])  # and the selected one comes back
    assert pf.connecting() == []
    assert pf.picks(1) == ["a"]
    assert dialled(pf) == ["a", "c", "d"]


def test_addresses_that_are_failing_already_are_skipped(pf):
    pf.update(["a", "b"])
    fail_all(pf, "a", "b")
    pf.update(["a", "b", "c"])
    assert pf.connecting() == ["c"]
    pf.ready("c")
    assert pf.picks(1) == ["c"]


def test_a_list_that_is_failing_already_is_a_failure_at_once(pf):
    pf.update(["a", "b"])
    fail_all(pf, "a", "b")
    assert pf.update(["b", "a"])
    assert pf.reresolutions == 2
    assert pf.state == "TRANSIENT_FAILURE"
    assert pf.failure == "failed to connect to all addresses; last error: " + REFUSED
    assert pf.connecting() == []
    pf.run(2)
    assert sorted(pf.connecting()) == ["a", "b"]
    pf.ready("a")
    assert pf.picks(1) == ["a"]


def test_a_new_list_does_not_end_a_transient_failure(pf):
    pf.update(["a"])
    pf.fail("a")
    pf.update(["b"])
    assert pf.connecting() == ["b"]
    assert pf.state == "TRANSIENT_FAILURE"
    assert pf.picks(1)[0].startswith("fail: ")
    pf.ready("b")
    assert pf.state == "READY"


def test_nor_do_two_new_lists(pf):
    pf.update(["a"])
    pf.fail("a")
    pf.update(["b"])
    pf.update(["c"])
    assert pf.connecting() == ["c"]
    assert pf.state == "TRANSIENT_FAILURE"


def test_nor_does_a_new_list_after_an_empty_one(pf):
    pf.update([])
    pf.update(["a"])
    assert pf.connecting() == ["a"]
    assert pf.state == "TRANSIENT_FAILURE"


def test_an_error_of_the_resolver_keeps_pick_firsts_connection(pf):
    connect_first(pf, "a", "b")
    assert not pf.update([], error="no such name (NXDOMAIN)")
    assert pf.state == "READY"
    assert pf.picks(1) == ["a"]


# --- pick_first: shuffle -------------------------------------------------------------------------


def order_of_attempts(bench):
    for _ in range(3):
        bench.fail(bench.connecting()[0])
    return "".join(dialled(bench))


def test_shuffled_every_order_occurs_and_the_seed_says_which(bench):
    def order(seed):
        shuffled = bench(SHUFFLED, seed=seed)
        shuffled.update(["a", "b", "c"])
        return order_of_attempts(shuffled)

    orders = Counter(order(seed) for seed in range(300))
    assert set(orders) == {"abc", "acb", "bac", "bca", "cab", "cba"}
    assert min(orders.values()) > 20  # 50 each, give or take
    assert [order(seed) for seed in range(20)] == [order(seed) for seed in range(20)]


def test_each_new_list_is_shuffled_again(bench):
    shuffled = bench(SHUFFLED, seed=1)
    connect_any(shuffled, "abc")
    firsts = set()
    for n in range(40):
        new = [f"{letter}{n}" for letter in "abc"]
        before = len(shuffled.dials)
        shuffled.update(new)
        firsts.add(dialled(shuffled)[before][0])
    assert firsts == {"a", "b", "c"}


def connect_any(bench, addresses):
    bench.update(list(addresses))
    bench.ready(bench.connecting()[0])


def test_shuffled_an_update_keeps_the_connection_that_there_is(bench):
    for seed in range(20):
        shuffled = bench(SHUFFLED, seed=seed)
        connect_any(shuffled, "abc")
        picked = shuffled.picks(1)
        shuffled.update(["c", "b", "a"])
        assert shuffled.picks(1) == picked
        assert shuffled.state == "READY"
        assert set(shuffled.subchannels) == set(picked)


def test_without_shuffle_the_order_is_the_lists(bench):
    for seed in range(20):
        plain = bench("pick_first", seed=seed)
        plain.update(["a", "b", "c"])
        assert order_of_attempts(plain) == "abc"


# --- Endpoints of several addresses (gRFC A61) ---------------------------------------------------


def test_round_robin_has_one_connection_an_endpoint(rr):
    rr.update(["a+b", "c+d"])
    assert dialled(rr) == ["a", "c"]
    rr.ready("a")
    rr.ready("c")
    rr.run(10)
    assert dialled(rr) == ["a", "c"]
    assert rr.subchannels == {"a": "READY", "c": "READY"}  # the others are let go
    assert Counter(rr.picks(10)) == {"a": 5, "c": 5}


def test_an_endpoint_that_hangs_is_tried_at_its_next_address_too(rr):
    rr.update(["a+b", "c"])
    rr.ready("c")
    rr.run(1)
    assert rr.dials == [(0, "a"), (0, "c"), (0.25, "b")]
    assert rr.picks(2) == ["c", "c"]
    rr.ready("b")
    assert rr.subchannels == {"b": "READY", "c": "READY"}
    assert Counter(rr.picks(10)) == {"b": 5, "c": 5}


def test_an_endpoint_has_failed_when_all_of_its_addresses_have(rr):
    rr.update(["a+b"])
    rr.fail("a")
    assert rr.dials == [(0, "a"), (0, "b")]  # at once
    assert rr.state == "CONNECTING"
    assert rr.reresolutions == 0
    rr.fail("b", "No route to host")
    assert rr.state == "TRANSIENT_FAILURE"
    assert rr.failure == "connections to all backends failing; last error: No route to host"
    assert rr.reresolutions == 1
    rr.run(130)
    assert set(rr.connecting()) == {"a", "b"}  # each as soon as its backoff is over
    assert rr.state == "TRANSIENT_FAILURE"
    rr.ready("b")
    assert rr.picks(2) == ["b", "b"]


def test_a_lost_endpoint_is_tried_again_from_its_first_address(rr):
    rr.update(["a+b", "c"])
    rr.fail("a")
    rr.ready("b")
    rr.ready("c")
    rr.run(100)
    rr.lose("b")
    assert rr.reresolutions == 1
    assert rr.dials[-1] == (100, "a")
    assert rr.picks(2) == ["c", "c"]
    rr.ready("a")
    assert set(rr.subchannels) == {"a", "c"}
    assert Counter(rr.picks(10)) == {"a": 5, "c": 5}


def test_an_endpoint_keeps_its_connection_over_a_new_list(rr):
    connect(rr, "a", "c")
    rr.update(["d+a", "c"])
    assert dialled(rr) == ["a", "c"]
    assert Counter(rr.picks(10)) == {"a": 5, "c": 5}


def test_pick_first_tries_the_addresses_of_all_endpoints_in_order(pf):
    pf.update(["a+b", "c"])
    assert order_of_attempts(pf) == "abc"


def test_shuffled_the_addresses_of_an_endpoint_stay_together(bench):
    orders = set()
    for seed in range(40):
        shuffled = bench(SHUFFLED, seed=seed)
        shuffled.update(["a+b", "c"])
        orders.add(order_of_attempts(shuffled))
    assert orders == {"abc", "cab"}


def test_a_subset_is_drawn_by_the_first_address(bench):
    subset = _core.PolicyConfig("random_subsetting", {"subsetSize": 2})
    drawn = set()
    for seed in range(40):
        one, more = bench(subset, seed=seed), bench(subset, seed=seed)
        one.update(["a", "b", "c"])
        more.update(["a+x", "b", "c+y"])
        assert dialled(one) == dialled(more)
        drawn.add("".join(sorted(dialled(one))))
    assert drawn == {"ab", "ac", "bc"}


# --- The bench itself ----------------------------------------------------------------------------


def test_the_bench_refuses_what_cannot_happen(bench):
    with pytest.raises(
        ValueError,
        match="there is pick_first, round_robin, random",
    ):
        bench("roundrobin")
    rr = bench("round_robin")
    rr.update(["a", "10.244.0.3:50051"])
    with pytest.raises(ValueError, match=r"ready\('b'\).*these are: \[a, 10\.244\.0\.3:50051\]"):
        rr.ready("b")
    with pytest.raises(ValueError, match=r"lose\('a'\): it is not connected"):
        rr.lose("a")
    with pytest.raises(ValueError, match="10:x"):
        rr.update(["10:x"])
    with pytest.raises(ValueError, match="seconds"):
        rr.run(-1)


def test_the_same_steps_and_seed_give_the_same_trace(bench):
    def told():
        fresh = bench("round_robin", seed=3)
        connect(fresh, "a", "b", "c")
        for _ in range(10):
            fresh.lose("b")
            fresh.fail("b")
            fresh.run(5)
            fresh.ready("b")
        return story(fresh)

    assert told() == told()


def test_the_script_and_the_trace_tell_the_story(bench):
    told = bench("round_robin", seed=3)
    told.run(0.25)
    told.update(["a"])
    told.run(0.25)
    told.ready("a")
    told.picks(2)
    assert told.script().splitlines() == [
        "0.000000s PolicyBench(round_robin, seed=3)",
        "0.000000s run(0.250000s)",
        "0.250000s update([a]) -> accepted",
        "0.250000s run(0.250000s)",
        "0.500000s ready(a)",
        "0.500000s picks(2) -> a x 2",
    ]
    events = trace(told)
    assert (events.world, events.dropped) == ("BENCH", 0)
    [dialled] = events.of("ConnectStarted")
    [connected] = events.of("Connected")
    assert (connected.seconds, connected.who, connected.cause.id) == (0.5, "client", dialled.id)
    assert connected.fields == {"subchannel": 1, "connection": 1, "local": "bench"}
    assert events.of_subchannel(1) == "a:1"
    assert str(connected) == "500.000 ms  the connection to a:1 is up"


def test_a_trace_outlives_its_bench():
    events = trace(_core.PolicyBench("round_robin"))
    assert not len(events)
    bench = _core.PolicyBench("round_robin")
    bench.update(["a"])
    events = trace(bench)
    del bench
    assert events.last("ConnectStarted").cause.kind == "SubchannelStateChanged"


# --- Legal transitions, and random walks ---------------------------------------------------------


LEGAL = {
    ("IDLE", "CONNECTING"),
    ("CONNECTING", "READY"),
    ("CONNECTING", "TRANSIENT_FAILURE"),
    ("READY", "IDLE"),
    ("TRANSIENT_FAILURE", "IDLE"),
}
"""client_channel_specification.md; SHUTDOWN may follow any of them, and nothing follows it."""


def test_the_legal_transitions_are_those_of_the_specification():
    for before, after in _core.subchannel_transitions():
        print(f"{before:>17} -> {after}")
    assert set(_core.subchannel_transitions()) == LEGAL


ROOTS = {"LookupEnded", "CallStarted"}
"""What comes from outside. Anything else has a cause; but a subchannel that goes, goes silently."""


def check_trace(bench):
    """Every event has a cause that came before it, and every transition is legal."""
    events = trace(bench)
    states, last = {}, 0
    for number, event in enumerate(events, start=1):
        assert event.id == number, event
        assert event.time_ns >= last, event
        assert event.who == "client", event
        last = event.time_ns
        cause = int(events.core.cause[event.row])
        goes = event.fields.get("to") == "SHUTDOWN"
        assert cause or event.kind in ROOTS or goes, f"no cause: {event!r}"
        assert cause < number, f"the cause comes later: {event!r}"
        if event.kind == "SubchannelCreated":
            assert states.get(event.address, "SHUTDOWN") in {"SHUTDOWN", "IDLE"}, event
            states[event.address] = "IDLE"
        if event.kind == "SubchannelStateChanged":
            address = events.of_subchannel(event.subchannel)
            before, after = event.fields["from"], event.to
            assert states[address] == before, event
            assert (before, after) in LEGAL or (before != "SHUTDOWN" and after == "SHUTDOWN"), event
            states[address] = after
    named = {address.removesuffix(":1"): state for address, state in states.items()}
    assert bench.subchannels.items() <= named.items()


def check_picks(bench):
    """The picks are what the state says, go to READY ones only, and take turns."""
    picks = bench.picks(60)
    if bench.state == "READY":
        assert {bench.subchannels[pick] for pick in picks} == {"READY"}
        counts = Counter(picks).values()
        if "round_robin" in bench.script():
            assert max(counts) - min(counts) <= 1
        if "pick_first" in bench.script():
            assert len(counts) == 1
    elif bench.state == "TRANSIENT_FAILURE":
        assert set(picks) == {"fail: " + bench.failure}
    else:
        assert set(picks) == {"wait"}


ADDRESSES = "abcde"
STEPS = st.one_of(
    st.tuples(st.just("update"), st.sets(st.sampled_from(ADDRESSES), min_size=1)),
    st.tuples(st.just("update"), st.permutations(ADDRESSES)),
    st.tuples(st.just("update"), st.sampled_from([["a+b", "c"], ["b+a"], ["c+d+e", "a+b"]])),
    st.tuples(st.sampled_from(["ready", "ready", "fail", "lose"]), st.integers(0, 9)),
    st.tuples(st.just("run"), st.sampled_from([0, 0.1, 0.25, 1, 3, 30, 200])),
    st.tuples(st.sampled_from(["exit_idle", "empty", "error"]), st.none()),
)


def walk(bench, act, value):
    """One step, if there is anything to do it to."""
    if act == "update":
        assert bench.update(sorted(value) if isinstance(value, set) else value)
    elif act == "empty":
        assert not bench.update([])
    elif act == "error":
        assert not bench.update([], error="the DNS server does not answer")
    elif act == "run":
        bench.run(value)
    elif act == "exit_idle":
        bench.exit_idle()
    else:
        connected = [name for name, state in bench.subchannels.items() if state == "READY"]
        candidates = connected if act == "lose" else bench.connecting()
        if candidates:
            getattr(bench, act)(candidates[value % len(candidates)])


@pytest.mark.parametrize("policy", ["round_robin", "pick_first", "random"])
@settings(max_examples=150, deadline=None)
@given(steps=st.lists(STEPS, max_size=40), shuffle=st.booleans(), seed=st.integers(0, 2**64 - 1))
def test_whatever_happens_the_rules_hold(policy, steps, shuffle, seed):
    bench = _core.PolicyBench(SHUFFLED if shuffle and policy == "pick_first" else policy, seed=seed)
    try:
        for act, value in steps:
            before = bench.state
            walk(bench, act, value)
            check_picks(bench)
            assert len(set(bench.connecting())) == len(bench.connecting())
            change = (before, bench.state)
            if change == ("TRANSIENT_FAILURE", "CONNECTING"):
                # Sticky. Only a list that round_robin has swapped in begins anew.
                assert policy != "pick_first", "sticky until READY"
                assert act == "update" or len(swaps(bench))
            if policy != "pick_first" and before != "IDLE":
                assert bench.state != "IDLE"
        check_trace(bench)
    except BaseException:
        note(story(bench))
        raise
