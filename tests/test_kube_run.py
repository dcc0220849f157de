"""`greetlab kube run` and `greetlab clean`, on a scripted kubectl's cluster."""

import json
import os
import signal
import subprocess
import sys

import pytest
from kube_world import ROOT, built, recorded
from support import wait_until
from typer.testing import CliRunner

import greetlab as gl
from greetlab import executables
from greetlab.clusters.kube import ForeignNamespaceError, Kubectl, RunError
from greetlab.clusters.kube.job import manifest, own_image
from greetlab.commands.cli import app

NAMESPACE = {
    "kind": "Namespace",
    "metadata": {"name": "greetlab", "labels": {"app.kubernetes.io/part-of": "greetlab"}},
}
TARGET = "dns:///greetserver-headless:50051"


def client(target, *arguments):
    """What `kubectl logs` has of the real client's run: both of its outputs, in one."""
    done = subprocess.run(
        [executables.path("greet-client"), target, "--trace", "-", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={"KUBERNETES_SERVICE_HOST": "10.96.0.1"},
    )  # fmt: skip
    return done.stdout


@pytest.fixture(scope="module")
def log():
    with gl.Cluster.local(pods=3) as cluster:
        target = cluster.target("greetserver-headless")
        return client(target, "--policy", "round_robin", "-n", "60", "--wait-ready")


@pytest.fixture
def cluster(kubectl, log):
    """One that has the namespace, and where a Job ends at once and well."""
    kubectl.set(objects=[NAMESPACE], job_pods=[pod("succeeded")], log=log)
    return kubectl


def pod(status):
    return {"kind": "Pod", "status": recorded(status) if isinstance(status, str) else status}


def ended(code, reason="Error"):
    terminated = {"exitCode": code, "reason": reason}
    return pod({"phase": "Failed", "containerStatuses": [{"state": {"terminated": terminated}}]})


def jobs(kubectl):
    return [thing for thing in kubectl.objects if thing["kind"] == "Job"]


def greetlab(*arguments):
    return CliRunner().invoke(app, list(arguments))


# The trace comes back.


def test_the_trace_comes_back_for_the_same_plots_under_the_badge_kube(cluster):
    trace = gl.kube.run(TARGET, "--policy", "round_robin", "-n", "60", context="lab")
    assert trace.world == "KUBE"
    assert len(trace.of("CallEnded", code="OK")) == 60
    picture = gl.plot.requests(trace)
    assert "pod-1 20, pod-2 20, pod-3 20" in picture.alt
    assert "KUBE" in [text.get_text() for text in picture.texts]
    assert jobs(cluster) == []


def test_the_command_prints_the_report_and_keeps_trace_and_picture(cluster, tmp_path):
    out, plot = tmp_path / "trace.jsonl", tmp_path / "requests.png"
    done = greetlab(
        "kube", "run", "--context", "lab", "--out", str(out), "--plot", str(plot), "--",
        TARGET, "-n", "60",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "60 calls · 60 OK · 3 connections" in done.stdout
    assert done.stdout.count("  20\n") == 3
    assert '{"' not in done.stdout
    assert gl.Trace.load(out).world == "KUBE"
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_json_is_one_document(cluster):
    done = greetlab("kube", "run", "--context", "lab", "--json", "--", TARGET)
    assert json.loads(done.stdout) == {
        "world": "KUBE",
        "calls": 60,
        "ok": 60,
        "connections": 3,
        "by_pod": {"pod-1": 20, "pod-2": 20, "pod-3": 20},
    }


def test_calls_that_failed_are_no_failure_to_run_them(cluster):
    cluster.set(job_pods=[ended(1)], log=client("static:127.255.255.1:9", "-n", "2"))
    done = greetlab("kube", "run", "--context", "lab", "--", TARGET)
    assert done.exit_code == 1
    assert "2 calls · 2 UNAVAILABLE" in done.stdout


def test_it_waits_for_the_end(cluster, monkeypatch):
    running = {"phase": "Running", "containerStatuses": [{"state": {"running": {}}}]}
    cluster.set(job_pods=[pod(running)])

    def time_passes(seconds):
        things = cluster.objects
        (client_pod,) = [thing for thing in things if thing["kind"] == "Pod"]
        client_pod["status"] = recorded("succeeded")
        cluster.set(objects=things)

    monkeypatch.setattr("greetlab.clusters.kube.runs.time.sleep", time_passes)
    assert gl.kube.run(TARGET, context="lab").of("CallEnded")


# What it runs.


def test_its_pod_is_as_locked_down_as_the_manifests_own():
    (theirs,) = [t for t in built(ROOT / "k8s/overlays/headless") if t["kind"] == "Job"]
    mine = manifest([TARGET], own_image(), 60)
    for key in ("restartPolicy", "securityContext", "automountServiceAccountToken"):
        assert _pod(mine)[key] == _pod(theirs)[key]
    container, other = _pod(mine)["containers"][0], _pod(theirs)["containers"][0]
    for key in ("securityContext", "image", "imagePullPolicy", "command", "name"):
        assert container[key] == other[key]
    assert mine["spec"]["template"]["metadata"] == theirs["spec"]["template"]["metadata"]
    assert mine["spec"]["backoffLimitPerIndex"] == 0
    assert mine["spec"]["ttlSecondsAfterFinished"] > 0


def _pod(job):
    return job["spec"]["template"]["spec"]


def test_each_run_has_a_name_of_its_own_and_the_trace_on_standard_output(cluster):
    for _ in range(2):
        gl.kube.run(TARGET, context="lab")
    made = [json.loads(a["body"]) for a in cluster.asked if a["words"][0] == "create"]
    assert len({job["metadata"]["name"] for job in made}) == 2
    assert _pod(made[0])["containers"][0]["args"] == [TARGET, "--trace", "-"]


# What can go wrong, in words.


def fails(*arguments, **options):
    with pytest.raises(RunError) as error:
        gl.kube.run(*(arguments or (TARGET,)), context="lab", **options)
    return str(error.value)


def test_a_log_that_lost_its_beginning_is_no_trace(cluster, log):
    cluster.set(log="".join(log.splitlines(keepends=True)[-100:]))
    assert "has lost the trace's beginning" in fails()
    assert jobs(cluster) == []


def test_a_log_that_lost_its_end_is_no_short_trace(cluster, log):
    lines = [line for line in log.splitlines() if line.startswith('{"')]
    cluster.set(log="\n".join(lines[:-7]))
    assert f"{len(lines) - 8} of the trace's {len(lines) - 1} events: it was cut" in fails()


def test_a_log_with_a_line_cut_in_the_middle_is_refused(cluster, log):
    cluster.set(log=log.rstrip()[:-9])
    assert "read what greet-client printed in pod greetclient-" in fails()


def test_a_log_without_a_trace_is_told(cluster):
    cluster.set(log="60 calls · 60 OK\n")
    assert fails().endswith("the log has no trace")


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("image_never_pull", "does not have the image greetlab:0.1.0 (ErrImageNeverPull)"),
        ("config_error", "image will run as root (CreateContainerConfigError)"),
    ],
)
def test_a_client_that_cannot_start_is_told_at_once_and_its_job_deleted(cluster, status, why):
    cluster.set(job_pods=[pod(status)])
    said = fails()
    assert "does not start: " in said
    assert why in said
    assert jobs(cluster) == []


@pytest.mark.parametrize(
    ("pods", "why"),
    [
        (["unschedulable"], "no node takes it: 0/1 nodes are available"),
        ([], "no pod was made for it"),
    ],
)
def test_one_that_takes_too_long_is_told_why(cluster, monkeypatch, pods, why):
    cluster.set(job_pods=[pod(status) for status in pods])
    clock = iter(range(0, 1000, 2))
    monkeypatch.setattr("greetlab.clusters.kube.runs.time.monotonic", lambda: next(clock))
    monkeypatch.setattr("greetlab.clusters.kube.runs.time.sleep", lambda seconds: None)
    said = fails(timeout=5)
    assert "has not ended after 5 s: " in said
    assert why in said
    assert jobs(cluster) == []


def test_what_the_client_says_is_passed_on(cluster):
    cluster.set(job_pods=[ended(2)], log=client("dns:///x:1", "--policy", "roundrobin"))
    assert "greet-client in pod greetclient-" in fails()
    assert "roundrobin" in fails()


def test_a_client_that_was_killed_is_told(cluster):
    cluster.set(job_pods=[ended(137, "OOMKilled")], log="")
    assert fails().endswith("it was ended, OOMKilled, exit status 137")


def test_without_the_namespace_there_is_nowhere_to_run(cluster):
    cluster.set(objects=[])
    assert "there is no namespace greetlab in context lab" in fails()
    assert "create" not in cluster.verbs()


def test_a_namespace_of_somebody_else_is_not_touched(cluster):
    cluster.set(objects=[{"kind": "Namespace", "metadata": {"name": "greetlab"}}])
    with pytest.raises(ForeignNamespaceError):
        gl.kube.run(TARGET, context="lab")
    assert set(cluster.verbs()) == {"config", "get"}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "what shall greet-client call?"),
        (["--", TARGET, "--trace=x"], "--trace is set already"),
        (["--timeout", "0", "--", TARGET], "timeout 0: 1 to 86400 seconds"),
        (["--out", "/nowhere/t.jsonl", "--", TARGET], "there is no folder /nowhere"),
        (["--plot", "a.jpeg", "--", TARGET], "a picture's name ends in .png, .svg, .pdf"),
    ],
)
def test_what_makes_no_sense_is_one_sentence_before_anything_is_made(cluster, arguments, why):
    done = greetlab("kube", "run", "--context", "lab", *arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith("greetlab kube run: ")
    assert why in done.stderr
    assert done.stderr.count("\n") == 1
    assert "create" not in cluster.verbs()


def test_without_a_context_nothing_is_run(cluster):
    done = greetlab("kube", "run", "--", TARGET)
    assert done.exit_code == 2
    assert "the current one is not taken by itself" in done.stderr
    assert cluster.verbs() == ["config"]


def test_ctrl_c_deletes_the_job(kubectl_on_path):
    kubectl_on_path.set(objects=[NAMESPACE], job_pods=[])
    code = "from greetlab.commands.cli import main; main()"
    command = [sys.executable, "-c", code, "kube", "run", "--context", "lab", "--", TARGET]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ
    ) as process:
        wait_until(lambda: kubectl_on_path.verbs()[-2:] == ["create", "get"])
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
    assert kubectl_on_path.verbs()[-1] == "delete"
    assert jobs(kubectl_on_path) == []


# greetlab clean.


def test_clean_deletes_the_namespace_and_says_what_went_and_that_nothing_is_left(kubectl):
    kubectl.deploy(built(ROOT / "labs/01_sticky_to_round_robin/solution"))
    done = greetlab("clean", "--context", "lab")
    assert done.exit_code == 0, done.output
    first, second = done.stdout.splitlines()
    assert first.startswith("deleted the namespace greetlab: 2 Deployment, 1 Ingress, ")
    assert second == "nothing else in context lab carries the lab's label"
    assert kubectl.objects == []


def test_clean_waits_until_it_is_gone_and_deletes_by_label_too(kubectl):
    kubectl.set(objects=[NAMESPACE])
    greetlab("clean", "--context", "lab")
    (deleted,) = [asked for asked in kubectl.asked if asked["words"][0] == "delete"]
    assert deleted["words"][1:] == ["namespaces"]
    assert deleted["flags"]["selector"] == "app.kubernetes.io/part-of=greetlab"
    assert deleted["flags"]["field-selector"] == "metadata.name=greetlab"
    assert deleted["flags"]["wait"] == "true"


def test_cleaning_twice_is_fine(kubectl):
    kubectl.set(objects=[NAMESPACE])
    assert greetlab("clean", "--context", "lab").exit_code == 0
    again = greetlab("clean", "--context", "lab")
    assert again.exit_code == 0
    assert again.stdout.startswith("no namespace greetlab in context lab: nothing to do")


def test_clean_leaves_what_is_not_ours(kubectl):
    theirs = {"kind": "Namespace", "metadata": {"name": "greetlab", "labels": {"team": "web"}}}
    kubectl.set(objects=[theirs])
    done = greetlab("clean", "--context", "lab")
    assert done.exit_code == 2
    assert "it is not this lab's, and is left alone" in done.stderr
    assert kubectl.objects == [theirs]
    assert "delete" not in kubectl.verbs()


def test_clean_tells_what_carries_our_label_elsewhere(kubectl):
    labels = {"app.kubernetes.io/part-of": "greetlab"}
    stray = {"name": "greetserver", "namespace": "default", "labels": labels}
    kubectl.set(objects=[NAMESPACE, {"kind": "Service", "metadata": stray}])
    done = greetlab("clean", "--context", "lab")
    assert "left alone, outside of it: Service default/greetserver" in done.stdout
    assert len(kubectl.objects) == 1


def test_clean_has_json_too(kubectl):
    kubectl.set(objects=[NAMESPACE])
    told = json.loads(greetlab("clean", "--context", "lab", "--json").stdout)
    assert told == {"context": "lab", "deleted": {}, "elsewhere": []}
    told = json.loads(greetlab("clean", "--context", "lab", "--json").stdout)
    assert told["deleted"] is None


def test_clean_needs_a_context_by_name(kubectl):
    kubectl.set(objects=[NAMESPACE])
    assert greetlab("clean").exit_code == 2
    assert kubectl.verbs() == ["config"]


# kubectl itself.


def test_a_kubeconfig_that_is_not_there_has_no_context(kubectl):
    kubectl.set(contexts=[], current="")
    with pytest.raises(ValueError, match="The kubeconfig has none"):
        Kubectl(None)


def test_every_question_names_the_context_and_has_a_time_limit(cluster):
    gl.kube.run(TARGET, context="lab")
    for asked in cluster.asked[1:]:
        assert asked["flags"]["context"] == "lab"
        assert asked["flags"]["request-timeout"].endswith("s")


def test_the_namespace_of_ours_is_the_only_one_that_is_touched(cluster):
    gl.kube.run(TARGET, context="lab")
    cluster.deploy(built(ROOT / "labs/01_sticky_to_round_robin/solution"))
    greetlab("check", "1", "--context", "lab")
    for asked in cluster.asked:
        verb, what = (*asked["words"], "")[:2]
        assert (
            verb == "config"
            or what == "namespaces"
            or asked["flags"].get("namespace") == "greetlab"
            or what.startswith("/api/v1/namespaces/greetlab/")
            or json.loads(asked["body"])["metadata"]["namespace"] == "greetlab"
        ), asked
