"""The look from inside: greet-client in a short-lived pod of ours beside theirs.

It opens connections and calls nothing. It is a Job, so that Kubernetes ends and deletes it even if
nobody comes to do so.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count

from greetlab.clusters.kube import job
from greetlab.clusters.kube.channel import KubeChannel
from greetlab.clusters.kube.kubectl import Kubectl, KubectlError, Object
from greetlab.clusters.kube.pods import hopeless, started_at, trouble
from greetlab.clusters.kube.served import Served
from greetlab.commands.doctor.cluster.report import Inside
from greetlab.commands.doctor.service import unreachable

LABELS = {
    "app.kubernetes.io/name": "greetlab-doctor",
    "app.kubernetes.io/part-of": "greetlab",
}
_LIFE = 240.0
"""Seconds that it lives at most, and job.GRACE."""
_PATIENCE = 60.0
"""Seconds until it must run."""
_POLL = 0.2


class NotInsideError(RuntimeError):
    """Our pod does not run there; the words say why."""


def manifest(namespace: str, image: str) -> Object:
    """The Job. No mesh is to put a sidecar beside it: what is looked for is what is behind one."""
    made = job.manifest(["--serve"], image, _LIFE)
    made["metadata"]["namespace"] = namespace
    made["spec"]["ttlSecondsAfterFinished"] = 0
    template = made["spec"]["template"]
    name = made["metadata"]["name"].replace("greetclient", "greetlab-doctor")
    made["metadata"] |= {"name": name, "labels": LABELS}
    template["metadata"] = {
        "labels": LABELS | {"sidecar.istio.io/inject": "false"},
        "annotations": {"linkerd.io/inject": "disabled"},
    }
    template["spec"]["terminationGracePeriodSeconds"] = 1
    template["spec"]["containers"][0]["stdin"] = True  # open, and nobody writes to it: so it waits
    return made


@contextmanager
def beside(kubectl: Kubectl, namespace: str, image: str) -> Iterator[Served]:
    """A client in a pod of that namespace, until the end.

    Raises KubectlError or NotInsideError if it may not be, or does not run; ServedError if it is
    not to be spoken to.
    """
    made = manifest(namespace, image)
    name = made["metadata"]["name"]
    refused = False
    try:
        try:
            kubectl.create(made)
        except KubectlError as error:
            refused = bool(error.reason)  # by the server: there is nothing to delete
            raise
        pod = _running(kubectl, namespace, name)
        served = Served(kubectl.exec_command(pod, namespace, "greet-client", "--serve"), pod)
        try:
            yield served
        finally:
            served.close()
    finally:  # by its name, so that it is gone even where its making was interrupted
        flags = [name, f"--namespace={namespace}", "--cascade=foreground"]
        if not refused:
            kubectl.delete("jobs.batch", flags, wait=30)


def _running(kubectl: Kubectl, namespace: str, name: str) -> str:
    deadline = time.monotonic() + _PATIENCE
    selector = f"batch.kubernetes.io/job-name={name}"
    while True:
        pods = kubectl.get("pods", selector=selector, namespace=namespace)
        for pod in pods:
            if started_at(pod) is not None:
                return str(pod["metadata"]["name"])
            if (reason := hopeless(pod)) is not None:
                raise NotInsideError(f"our pod does not start: {reason}")
        if time.monotonic() > deadline:
            why = trouble(pods[0]) if pods else "none was made, as a policy or quota may have it"
            raise NotInsideError(f"our pod does not run after {_PATIENCE:.0f} s: {why}")
        time.sleep(_POLL)


_numbers = count(1)


def look(served: Served, target: str, timeout: float) -> Inside:
    """What a name gives there, and who of it can be connected to within `timeout` seconds."""
    name = f"doctor-{next(_numbers)}"
    with KubeChannel(served, target, name=name, title=target, policy="round_robin") as channel:
        with suppress(TimeoutError):  # who is missing is what we are here to see
            channel.wait_ready(all=True, timeout=timeout)
        addresses = sorted(subchannel.address for subchannel in channel.subchannels)
        seen = channel.trace
        answers = [event.status.upper() for event in seen.of("QueryAnswered")]
        said = "" if addresses else ", ".join(dict.fromkeys(answers)) or "no answer"
        return Inside(addresses, unreachable(seen), said)
