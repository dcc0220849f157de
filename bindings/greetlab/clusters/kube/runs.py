"""greet-client in the cluster, and its trace brought back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
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
_AT_A_TIME = 4


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
    (done,) = run_job(kubectl, arguments, image=image, timeout=timeout)
    return Run(done.trace, "\n".join(done.words), done.status == 0)


@dataclass(frozen=True)
class Ended:
    """What one pod of a Job came to.

    pod: the object. status: greet-client's exit status, 0 or 1. words: what it printed.
    """

    pod: Object
    status: int
    trace: Trace
    words: list[str]


def run_job(
    kubectl: Kubectl,
    arguments: Sequence[str],
    *,
    image: str,
    timeout: float,
    where: str = namespace.NAMESPACE,
    clients: int = 1,
) -> list[Ended]:
    """Runs greet-client as a Job of so many pods, waits for their end, deletes the Job; in the
    order of their indexes. See `run_client`.

    where: the namespace.
    """
    thing = job.manifest(
        [*arguments, "--trace", "-"], image, timeout, namespace=where, clients=clients
    )
    name = thing["metadata"]["name"]
    try:
        kubectl.create(thing)
        pods = _ended(kubectl, thing, time.monotonic() + timeout, timeout)
        # A log is a kubectl each, most of which is its start.
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            logs = list(pool.map(lambda pod: kubectl.logs(_name(pod), where), pods))
    finally:
        chosen = [name, f"--namespace={where}", "--cascade=background"]
        with suppress(KubectlError):  # then it goes by itself, after its ttlSecondsAfterFinished
            kubectl.delete("jobs.batch", chosen)
    return [_read(pod, text) for pod, text in zip(pods, logs, strict=True)]


def _read(pod: Object, text: str) -> Ended:
    trace, words = log.split(text)
    ending = _ending(pod)
    assert ending is not None
    status = ending["exitCode"]
    if status not in (0, 1):  # 1: calls have failed, and the trace tells
        how = f"it was ended, {ending.get('reason', 'Error')}, exit status {status}"
        said = words[-1].removeprefix("greet-client: ") if words and status == 2 else how
        raise RunError(f"greet-client in pod {_name(pod)}: {said}")
    try:
        return Ended(pod, status, log.read_trace(trace), words)
    except ValueError as error:
        raise RunError(f"read what greet-client printed in pod {_name(pod)}: {error}") from error


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


def _ended(kubectl: Kubectl, thing: Object, deadline: float, timeout: float) -> list[Object]:
    """The Job's pods, in the order of their indexes, once the container of each has ended."""
    name, where = thing["metadata"]["name"], thing["metadata"]["namespace"]
    while True:
        pods = kubectl.get("pods", selector=f"{job.JOB_NAME}={name}", namespace=where)
        running = [pod for pod in pods if _ending(pod) is None]
        if not running and len(pods) == thing["spec"]["completions"]:
            return sorted(pods, key=index)
        for pod in running:
            if (reason := hopeless(pod)) is not None:
                raise RunError(f"pod {_name(pod)} does not start: {reason}")
        if time.monotonic() > deadline:
            raise RunError(f"job {name} has not ended after {timeout:.0f} s: {_why(pods, running)}")
        time.sleep(POLL)


def index(pod: Object) -> int:
    """Which of its Job's pods this is, from 0."""
    return int((pod["metadata"].get("labels") or {}).get(job.INDEX, 0))


def _name(pod: Object) -> str:
    return str(pod["metadata"]["name"])


def _ending(pod: Object) -> Object | None:
    for container in pod["status"].get("containerStatuses") or ():
        ended: Object | None = container["state"].get("terminated")
        if ended is not None:
            return ended
    return None


def _why(pods: list[Object], running: list[Object]) -> str:
    if not running:
        made = f"only {len(pods)} pods were" if pods else "no pod was"
        return f"{made} made for it, which the namespace's policies or quota may forbid"
    more = f", and {len(running) - 1} more" if len(running) > 1 else ""
    return f"pod {_name(running[0])}: {trouble(running[0])}{more}"
