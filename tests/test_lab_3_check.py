"""`greetlab check 3`: the unsolved fails, the solution passes, each wrong state has a sentence.

The Job's log is a trace of the simulator, its pods renamed. The same on a real cluster:
tests/kube/test_labs.py."""

import json
import re
from functools import cache

import pytest
from kube_world import (
    LAB_3,
    built,
    checks_in,
    find,
    printed_check,
    recorded,
    servers,
    settled,
)

import greetlab as gl
from greetlab.lessons.labs import judge

OLD = [f"greetserver-6fb794797b-{end}" for end in ("2spv2", "m5ffd", "r7pxs")]
NEW = servers(settled(built(LAB_3 / "solution")))


@cache
def log(rolled=True, cooldown=1.0, grace=10.0):
    """What the Job would print: calls, and a rolling update in the midst of them."""
    cluster = gl.Cluster.sim(
        pods=3, seed=1, readiness_delay=1, pre_stop=5, grace=grace, service_time=0.4, latency=0.001
    )
    client = cluster.wait_ready().channel(
        "greetserver-headless", policy="round_robin", cooldown=cooldown
    )
    client.wait_ready(all=True)
    load = client.start(900, 100, every=0.05)
    cluster.run(seconds=2)
    if rolled:
        cluster.rollout()
    cluster.run(seconds=60)
    assert len(client.calls(load)) == 900
    return cluster.trace


def printed(trace, folder):
    """As `kubectl logs` has it, words among the lines."""
    file = folder / "trace.jsonl"
    trace.save(file)
    text = file.read_text()
    for number, name in enumerate([*OLD, *NEW], 1):
        text = text.replace(f'"pod-{number}"', f'"{name}"')
    return f"900 calls\n{text}"


def job(phase="Succeeded", **status):
    labels = {"batch.kubernetes.io/job-name": "greetclient"}
    of = {"namespace": "greetlab"}
    (manifest,) = built(LAB_3 / "solution" / "client")
    pod = {"kind": "Pod", "metadata": {"name": "greetclient-x7k2p", "labels": labels, **of},
           "spec": {}, "status": {"phase": phase, **status}}  # fmt: skip
    return [manifest, pod]


@pytest.fixture
def cluster(kubectl, tmp_path):
    """Makes a state: the objects, and what the Job printed."""

    def make(objects, calls=(), client=None, **statuses):
        kubectl.deploy(objects, **statuses)
        client = job() if client is None else client
        kubectl.set(objects=[*kubectl.objects, *client], log=printed(log(*calls), tmp_path))

    return make


def server(**changes):
    """The solution, its server another."""
    objects = built(LAB_3 / "solution")
    deployment = find(objects, "Deployment", "greetserver")["spec"]
    pod = deployment["template"]["spec"]
    container = pod["containers"][0]
    for name, value in changes.items():
        if name == "args":
            container["args"] = value
        elif name == "strategy":
            deployment["strategy"] = value
        elif name == "period":
            pod["terminationGracePeriodSeconds"] = value
        else:
            container[name] = value
    return objects


def sleep(seconds):
    return server(lifecycle={"preStop": {"sleep": {"seconds": seconds}}})


START = "whether it is ready: it is an endpoint as soon as its process runs"
WRONG = {
    "nothing deployed": (lambda: [], {}, "there is no namespace greetlab"),
    "the start": (lambda: built(LAB_3 / "start"), {}, START),
    "all at once": (lambda: server(strategy={"type": "Recreate"}), {}, "is Recreate: all its pods"),
    "no preStop": (lambda: server(lifecycle={}), {}, "SIGTERM in the moment in which it is taken"),
    "preStop of a second": (lambda: sleep(1), {}, "goes on for 1 s after it is off the list"),
    "no grace": (lambda: server(args=["--service-time=400ms", "--grace=0s"]), {},
                 "what is under way 0 s, and a call takes 0.4 s"),
    "too little grace": (lambda: server(args=["--service-time=3s", "--grace", "1s"]), {},
                         "what is under way 1 s, and a call takes 3 s"),
    "killed before": (lambda: server(period=12), {}, "SIGKILL comes 12 s after .* up to 15 s"),
    "not called": (server, {"client": []}, "there is no Job greetclient"),
    "still calling": (server, {"client": job("Running")}, "the Job greetclient still calls"),
    "its client cannot be had": (
        server, {"client": job(**recorded("image_pull_back_off"))},
        "greetclient does not run: .*image",
    ),
    "nothing rolled": (server, {"calls": (False,)}, "no rollout went on meanwhile"),
    "a cooldown of 30 s": (
        server, {"calls": (True, 30.0)}, r"for 1\d\.\d s no pod that the client knew was there\. "
        r"From one lookup to the next it let 30 s pass"
    ),
    "calls cut off": (server, {"calls": (True, 1.0, 0.0)}, "they were with a pod when it went"),
}  # fmt: skip


@pytest.mark.parametrize("state", WRONG)
def test_each_wrong_state_has_its_sentence_which_never_tells_the_fix(cluster, state):
    objects, made, words = WRONG[state]
    cluster(objects(), **made)
    verdict = judge(3, "lab").verdict
    assert verdict.status == "fail", verdict
    assert re.search(words, verdict.sentence), verdict
    for advice in ("readinessProbe", "--cooldown", "sleep", "10s", "should", "must"):
        assert advice not in verdict.sentence
    for name, (_, _, other) in WRONG.items():
        if name != state:
            assert not re.search(other, verdict.sentence), f"this is the sentence of {name}, too"


def test_the_solution_passes(cluster):
    cluster(server())
    found = judge(3, "lab")
    assert found.verdict.status == "pass", found
    assert found.right[-2:] == (
        "900 calls while all pods were replaced",
        "of 900 calls none failed",
    )


def test_pods_that_came_after_the_calls_are_not_those_that_were_seen(cluster, kubectl):
    cluster(server())
    log = json.loads((kubectl.folder / "state.json").read_text())["log"]
    kubectl.set(log=log.replace(NEW[0], "greetserver-7b7c6fb956-k2z2m"))
    assert "ended before the pods that are there now had come" in judge(3, "lab").verdict.sentence


@pytest.mark.parametrize("hook", [{"exec": {"command": ["sleep", "5"]}}, {"httpGet": {"port": 1}}])
def test_a_wait_that_it_cannot_read_is_unknown(cluster, hook):
    cluster(server(lifecycle={"preStop": hook}))
    assert "how long that takes is not to be seen" in judge(3, "lab").verdict.sentence
    assert judge(3, "lab").verdict.status == "unknown"


def test_a_log_that_was_cut_is_unknown(cluster, kubectl):
    cluster(server())
    kubectl.set(log='{"id":7}\n')
    verdict = judge(3, "lab").verdict
    assert verdict.status == "unknown"
    assert "has lost the trace's beginning" in verdict.sentence


def test_the_solution_is_the_start_with_another_begin_and_end():
    before, after = built(LAB_3 / "start"), built(LAB_3 / "solution")
    (changed,) = [thing for thing in after if thing not in before]
    assert changed["metadata"]["name"] == "greetserver"
    (was,), (is_,) = built(LAB_3 / "start" / "client"), built(LAB_3 / "solution" / "client")
    was, is_ = (t["spec"]["template"]["spec"]["containers"][0]["args"] for t in (was, is_))
    assert set(is_) - set(was) == {"--cooldown=1s"}
    assert set(was) <= set(is_)


def test_the_readme_shows_what_the_check_really_prints(cluster, kubectl):
    kubectl.set(contexts=["greetlab"])
    cluster(built(LAB_3 / "start"))
    unsolved = printed_check(3)
    cluster(server())
    first, *_, last = checks_in(LAB_3.name)
    assert (first, last) == (unsolved, printed_check(3))
