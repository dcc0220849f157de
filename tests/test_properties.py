"""What each policy promises, in random worlds: pods that come up, fail, go and come again."""

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greetlab import _core

PODS = "abcdefgh"
SEEDS = st.integers(0, 2**64 - 1)
LISTS = st.lists(st.sampled_from(PODS), min_size=1, max_size=len(PODS), unique=True)
MOVES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["ready", "fail", "lose", "done"]), st.integers(0, 63)),
        st.tuples(st.just("update"), LISTS),
        st.tuples(st.just("picks"), st.integers(1, 5)),
        st.tuples(st.just("run"), st.floats(0.01, 3)),
        st.tuples(st.just("exit_idle"), st.none()),
    ),
    max_size=40,
)


def moved(bench, moves):
    """Makes these moves, as far as there is something to move; what was picked, pick by pick."""
    picked = []
    for what, how in moves:
        if what == "picks":
            picked += bench.picks(how)
        elif what in ("update", "run"):
            getattr(bench, what)(how)
        elif what == "exit_idle":
            bench.exit_idle()
        else:
            there = {
                "ready": bench.connecting(),
                "fail": bench.connecting(),
                "lose": [pod for pod, state in bench.subchannels.items() if state == "READY"],
                "done": [],
            }[what]
            if there:
                getattr(bench, what)(there[how % len(there)])
    return picked


def all_ready(policy, pods, seed):
    bench = _core.PolicyBench(policy, seed=seed)
    bench.update(list(pods))
    while there := bench.connecting():
        bench.ready(there[0])
    return bench


def ready_of(bench):
    return {pod for pod, state in bench.subchannels.items() if state == "READY"}


SOME = ("pick_first", "round_robin", "random", "least_request")


@pytest.mark.parametrize("policy", SOME)
@settings(max_examples=60, deadline=None)
@given(moves=MOVES, seed=SEEDS, first=LISTS)
def test_a_pick_is_of_a_connection_that_is_there(policy, moves, seed, first):
    bench = _core.PolicyBench(policy, seed=seed)
    bench.update(first)
    for move in moves:
        moved(bench, [move])
        [picked] = bench.picks(1)
        if picked in PODS:
            assert bench.subchannels[picked] == "READY"
            assert bench.state == "READY"
        else:
            assert bench.state != "READY"


@pytest.mark.parametrize("policy", SOME)
@settings(max_examples=30, deadline=None)
@given(moves=MOVES, seed=SEEDS)
def test_the_same_seed_is_the_same_story(policy, moves, seed):
    one, other = (_core.PolicyBench(policy, seed=seed) for _ in range(2))
    assert moved(one, moves) == moved(other, moves)
    assert one.dials == other.dials
    assert one.script() == other.script()


@settings(max_examples=60, deadline=None)
@given(moves=MOVES, seed=SEEDS, first=LISTS, rounds=st.integers(1, 5))
def test_round_robin_gives_each_connection_its_turn(moves, seed, first, rounds):
    bench = _core.PolicyBench("round_robin", seed=seed)
    bench.update(first)
    moved(bench, moves)
    if bench.state != "READY":
        return
    turn = bench.picks(1)
    while (pod := bench.picks(1)[0]) != turn[0]:
        turn.append(pod)
    assert len(set(turn)) == len(turn)
    assert set(turn) <= ready_of(bench)
    picks = bench.picks(rounds * len(turn))
    assert picks == (turn[1:] + turn[:1]) * rounds  # the same order, turn for turn


@settings(max_examples=60, deadline=None)
@given(moves=MOVES, seed=SEEDS, first=LISTS, shuffle=st.booleans())
def test_pick_first_stays_with_its_connection_as_long_as_it_is_one(moves, seed, first, shuffle):
    config = _core.PolicyConfig("pick_first", {"shuffleAddressList": shuffle})
    bench = _core.PolicyBench(config, seed=seed)
    bench.update(first)
    chosen = None
    for what, how in moves:
        moved(bench, [(what, how)])
        [picked] = bench.picks(1)
        still = chosen in ready_of(bench) and not (what == "update" and chosen not in how)
        if still:
            assert picked == chosen
        chosen = picked if picked in PODS else None
        if chosen is not None:
            assert ready_of(bench) == {chosen}  # and it keeps no other one


@settings(max_examples=25, deadline=None)
@given(pods=st.integers(2, 5), samples=st.integers(2, 6), seed=SEEDS)
def test_least_request_never_picks_the_busier_of_those_it_saw(pods, samples, seed):
    """It tells nobody whom it saw. But the busiest is picked only where it saw nobody else, the
    next one only where it saw nobody idler, and so on: of n, the one that k are busier than with
    the chance ((k+1)/n)^samples - (k/n)^samples."""
    names = PODS[:pods]
    policy = _core.PolicyConfig("least_request", {"choiceCount": samples})
    bench = all_ready(policy, names, seed)
    in_flight = Counter(bench.picks(40 * pods))
    for busy, name in enumerate(names):  # a has none in flight, b one, c two, ...
        for _ in range(in_flight[name] - busy):
            bench.done(name)
    rounds = 1500
    seen = Counter()
    for _ in range(rounds):
        [name] = bench.picks(1)
        bench.done(name)
        seen[name] += 1
    for busy, name in enumerate(names):
        busier = pods - 1 - busy
        chance = ((busier + 1) / pods) ** samples - (busier / pods) ** samples
        band = 6 * math.sqrt(rounds * chance * (1 - chance)) + 2
        assert abs(seen[name] - rounds * chance) <= band, (name, seen, chance)


# random_subsetting (gRFC A68): by the hash of an address and of the client.

ADDRESSES = st.lists(
    st.integers(1, 250).map(lambda n: f"10.244.{n % 3}.{n}:50051"),
    min_size=1,
    max_size=40,
    unique=True,
)


def subset_of(seed, addresses, size):
    config = _core.PolicyConfig("random_subsetting", {"subsetSize": size})
    bench = _core.PolicyBench(config, seed=seed)
    bench.update(addresses)
    return set(bench.connecting())


@settings(max_examples=60, deadline=None)
@given(addresses=ADDRESSES, size=st.integers(1, 10), seed=SEEDS, order=st.randoms())
def test_a_subset_is_the_client_s_whatever_the_order(addresses, size, seed, order):
    subset = subset_of(seed, addresses, size)
    assert len(subset) == min(size, len(addresses))
    shuffled = [*addresses]
    order.shuffle(shuffled)
    assert subset_of(seed, shuffled, size) == subset


@settings(max_examples=60, deadline=None)
@given(addresses=ADDRESSES, size=st.integers(1, 10), seed=SEEDS)
def test_a_pod_that_comes_takes_one_place_or_none(addresses, size, seed):
    *before, new = addresses
    if not before:
        return
    old, now = (subset_of(seed, pods, size) for pods in (before, addresses))
    assert now - old <= {new}
    assert len(old - now) <= 1
    assert (len(old - now) == 1) == (new in now and len(old) == size)


@settings(max_examples=8, deadline=None)
@given(pods=st.integers(4, 12), size=st.integers(2, 3), seed=st.integers(0, 2**32))
def test_subsets_are_shared_evenly(pods, size, seed):
    """Of 300 clients each pod has its share, give or take 6 standard deviations."""
    addresses = [f"10.244.0.{number}:50051" for number in range(1, pods + 1)]
    clients = Counter(
        address for client in range(300) for address in subset_of(seed + client, addresses, size)
    )
    share = size / pods
    band = 6 * math.sqrt(300 * share * (1 - share))
    for address in addresses:
        assert abs(clients[address] - 300 * share) <= band, clients
