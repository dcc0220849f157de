"""ring_hash on the bench, in the sim and against stock gRPC: the same key, the same pod.

The rules are gRFC A42's, A61's and A76's; the order of things that of grpc/grpc `ring_hash.cc`. Its
name is stock's: "ring_hash_experimental" in C-core, Go and Java.
"""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import greetlab as gl
from greetlab import _core
from greetlab.trace.trace import Trace

RING = "ring_hash_experimental"
BY_USER = {RING: {"requestHashHeader": "user-id"}}


def bench(seed=1, **fields):
    config = _core.PolicyConfig(RING, fields, None, {"requestHashHeader": "user-id"})
    return _core.PolicyBench(config, seed=seed)


def picked(ring, key):
    (answer,) = ring.picks(1, [("user-id", key)])
    return answer


def owner(ring, key):
    """The pod that a key belongs to; it is connected to, if need be."""
    answer = picked(ring, key)
    while answer == "wait":
        while ring.step():
            pass
        for address in ring.connecting():
            ring.ready(address)
        answer = picked(ring, key)
    return answer


def owners(names, keys, **fields):
    ring = bench(**fields)
    assert ring.update(list(names))
    return {key: owner(ring, key) for key in keys}


KEYS = [f"user-{n}" for n in range(300)]


# --- Whom a call goes to -------------------------------------------------------------------------


def test_the_same_key_goes_to_the_same_pod():
    ring = bench()
    ring.update(list("abcde"))
    for key in KEYS[:30]:
        assert {owner(ring, key) for _ in range(3)} == {owner(ring, key)}


def test_every_client_agrees_on_it():
    assert owners("abcde", KEYS, seed=1) == owners("edcba", KEYS, seed=2)


def test_keys_are_shared_by_all_pods():
    counts = Counter(owners("abcde", [str(n) for n in range(2000)]).values())
    assert set(counts) == set("abcde")
    assert max(counts.values()) < 2 * min(counts.values())


def moves(before, after):
    """[(from, to)] of the keys that have another pod than before."""
    return [(before[key], after[key]) for key in before if before[key] != after[key]]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(0, 10_000))
def test_with_one_place_each_a_pod_more_moves_its_own_keys_and_no_other(pods, first):
    names = [f"10.0.0.{n}:1" for n in range(1, pods + 2)]
    keys = [str(n) for n in range(first, first + 100)]
    before = owners(names[:-1], keys, minRingSize=1)
    after = owners(names, keys, minRingSize=1)
    assert {to for _, to in moves(before, after)} <= {names[-1]}
    # The other way round, a pod that goes.
    assert {was for was, _ in moves(after, before)} <= {names[-1]}


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(0, 10_000))
def test_a_pod_more_takes_its_share_of_the_keys_and_moves_few_others(pods, first):
    names = [f"10.0.0.{n}:1" for n in range(1, pods + 2)]
    keys = [str(n) for n in range(first, first + 200)]
    moved = moves(owners(names[:-1], keys), owners(names, keys))
    share = 200 / (pods + 1)
    to_it = sum(to == names[-1] for _, to in moved)
    assert to_it <= 1.5 * share + 12
    # The ring keeps its size, so that the others have fewer places each: as many keys again may
    # belong to such a place, and move.
    assert len(moved) - to_it <= share + 12


def test_one_that_comes_twice_counts_twice():
    keys = [str(n) for n in range(3000)]
    counts = Counter(owners(["a", "b", "b"], keys).values())
    assert counts["b"] / counts["a"] == pytest.approx(2, rel=0.2)


def test_a_ring_has_at_most_4096_places():
    # (C-core: grpc.lb.ring_hash.ring_size_cap.) One place more would be some key's.
    keys = [str(n) for n in range(20_000)]
    most = owners("abc", keys, minRingSize=4096)
    assert owners("abc", keys, minRingSize=5000, maxRingSize=9000) == most
    assert owners("abc", keys, minRingSize=4090) != most


def test_each_has_a_whole_number_of_places_and_all_together_at_least_the_smallest_ring():
    # Three with a third each: 1024 / 3 rounded up is 342, times three.
    keys = [str(n) for n in range(5000)]
    assert owners("abc", keys, minRingSize=1024) == owners("abc", keys, minRingSize=1026)
    assert owners("abc", keys, minRingSize=1024) != owners("abc", keys, minRingSize=1027)


def test_it_takes_a_list_at_once():
    ring = bench()
    ring.update(list("abc"))
    taken = Trace(ring.trace()).last("AddressListTaken")
    assert (taken.count, taken.pending) == (3, False)


def test_two_values_of_the_header_are_one_key():
    ring = bench()
    ring.update(list("abcdefgh"))
    both = owner(ring, "ada,lovelace")
    assert ring.picks(1, [("user-id", "ada"), ("other", "x"), ("user-id", "lovelace")]) == [both]


# --- Connections ---------------------------------------------------------------------------------


def test_nobody_is_connected_to_before_a_call_wants_it():
    ring = bench()
    ring.update(list("abc"))
    assert ring.state == "IDLE"
    while ring.step():
        pass
    assert ring.connecting() == []
    assert picked(ring, "ada") == "wait"
    while ring.step():
        pass
    assert len(ring.connecting()) == 1
    assert ring.state == "CONNECTING"


def test_calls_of_two_keys_connect_to_two_pods_and_no_third():
    ring = bench()
    ring.update(list("abcde"))
    pods = {owner(ring, "ada"), owner(ring, "bob"), owner(ring, "ada")}
    assert {address for _, address in ring.dials} == pods


def test_a_key_waits_for_its_own_pod_though_another_one_is_ready():
    ring = bench()
    ring.update(list("abcde"))
    one = owner(ring, "user-0")
    other = next(key for key in KEYS if picked(ring, key) == "wait")
    assert ring.state == "READY"
    assert picked(ring, other) == "wait"
    assert picked(ring, "user-0") == one


def test_past_a_pod_that_fails_the_next_on_the_ring_is_taken_and_it_comes_back():
    ring = bench()
    ring.update(list("ab"))
    assert picked(ring, "ada") == "wait"
    ring.step()
    (first,) = ring.connecting()
    ring.fail(first)
    assert ring.state == "CONNECTING"  # one that failed is not the end
    ring.step()
    (second,) = ring.connecting()  # the next is tried without a call
    ring.ready(second)
    assert ring.state == "READY"
    assert picked(ring, "ada") == second
    while first not in ring.connecting():
        assert ring.step()  # its backoff
    ring.ready(first)
    assert picked(ring, "ada") == first


def test_two_that_fail_are_transient_failure_and_the_third_is_tried_all_the_same():
    ring = bench()
    ring.update(list("abc"))
    picked(ring, "ada")
    ring.step()
    for _ in range(2):
        (address,) = ring.connecting()
        ring.fail(address, "Connection refused")
        ring.step()
    assert ring.state == "TRANSIENT_FAILURE"
    assert ring.failure == "no reachable endpoints; last error: Connection refused"
    (third,) = ring.connecting()
    assert picked(ring, "ada") == "wait"
    ring.fail(third, "No route to host")
    assert picked(ring, "ada").startswith(
        "fail: ring hash cannot find a connected endpoint; first failure: "
    )
    assert ring.reresolutions >= 3


def test_the_only_one_that_fails_is_transient_failure():
    ring = bench()
    ring.update(["a"])
    picked(ring, "ada")
    ring.step()
    ring.fail("a")
    assert ring.state == "TRANSIENT_FAILURE"


def test_a_connection_that_is_lost_comes_back_when_a_call_wants_it():
    ring = bench()
    ring.update(list("abc"))
    pod = owner(ring, "ada")
    ring.lose(pod)
    assert ring.state == "IDLE"
    assert ring.reresolutions == 1
    while ring.step():
        pass
    assert ring.connecting() == []
    assert owner(ring, "ada") == pod


def test_a_new_list_keeps_the_connections_of_those_that_stay():
    ring = bench()
    ring.update(list("abc"))
    for key in KEYS[:20]:
        owner(ring, key)
    dials = len(ring.dials)
    ring.update(list("cbad"))
    assert ring.state == "READY"
    assert {ring.subchannels[name] for name in "abc"} == {"READY"}
    assert len(ring.dials) == dials
    ring.update(["d"])
    assert set(ring.subchannels) <= {"d"}


def test_an_empty_list_and_an_error():
    ring = bench()
    assert not ring.update([], error="no such name")
    assert ring.picks(1) == ["fail: no such name"]
    ring.update(["a"])
    assert owner(ring, "ada") == "a"
    assert not ring.update([], error="no such name")  # the list is kept
    assert picked(ring, "ada") == "a"
    assert not ring.update([])
    assert picked(ring, "ada") == "fail: empty address list"


# --- Calls without a key (A76) -------------------------------------------------------------------


def test_a_call_without_a_key_goes_to_any_that_is_connected_and_asks_for_one_more():
    ring = bench()
    ring.update(list("abcde"))
    pod = owner(ring, "ada")
    while not ring.connecting():  # a call whose place is the READY pod's asks for nobody
        assert ring.picks(1) == [pod]  # and none waits while one is READY
        ring.step()
    assert len(ring.connecting()) == 1
    assert set(ring.picks(20)) == {pod}
    ring.step()
    assert len(ring.connecting()) == 1  # at most one at a time


def test_calls_without_a_key_are_spread_over_all_that_are_connected():
    ring = bench()
    ring.update(list("abc"))
    for key in KEYS[:40]:
        owner(ring, key)
    assert set(ring.picks(60)) == set("abc")


def test_without_a_header_there_is_no_key_to_hash_and_calls_fail_as_in_stock():
    ring = _core.PolicyBench(RING)
    ring.update(["a"])
    (answer,) = ring.picks(1, [("user-id", "ada")])
    assert answer.startswith("fail: ring_hash_experimental does not know what a call's key is")


# --- What it can be told -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"minRingSize": 2000, "maxRingSize": 1000}, "maxRingSize is smaller than minRingSize"),
        ({"minRingSize": 0}, "it must be 1 or more"),
        ({"requestHashHeader": "key-bin"}, "is of bytes; a key is text"),
        ({"requestHashHeader": "User-Id"}, "a name is of a to z"),
        ({"requestHashHeader": "grpc-key"}, "does not begin with grpc-"),
        ({"hashHeader": "user-id"}, "hashHeader is no field of a service config"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(told, why):
    with pytest.raises(ValueError, match=why), gl.Cluster.sim() as sim:
        sim.channel("greetserver-headless", policy={RING: told})


# --- In both worlds ------------------------------------------------------------------------------


def test_each_user_has_a_pod_of_its_own_and_a_scale_up_moves_few():
    sim = gl.Cluster.sim(pods=9, seed=3)
    channel = sim.channel("watch:///greetserver-headless", policy=BY_USER)
    first = channel.load(2000, keys={"user-id": 1000})
    assert first.ok == 2000
    assert (first.pod[:1000] == first.pod[1000:]).all()
    sim.scale(10)
    sim.run(0.1)
    then = channel.load(1000, keys={"user-id": 1000})
    names = [first.pods[pod] for pod in first.pod[:1000]]
    moved = sum(a != then.pods[b] for a, b in zip(names, then.pod, strict=True))
    assert 60 < then.by_pod["pod-10"] < 140  # a tenth
    assert moved < 200  # and fewer than as many again: see ring_hash.cc


def test_real_calls_go_where_the_bench_and_stock_grpc_say(monkeypatch):
    """PyPI's grpcio of 1.70 and newer takes ring_hash by service config where it is told to."""
    keys = [str(n) for n in range(1, 41)]
    with gl.Cluster.local(pods=5) as local:
        names = {f"{pod.ip}:{local.port}": pod.name for pod in local.pods}
        with local.channel("watch:///greetserver-headless", policy=BY_USER) as channel:
            calls = channel.load(80, 4, keys={"user-id": 40})
            by_key = [calls.pods[pod] for pod in calls.pod]
        monkeypatch.setenv("GRPC_EXPERIMENTAL_RING_HASH_SET_REQUEST_HASH_KEY", "true")
        target = "static:" + ",".join(names)
        with gl.Channel(target, policy=BY_USER, engine="grpcio") as stock:
            calls = stock.load(40, keys={"user-id": 40})
            theirs = [calls.pods[pod] for pod in calls.pod]
    assert by_key[:40] == by_key[40:]
    ring = bench()
    ring.update(list(names))
    assert [names[owner(ring, key)] for key in keys] == by_key[:40]
    assert theirs == by_key[:40]
