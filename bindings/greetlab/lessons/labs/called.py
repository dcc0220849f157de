"""What a lab's own client has seen: the Job greetclient, whose log is its trace."""

from __future__ import annotations

from collections import Counter

import numpy as np

from greetlab.clusters.kube import log
from greetlab.clusters.kube.kubectl import Object
from greetlab.clusters.kube.pods import hopeless
from greetlab.lessons.exercises.exercise import CannotLook
from greetlab.lessons.labs import flags
from greetlab.lessons.labs.lab import Wrong
from greetlab.lessons.labs.seen import Seen
from greetlab.trace.trace import Event, Trace

CLIENT = "greetclient"


def trace(seen: Seen) -> Trace:
    """The trace of the Job's calls.

    Raises Wrong if it has not called, or not ended yet; CannotLook if its log is not a whole trace.
    """
    name, pod = _pod(seen)
    if pod["status"].get("phase") not in ("Succeeded", "Failed"):
        why = hopeless(pod)
        raise Wrong(f"the Job {CLIENT} " + (f"does not run: {why}." if why else "still calls."))
    lines, words = log.split(seen.log(name))
    try:
        found = log.read_trace(lines)
    except ValueError as error:
        said = f" It said: {words[0]}" if not lines and words and words[0] else ""
        raise CannotLook(f"the Job {CLIENT}: {error}.{said}") from error
    if not len(found.of("CallEnded")):
        raise Wrong(f"the Job {CLIENT} made no call.")
    return found


def flag(seen: Seen, name: str) -> str | None:
    """The value of one of the Job's flags; None: it is not given."""
    _pod(seen)
    return flags.told(seen.all("Job")[CLIENT]["spec"]["template"], name)


def _pod(seen: Seen) -> tuple[str, Object]:
    if CLIENT not in seen.all("Job"):
        raise Wrong(f"there is no Job {CLIENT}: nobody has called yet.")
    for name, pod in seen.all("Pod").items():
        if (pod["metadata"].get("labels") or {}).get("batch.kubernetes.io/job-name") == CLIENT:
            return name, pod
    raise Wrong(f"the Job {CLIENT} has no pod: it ran out of its time, or was never begun.")


def failed(calls: Trace) -> list[Event]:
    """The calls that were not OK, in the order of their ends."""
    return [event for event in calls.of("CallEnded") if event.code != "OK"]


def statuses(ends: list[Event]) -> str:
    """ "3 UNAVAILABLE, 1 CANCELLED"."""
    counts = Counter(event.code for event in ends)
    return ", ".join(f"{many} {code}" for code, many in counts.most_common())


def picked(calls: Trace) -> set[int]:
    """The calls that were given to a pod's connection, once at least."""
    return set(np.unique(calls.of("Picked").column("Picked", "call")).tolist())
