"""What is the matter with a pod, in words."""

from __future__ import annotations

from greetlab.kube.kubectl import Object

_NO_IMAGE = ("ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff", "InvalidImageName")
_CANNOT_BE_MADE = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")


def is_ready(pod: Object) -> bool:
    """Whether it is Ready, and not about to go."""
    conditions = pod["status"].get("conditions") or ()
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


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
