"""The real kubectl understands what we ask of it: everything, against an API server in memory.

The scripted kubectl of the other tests takes our word for it.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from kube_api import KubeApi, kubeconfig
from kube_world import LAB_1, built, greeting, recorded, servers, settled
from test_kube_run import NAMESPACE, TARGET, client
from typer.testing import CliRunner

import greetlab as gl
from greetlab import executables
from greetlab.clusters.kube import Kubectl, KubectlError
from greetlab.commands.cli import app
from greetlab.lessons.labs import judge
from greetlab.lessons.labs.seen import Seen, pod_of

KUBECTL = Path(sys.executable).with_name("kubectl")


@pytest.fixture
def api(tmp_path, monkeypatch):
    """A cluster whose context is called lab."""
    monkeypatch.setenv("PATH", str(KUBECTL.parent))
    monkeypatch.setenv("HOME", str(tmp_path))  # kubectl's cache
    monkeypatch.delenv("GREETLAB_CONTEXT", raising=False)
    with KubeApi() as api:
        monkeypatch.setenv("KUBECONFIG", kubeconfig(tmp_path / "config", api.url))
        yield api


def test_a_check_passes_from_end_to_end(api, monkeypatch):
    monkeypatch.setattr("greetlab.lessons.labs.sharing.GREETINGS", 3)
    api.objects = settled(built(LAB_1 / "solution"))
    answers = iter(servers(api.objects))
    api.greet = lambda body: greeting(next(answers))
    found = judge(1, "lab")
    assert found.verdict.ok, found


def test_lab_0_passes(api):
    api.objects = [recorded("node"), {"kind": "IngressClass", "metadata": {"name": "nginx"}}]
    found = judge(0, "lab")
    assert found.verdict.ok, found


def test_a_greeting_is_sent_as_it_should_be(api):
    sent = []
    api.greet = lambda body: sent.append(body) or greeting("pod-1")
    assert Seen(Kubectl("lab")).greet("greetgateway", "http") == "pod-1"
    assert sent == [b'{"first_name": "Ada", "last_name": "Lovelace"}']


def test_clean_deletes_ours_and_nothing_else(api):
    other = {"kind": "Namespace", "metadata": {"name": "other", "labels": {}}}
    api.objects = [NAMESPACE, other]
    done = CliRunner().invoke(app, ["clean", "--context", "lab"])
    assert done.exit_code == 0, done.output
    assert api.objects == [other]


def test_a_namespace_whose_label_went_meanwhile_is_not_deleted(api, monkeypatch):
    monkeypatch.setattr("greetlab.clusters.kube.namespace.is_there", lambda *_: True)
    api.objects = [{"kind": "Namespace", "metadata": {"name": "greetlab", "labels": {"a": "b"}}}]
    CliRunner().invoke(app, ["clean", "--context", "lab"])
    assert len(api.objects) == 1


def test_a_client_runs_and_its_trace_comes_back(api):
    with gl.Cluster.local(pods=3) as cluster:
        api.log = client(cluster.target("greetserver-headless"), "-n", "6", "-q")
    api.objects = _Ending([NAMESPACE])
    trace = gl.kube.run(TARGET, context="lab")
    assert trace.world == "KUBE"
    assert len(trace.of("CallEnded")) == 6
    assert [thing["kind"] for thing in api.objects] == ["Namespace", "Pod"]


class _Ending(list):
    """A pod that has ended comes with each Job."""

    def append(self, thing):
        super().append(thing)
        name = thing["metadata"]["name"]
        meta = {
            "name": f"{name}-x7k2p", "namespace": "greetlab",
            "labels": {"batch.kubernetes.io/job-name": name},
        }  # fmt: skip
        super().append(
            {
                "kind": "Pod", "apiVersion": "v1", "metadata": meta,
                "spec": thing["spec"]["template"]["spec"], "status": recorded("succeeded"),
            }
        )  # fmt: skip


def test_a_cluster_that_is_not_there_is_unknown(api):
    api.close()
    verdict = judge(1, "lab").verdict
    assert verdict.status == "unknown"
    assert "was refused" in verdict.sentence


def test_an_error_has_the_servers_reason(api):
    with pytest.raises(KubectlError) as error:
        Kubectl("lab").logs("no-such-pod", "greetlab")
    assert error.value.reason == "NotFound"


def test_the_gateway_understands_how_kubectl_posts(tmp_path, monkeypatch):
    """In chunks, without a Content-Type, and with a liking for JSON."""
    try:
        program = executables.path("greet-gateway")
    except FileNotFoundError:
        pytest.skip("no greet-gateway in this installation")
    monkeypatch.setenv("PATH", str(KUBECTL.parent))
    with gl.Cluster.local(pods=3) as cluster:
        target = cluster.target("greetserver-headless")
        flags = ["--target", target, "--policy", "round_robin", "--listen", "127.0.0.1"]
        with subprocess.Popen(
            [program, *flags, "--port", "0"], stdout=subprocess.PIPE, text=True
        ) as gateway:
            address = gateway.stdout.readline().split("serving on ")[1].split(",")[0]
            config = kubeconfig(tmp_path / "config", f"http://{address}")
            monkeypatch.setenv("KUBECONFIG", config)
            body = '{"first_name": "Ada", "last_name": "Lovelace"}'
            answers = {pod_of(Kubectl("lab").post("/greet", body)) for _ in range(6)}
            gateway.terminate()
    assert answers == {"pod-1", "pod-2", "pod-3"}
