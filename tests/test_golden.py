"""Golden traces: each lesson's scenario, event by event, as it is today.

    ./run test tests/test_golden.py             compares
    ./run test tests/test_golden.py --renew -s  writes them anew, and shows what changed

A change here is a change of what learners see: look at the difference before you keep it.
"""

import difflib
from pathlib import Path

import pytest

import greetlab as gl
from greetlab.trace.trace import Trace

GOLDEN = Path(__file__).parent / "golden"


def sticky(cluster):
    """One pod takes every request behind a ClusterIP."""
    cluster.channel("greetserver").greet(times=6)


def round_robin_on_a_cluster_ip(cluster):
    """It changes nothing there."""
    cluster.channel("greetserver", policy="round_robin").greet(times=6)


def pick_first_on_headless(cluster):
    """The default policy, even where DNS tells of every pod."""
    cluster.channel("greetserver-headless").greet(times=6)


def cold_start(cluster):
    """The first calls go to whoever is READY first."""
    cluster.channel("greetserver-headless", policy="round_robin").greet(times=6)


def the_fix(cluster):
    """Once all are READY, everybody in turn."""
    channel = cluster.channel("greetserver-headless", policy="round_robin")
    channel.wait_ready(all=True).greet(times=6)


def scale_up_unseen(cluster):
    """New pods get nothing."""
    channel = cluster.channel("greetserver-headless", policy="round_robin")
    channel.wait_ready(all=True)
    cluster.scale(5)
    cluster.run(120)
    channel.greet(times=5)


def a_pod_dies_and_comes_back(cluster):
    """Who notices when, and what it takes."""
    channel = cluster.channel("greetserver-headless", policy="round_robin")
    channel.wait_ready(all=True)
    cluster.kill("pod-2")
    cluster.run(1)
    channel.greet(times=4)
    cluster.restart("pod-2")
    cluster.run(60)
    channel.greet(times=6)


def everybody_dies(cluster):
    """Calls fail at once, unless they would rather wait."""
    channel = cluster.channel("greetserver-headless", policy="round_robin")
    channel.wait_ready(all=True)
    cluster.scale(0)
    cluster.run(35)
    channel.greet(times=2)
    channel.greet(timeout=3, wait_for_ready=True)


def a_lookup_that_finds_nothing(cluster):
    """The whole search list, then NXDOMAIN."""
    cluster.lookup("nothing")


SCENARIOS = [
    sticky,
    round_robin_on_a_cluster_ip,
    pick_first_on_headless,
    cold_start,
    the_fix,
    scale_up_unseen,
    a_pod_dies_and_comes_back,
    everybody_dies,
    a_lookup_that_finds_nothing,
]


def max_connection_age(cluster):
    """The server-side cure: connections end, and their clients look again."""
    channel = cluster.channel("greetserver-headless", policy="round_robin")
    channel.wait_ready(all=True)
    cluster.scale(4)
    cluster.run(45)
    channel.greet(times=4)


@pytest.mark.parametrize("scenario", [*SCENARIOS, max_connection_age], ids=lambda s: s.__name__)
def test_the_story_is_the_one_we_tell(scenario, request, tmp_path):
    age = 20 if scenario is max_connection_age else None
    cluster = gl.Cluster.sim(pods=3, seed=7, max_connection_age=age)
    scenario(cluster)
    path = GOLDEN / f"{scenario.__name__}.jsonl"
    now = tmp_path / "now.jsonl"
    cluster.trace.save(now)
    if request.config.getoption("renew"):
        before = Trace.load(path).story() if path.exists() else ""
        after = cluster.trace.story()
        lines = difflib.unified_diff(
            before.splitlines(), after.splitlines(), "before", "after", lineterm=""
        )
        print("\n".join(lines))
        path.write_bytes(now.read_bytes())
    golden = Trace.load(path)
    assert cluster.trace.story() == golden.story()  # the difference that a person can read
    assert now.read_bytes() == path.read_bytes()
