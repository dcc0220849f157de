"""Traces of several clients as one."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

import greetlab as gl
from greetlab.trace.consistency import problems
from greetlab.trace.merging import COUNTED, MOMENTS, Part, merge
from greetlab.trace.summary import summarize

FACTS = (Path(__file__).parent.parent / "cpp/trace/fact.h").read_text()


@pytest.fixture(scope="module")
def recorded():
    """Two clients' traces, each of a world of its own, with a pod that dies."""
    traces = []
    for seed in (1, 2):
        with gl.Cluster.sim(pods=3, seed=seed) as cluster:
            client = cluster.channel("greetserver-headless", policy="round_robin", cooldown=1.0)
            client.greet(times=9)
            cluster.kill("pod-1")
            client.greet(times=9)
            cluster.run(5)
            traces.append(client.trace.without(["cluster", "pod-1", "pod-2", "pod-3"]))
    return traces


def chain(event):
    """The kinds of what led to it, the cluster's doings left out, as they were."""
    return [cause.kind for cause in event.causes() if cause.who != "cluster"]


def test_each_client_keeps_its_own_story(recorded):
    merged = merge(Part(f"client-{n}", trace) for n, trace in enumerate(recorded, start=1))
    alone = [summarize(trace).clients[0] for trace in recorded]
    together = summarize(merged).clients
    assert [client.name for client in together] == ["client-1", "client-2"]
    for one, other in zip(alone, together, strict=True):
        assert replace(one, name="") == replace(other, name="")
    for n, trace in enumerate(recorded, start=1):
        mine = merged.of(who=f"client-{n}")
        assert [event.kind for event in mine] == [event.kind for event in trace]
        assert list(map(chain, mine)) == list(map(chain, trace))


def test_the_merged_one_can_be_true(recorded):
    merged = merge([Part("a", recorded[0]), Part("b", recorded[1])])
    assert [one for one in problems(merged) if one not in problems(recorded[0])] == []
    assert list(merged.core.id) == list(range(1, len(merged) + 1))
    assert all(merged.seconds[1:] >= merged.seconds[:-1])
    assert merged.world == "SIM"


def test_clocks_are_set_right_and_moments_with_them(recorded):
    moments = {name.removesuffix("_ns") for name in MOMENTS}
    merged = merge([Part("a", recorded[0], ahead=-2.5)])
    told = 0
    for before, after in zip(recorded[0], merged, strict=True):
        assert after.time_ns - before.time_ns == 2_500_000_000
        for name, value in before.fields.items():
            moved = after.fields[name] - value if isinstance(value, (int, float)) else 0
            if name in moments:
                assert moved == pytest.approx(2.5) or moved == 2_500_000_000
                told += 1
            else:
                assert moved == 0
    assert told


def test_what_is_counted_and_what_is_a_moment_is_as_the_facts_have_it():
    def fields(kind):
        return {found[1] for found in re.finditer(rf"^  (?:{kind}) (\w+);", FACTS, re.MULTILINE)}

    # A list is counted by its client's policy, and not by the trace.
    assert fields("CallId|SubchannelId|ConnectionId") == set(COUNTED)
    assert {f"{name}_ns" for name in fields("Time")} == set(MOMENTS)


def test_what_makes_no_sense_is_refused(recorded):
    with pytest.raises(ValueError, match="the same name: a, a"):
        merge([Part("a", recorded[0]), Part("a", recorded[1])])
    with pytest.raises(ValueError, match="of nobody"):
        merge([])
