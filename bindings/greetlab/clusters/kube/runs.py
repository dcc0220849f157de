"""greet-client in the cluster, and its trace brought back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from greetlab.clusters.kube import job, log, namespace
from greetlab.clusters.kube.kubectl import Kubectl, KubectlError, Object
from greetlab.clusters.kube.pods import hopeless, trouble
from greetlab.trace.trace import Trace

POLL = 0.5
"""Seconds between two looks at the pod."""
TIMEOUT = 300.0
"""Seconds until it must have ended, the image's arrival included."""


class RunError(RuntimeError):
    """greet-client could not be run in the cluster; the words say why."""


@dataclass(frozen=True)
class Run:
    """greet-client's run in a cluster.

    trace: what happened, of the world "KUBE". words: what the client printed: its greetings and
    its report. all_ok: whether every call was OK.
    """

    trace: Trace
    words: str
    all_ok: bool


def run(
    *arguments: str, context: str | None = None, image: str | None = None, timeout: float = TIMEOUT
) -> Trace:
    """Runs greet-client as a Job in the cluster and returns its trace; see `run_client`.

    gl.kube.run("dns:///greetserver.greetlab.svc.cluster.local:50051", "-n", "60",
                context="greetlab")
    """
    return run_client(
        Kubectl(context), arguments, image=image or job.own_image(), timeout=timeout
    ).trace


def run_client(
    kubectl: Kubectl, arguments: Sequence[str], *, image: str, timeout: float = TIMEOUT
) -> Run:
    """Runs greet-client as a Job in the namespace greetlab, waits for its end, deletes the Job.

    The Job is deleted whatever happens, Ctrl-C too.

    arguments: greet-client's: a target, and flags. image: where greet-client is. timeout: seconds.

    Raises ValueError for arguments that make no sense, RunError if the client could not be run,
    KubectlError if the cluster could not be reached.
    """
    _check(arguments, timeout)
    if not namespace.is_there(kubectl):
        raise RunError(
            f"there is no namespace {namespace.NAMESPACE} in context {kubectl.context} to run it "
            "in: nothing of the lab is deployed there"
        )
    thing = job.manifest([*arguments, "--trace", "-"], image, timeout)
    name = thing["metadata"]["name"]
    try:
        kubectl.create(thing)
        pod, ending = _ended(kubectl, name, time.monotonic() + timeout, timeout)
        trace, words = log.split(kubectl.logs(pod, namespace.NAMESPACE))
    finally:
        chosen = [name, f"--namespace={namespace.NAMESPACE}", "--cascade=background"]
        with suppress(KubectlError):  # then it goes by itself, after its ttlSecondsAfterFinished
            kubectl.delete("jobs.batch", chosen)
    status = ending["exitCode"]
    if status not in (0, 1):  # 1: calls have failed, and the trace tells
        how = f"it was ended, {ending.get('reason', 'Error')}, exit status {status}"
        said = words[-1].removeprefix("greet-client: ") if words and status == 2 else how
        raise RunError(f"greet-client in pod {pod}: {said}")
    try:
        return Run(log.read_trace(trace), "\n".join(words), status == 0)
    except ValueError as error:
        raise RunError(f"read what greet-client printed in pod {pod}: {error}") from error


def _check(arguments: Sequence[str], timeout: float) -> None:
    if not arguments:
        raise ValueError(
            "what shall greet-client call? Its arguments come after --, a target first: "
            "-- dns:///greetserver.greetlab.svc.cluster.local:50051"
        )
    if any(argument.split("=")[0] == "--trace" for argument in arguments):
        raise ValueError("--trace is set already: the trace is what comes back")
    if not 1 <= timeout <= 86_400:
        raise ValueError(f"timeout {timeout:g}: 1 to 86400 seconds")


def _ended(kubectl: Kubectl, name: str, deadline: float, timeout: float) -> tuple[str, Object]:
    """The pod's name and how its container ended, once it has."""
    while True:
        pods = kubectl.get(
            "pods", selector=f"batch.kubernetes.io/job-name={name}", namespace=namespace.NAMESPACE
        )
        for pod in pods:
            who = pod["metadata"]["name"]
            if (ending := _ending(pod)) is not None:
                return who, ending
            if (reason := hopeless(pod)) is not None:
                raise RunError(f"pod {who} does not start: {reason}")
        if time.monotonic() > deadline:
            raise RunError(f"job {name} has not ended after {timeout:.0f} s: {_why(pods)}")
        time.sleep(POLL)


def _ending(pod: Object) -> Object | None:
    for container in pod["status"].get("containerStatuses") or ():
        ended: Object | None = container["state"].get("terminated")
        if ended is not None:
            return ended
    return None


def _why(pods: list[Object]) -> str:
    if not pods:
        return "no pod was made for it, which the namespace's policies or quota may forbid"
    return f"pod {pods[0]['metadata']['name']}: {trouble(pods[0])}"
