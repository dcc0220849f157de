"""What is the matter with a pod, in words."""

from __future__ import annotations

from datetime import datetime

from greetlab.clusters.kube.kubectl import Object

_NO_IMAGE = ("ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff", "InvalidImageName")
_CANNOT_BE_MADE = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")


def is_ready(pod: Object) -> bool:
    """Whether it is Ready, and not about to go."""
    conditions = pod["status"].get("conditions") or ()
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def ready_since(pod: Object) -> datetime | None:
    """When it became Ready; None: it is not, or nobody says."""
    for condition in pod["status"].get("conditions") or ():
        if condition["type"] == "Ready" and condition["status"] == "True":
            return _time(condition.get("lastTransitionTime"))
    return None


def started_at(pod: Object) -> datetime | None:
    """When its container began to run; None: it does not, or nobody says."""
    for container in pod["status"].get("containerStatuses") or ():
        return _time((container["state"].get("running") or {}).get("startedAt"))
    return None


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def hopeless(pod: Object) -> str | None:
    """Why it will not run as it is; None if waiting may help."""
    status = pod["status"]
    if status.get("reason") == "Evicted":
        return f"its node has evicted it: {status.get('message', 'no reason given')}"
    for container in status.get("containerStatuses") or ():
        waiting = container["state"].get("waiting") or {}
        reason = waiting.get("reason", "")
        if reason in _NO_IMAGE:
            return f"its node does not have the image {container['image']} ({reason})"
        if reason in _CANNOT_BE_MADE:
            return f"its container cannot be made: {waiting.get('message', reason)} ({reason})"
        if reason == "CrashLoopBackOff":
            ended = (container.get("lastState") or {}).get("terminated") or {}
            status = f", exit status {ended['exitCode']}" if "exitCode" in ended else ""
            return f"it ends as often as it is started ({reason}{status})"
    return None


def trouble(pod: Object) -> str:
    """Why a pod is not ready."""
    if (reason := hopeless(pod)) is not None:
        return reason
    for condition in pod["status"].get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            why = str(condition.get("message", condition.get("reason"))).rstrip(".")
            return f"no node takes it: {why}"
    states = [c["state"] for c in pod["status"].get("containerStatuses") or ()]
    for ended in [state["terminated"] for state in states if "terminated" in state]:
        return f"it ended with exit status {ended['exitCode']} ({ended.get('reason', 'Error')})"
    if any("running" in state for state in states):
        return "it runs, and its readiness probe does not succeed"
    return f"it is still {pod['status'].get('phase', 'Pending')}"
