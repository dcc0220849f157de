"""`greetlab check 4`: the unsolved fails, the solution passes, each wrong state has a sentence.

The Job's log is a trace of the simulator. The same on a real cluster: tests/kube/test_labs.py."""

import json
import re
from functools import cache

import pytest
from kube_world import LAB_4, built, checks_in, printed_check

import greetlab as gl
from greetlab.lessons.labs import judge

RETRY = {
    "maxAttempts": 3,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
OURS = {"service": "greet.GreetService"}


@cache
def log(died=True, silent=True, again=True):
    """What the Job would print: calls, a pod that dies in the midst of them, one that is lost."""
    cluster = gl.Cluster.sim(pods=3, seed=1, service_time=0.4, latency=0.001)
    client = cluster.channel(
        "greetserver-headless",
        policy="round_robin",
        cooldown=1.0,
        keepalive_time=10.0,
        keepalive_timeout=3.0,
        **({"service_config": config()} if again else {}),
    )
    client.wait_ready(all=True)
    load = client.start(900, 1000, every=0.05)
    cluster.run(seconds=2)
    if died:
        cluster.kill("pod-1")
    cluster.run(seconds=8)
    if silent:
        cluster.lose("pod-2")
    cluster.run(seconds=50)
    assert len(client.calls(load)) == 900
    return cluster.trace


def config(name=OURS, **changes):
    return {"methodConfig": [{"name": [name] if name else [], "retryPolicy": RETRY | changes}]}


@pytest.fixture
def cluster(kubectl, tmp_path):
    """Makes a state: the client's Job with its flags, and what it printed."""

    def make(calls=(), objects=None, **flags):
        kubectl.deploy(built(LAB_4 / "start") if objects is None else objects)
        file = tmp_path / "trace.jsonl"
        log(*calls).save(file)
        kubectl.set(objects=[*kubectl.objects, *job(flags)], log=file.read_text())

    return make


def job(flags):
    """The solution's; flags: others in their place, None: not given."""
    (manifest,) = built(LAB_4 / "solution" / "client")
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    for name, value in flags.items():
        flag = f"--{name.replace('_', '-')}"
        kept = [word for word in container["args"] if not word.startswith(f"{flag}=")]
        container["args"] = [*kept, *([] if value is None else [f"{flag}={value}"])]
    labels = {"batch.kubernetes.io/job-name": "greetclient"}
    meta = {"name": "greetclient-x7k2p", "labels": labels, "namespace": "greetlab"}
    return [
        manifest,
        {"kind": "Pod", "metadata": meta, "spec": {}, "status": {"phase": "Succeeded"}},
    ]


def again(**changes):
    return {"service_config": json.dumps(config(**changes))}


WRONG = {
    "nothing deployed": ({"objects": []}, "there is no namespace greetlab"),
    "no keepalive": ({"keepalive_time": None}, "on which nobody answers is as good as any: TCP"),
    "keepalive by default": (
        {"keepalive_timeout": None}, "gives a silent connection up after 20s, and its calls after"
    ),
    "no service config": ({"service_config": None}, "the client sends none again"),
    "no JSON": ({"service_config": "{"}, "is refused, as a whole: the config is not JSON"),
    "one attempt": (again(maxAttempts=1), "is refused, as a whole: .*maxAttempts is 1"),
    "another config": (
        {"service_config": '{"methodConfig": [{"name": [{}], "timeout": "3s"}]}'},
        "says nothing about sending a call again",
    ),
    "an empty name": (again(name=None), "retryPolicy is for no method, and not for greet.Gr"),
    "another service": (
        again(name={"service": "greet.Greeter"}), "is for the methods of greet.Greeter, and not"
    ),
    "another code": (
        again(retryableStatusCodes=["INTERNAL"]), "sends calls again that end as INTERNAL, and a"
    ),
    "nobody died": ({"calls": (False, True)}, "no connection was cut in the midst of its calls"),
    "nobody fell silent": ({"calls": (True, False)}, "gave no connection up for its silence"),
    "calls were lost": (
        {"calls": (True, True, False)}, r"of 900 calls \d+ failed \(\d+ UNAVAILABLE\)\. The last of"
    ),
}  # fmt: skip


@pytest.mark.parametrize("state", WRONG)
def test_each_wrong_state_has_its_sentence_which_never_tells_the_fix(cluster, state):
    made, words = WRONG[state]
    cluster(**made)
    verdict = judge(4, "lab").verdict
    assert verdict.status == "fail", verdict
    assert re.search(words, verdict.sentence), verdict
    for advice in ("--keepalive", "--service-config", "should", "instead"):
        assert advice not in verdict.sentence
    for name, (_, other) in WRONG.items():
        if other != words:
            assert not re.search(other, verdict.sentence), f"this is the sentence of {name}, too"


def test_the_solution_passes(cluster):
    cluster()
    found = judge(4, "lab")
    assert found.verdict.status == "pass", found
    assert re.match(r"of 900 calls none failed: \d\d were sent again", found.right[-1])


@pytest.mark.parametrize("name", [{}, OURS | {"method": "Greet"}])
def test_other_names_of_the_method_pass_too(cluster, name):
    cluster(**again() | {"service_config": json.dumps(config() | {
        "methodConfig": [{"name": [name], "retryPolicy": RETRY}]
    })})  # fmt: skip
    assert judge(4, "lab").verdict.ok


def test_a_config_in_a_file_is_unknown(cluster):
    cluster(service_config="@/config.json")
    verdict = judge(4, "lab").verdict
    assert (verdict.status, "is in a file" in verdict.sentence) == ("unknown", True)


def test_the_solution_is_the_start_with_three_flags_more():
    assert built(LAB_4 / "start") == built(LAB_4 / "solution")
    (was,), (is_,) = built(LAB_4 / "start" / "client"), built(LAB_4 / "solution" / "client")
    was, is_ = (t["spec"]["template"]["spec"]["containers"][0]["args"] for t in (was, is_))
    assert is_[: len(was)] == was
    flags = [word.partition("=")[0] for word in is_[len(was) :]]
    assert flags == ["--keepalive-time", "--keepalive-timeout", "--service-config"]


def test_the_readme_shows_what_the_check_really_prints(cluster, kubectl):
    kubectl.set(contexts=["greetlab"])
    cluster(keepalive_time=None)
    unsolved = printed_check(4)
    cluster()
    first, *_, last = checks_in(LAB_4.name)
    assert first == unsolved
    assert re.sub(r"\d+\.\d s|\d+ were", "N", last) == re.sub(
        r"\d+\.\d s|\d+ were", "N", printed_check(4)
    )
