"""`greetlab check 2`: the unsolved fails, the solution passes, each wrong state has a sentence.

The same on a real cluster: tests/kube/test_labs.py."""

import re

import pytest
from kube_world import LAB_2, built, env, find, greeting, servers, settled

from greetlab.lessons.labs import judge

FIVE = 5


def start(replicas=FIVE):
    objects = built(LAB_2 / "start")
    find(objects, "Deployment", "greetserver")["spec"]["replicas"] = replicas
    return objects


def solution(age="10s"):
    objects = built(LAB_2 / "solution")
    pod = find(objects, "Deployment", "greetserver")["spec"]["template"]["spec"]
    arguments = pod["containers"][0]["args"]
    arguments[arguments.index("--max-connection-age=10s")] = f"--max-connection-age={age}"
    return objects


def later(things, names, second):
    """These pods became ready so many seconds after the others."""
    for name in names:
        conditions = find(things, "Pod", name)["status"]["conditions"]
        (ready,) = [each for each in conditions if each["type"] == "Ready"]
        ready["lastTransitionTime"] = f"2025-11-03T09:20:{second}Z"


def policy(objects, name):
    env(objects, GRPC_POLICY=name)
    return objects


def clusterip(objects):
    del find(objects, "Service", "greetserver-headless")["spec"]["clusterIP"]
    return objects


WRONG = {
    "still three pods": (lambda: start(3), {}, "asks for 3 pods, and this lab is about 5"),
    "scaled down": (lambda: start(2), {}, "asks for 2 pods, and this lab is about 5"),
    "the gateway was started anew": (start, {}, "the connections to greetserver have no end"),
    "an age of an hour": (lambda: solution("1h"), {}, "may grow 1h old"),
    "an age without a unit": (lambda: solution("10"), {}, "is '10', which is no time"),
    "pick_first": (lambda: policy(solution(), "pick_first"), {}, "of 5 addresses it uses one"),
    "a cluster IP": (lambda: clusterip(solution()), {}, "still has a clusterIP"),
    "the new pods are not ready": (
        solution, {"greetserver": "not_ready"}, "is not ready: it runs, and its readiness probe"
    ),
    "nothing deployed": (lambda: [], {}, "there is no namespace greetlab"),
}  # fmt: skip


@pytest.mark.parametrize("state", WRONG)
def test_each_wrong_state_has_its_sentence_which_never_tells_the_fix(kubectl, state):
    objects, statuses, words = WRONG[state]
    kubectl.deploy(objects(), **statuses)
    verdict = judge(2, "lab").verdict
    assert verdict.status == "fail", verdict
    assert re.search(words, verdict.sentence), verdict
    for advice in ("--max-connection-age=", "connection-age:", "round_robin", "should", "must"):
        assert advice not in verdict.sentence
    for name, (_, _, other) in WRONG.items():
        if name != state:
            assert not re.search(other, verdict.sentence), f"this is the sentence of {name}, too"


def test_the_unsolved_state_fails_by_the_pods_that_nobody_calls(kubectl):
    things = settled(start())
    old, new = servers(things)[:3], servers(things)[3:]
    later(things, new, 30)
    kubectl.set(objects=things, greetings=[greeting(pod) for pod in old])
    sentence = judge(2, "lab").verdict.sentence
    assert sentence.startswith(f"of 12 greetings none was answered by {', '.join(sorted(new))}: ")
    assert "became ready when the gateway was running already" in sentence


def test_the_solution_passes(kubectl):
    kubectl.deploy(solution())
    found = judge(2, "lab")
    assert found.verdict.status == "pass", found
    assert found.right[-1] == "the servers end a connection after about 10s"


@pytest.mark.parametrize("age", ["1m", "500ms", "60s"])
def test_other_ages_pass_too(kubectl, age):
    kubectl.deploy(solution(age))
    assert judge(2, "lab").verdict.ok


def test_the_solution_is_the_start_with_five_pods_and_an_age():
    before, after = built(LAB_2 / "start"), built(LAB_2 / "solution")
    (changed,) = [thing for thing in after if thing not in before]
    assert changed["metadata"]["name"] == "greetserver"
    assert changed["spec"]["replicas"] == FIVE
