"""`greetlab policies`: one slow pod of five, by every policy, in both worlds."""

import re

import pytest
from command_line import greetlab

from greetlab import _core
from greetlab.commands import slow_pod


def test_every_policy_is_there():
    names = {
        name if isinstance(name, str) else next(iter(name)) for name in slow_pod.POLICIES.values()
    }
    assert names == set(_core.policies())


def test_the_slow_pod_of_the_sim_is_seen_by_who_counts():
    done = greetlab("policies", "--in", "sim", "--json")
    assert done.status == 0, done.complaint
    by = {made["policy"]: made for made in done.document}
    assert [*by] == [*slow_pod.POLICIES]
    blind, sees = by["round_robin"], by["least_request"]
    assert blind["failed"] > 20 * (1 + sees["failed"])
    assert blind["p99"] > 2 * sees["p99"]
    assert sees["share"] < blind["share"]
    assert by["pick_first"]["failed"] > by["round_robin"]["failed"]
    assert by["weighted_round_robin"]["share"] < blind["share"]


@pytest.mark.parametrize("world", slow_pod.WORLDS)
def test_both_worlds_say_the_same(world, monkeypatch):
    """At 500 calls, a pod's queue of 20 is full after two seconds in either."""
    some = {name: slow_pod.POLICIES[name] for name in ("round_robin", "least_request")}
    monkeypatch.setattr(slow_pod, "POLICIES", some)
    blind, sees = slow_pod.one_slow_pod(world, 500, seed=1)
    assert blind.world == sees.world == world
    assert blind.p99 > 1.5 * sees.p99
    assert sees.share < blind.share < 0.2


def test_it_is_a_table_that_fits_a_terminal(monkeypatch):
    some = ("round_robin", "outlier_detection_experimental")
    monkeypatch.setattr(slow_pod, "POLICIES", {name: slow_pod.POLICIES[name] for name in some})
    done = greetlab("policies", "--calls", "100")
    assert done.status == 0, done.complaint
    assert all(len(line) <= 80 for line in done.said.splitlines()), done.said
    assert "…" not in done.said
    for name in slow_pod.POLICIES:
        assert len(re.findall(rf"^{name}  +\d+ +\d+ +\d+% +\d+$", done.said, re.MULTILINE)) == 2


def test_a_world_that_there_is_not():
    done = greetlab("policies", "--in", "mars")
    assert done.status == 2
    assert "--in 'mars': there is sim and local" in done.complaint
