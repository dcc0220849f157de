"""Lab 3: a rolling update under load, and whatever of it a caller notices."""

from __future__ import annotations

from itertools import pairwise

from greetlab.clusters.kube.kubectl import Object
from greetlab.lessons.exercises.exercise import CannotLook
from greetlab.lessons.labs import called, flags, sharing
from greetlab.lessons.labs.lab import Lab, Wrong
from greetlab.lessons.labs.seen import Seen

SHORTEST = 2.0
"""Seconds of preStop. kube-proxy writes its rules once a second at most (its minSyncPeriod), and
the way of the news to it, and to DNS, takes some time, too."""
EDGE = 20
"""So many calls at the beginning and at the end say who answered before the rollout, and after."""
GRACE, PERIOD = "5s", 30
"""What holds without a word: greet-server's --grace, and Kubernetes' seconds until SIGKILL."""


def _pod(seen: Seen) -> Object:
    spec: Object = sharing.deployment_of(seen, sharing.SERVER)["spec"]["template"]["spec"]
    return spec


# How a pod begins.


def _surge(seen: Seen) -> str:
    """New pods come before old ones go."""
    strategy = sharing.deployment_of(seen, sharing.SERVER)["spec"].get("strategy") or {}
    if strategy.get("type") == "Recreate":
        raise Wrong(
            f"the strategy of the Deployment {sharing.SERVER} is Recreate: all its pods end before "
            "the first new one begins."
        )
    return f"Deployment {sharing.SERVER} is updated pod by pod"


def _readiness(seen: Seen) -> str:
    """A pod is an endpoint when it answers."""
    if not _pod(seen)["containers"][0].get("readinessProbe"):
        raise Wrong(
            f"nobody asks a pod of {sharing.SERVER} whether it is ready: it is an endpoint as soon "
            "as its process runs, and the next old one goes, whether it answers or not."
        )
    return "a pod is asked whether it is ready"


# How it ends.


def _pre_stop(seen: Seen) -> str:
    """It goes on for a while after it is off the list."""
    waits = _waits(_pod(seen))
    if waits == 0:
        raise Wrong(
            f"a pod of {sharing.SERVER} gets SIGTERM in the moment in which it is taken off the "
            "list: kube-proxy and DNS hear of that later, and until then send callers to it."
        )
    if waits < SHORTEST:
        raise Wrong(
            f"a pod of {sharing.SERVER} goes on for {waits:g} s after it is off the list: "
            f"kube-proxy alone may take that long to hear of it."
        )
    return f"a pod goes on for {waits:g} s after it is off the list"


def _waits(pod: Object) -> float:
    hook = (pod["containers"][0].get("lifecycle") or {}).get("preStop")
    if not hook:
        return 0.0
    if "sleep" not in hook:
        raise CannotLook(f"preStop is {', '.join(hook)}: how long that takes is not to be seen.")
    return float(hook["sleep"].get("seconds", 0))


def _grace(seen: Seen) -> str:
    """What is under way comes to its end."""
    template = sharing.deployment_of(seen, sharing.SERVER)["spec"]["template"]
    grace, longest = (
        _seconds(template, "--grace", GRACE),
        _seconds(template, "--service-time", "0s"),
    )
    if grace == 0 or grace < longest:
        takes = f", and a call takes {longest:g} s" if longest else ""
        raise Wrong(
            f"at SIGTERM a pod of {sharing.SERVER} gives what is under way {grace:g} s{takes}: the "
            "calls that it serves then are cut off."
        )
    return f"what is under way at SIGTERM gets {grace:g} s"


def _seconds(template: Object, flag: str, default: str) -> float:
    given = flags.told(template, flag) or default
    seconds = flags.seconds(given)
    if seconds is None:
        raise CannotLook(f"the servers' {flag} is {given!r}, which this check cannot read.")
    return seconds


def _period(seen: Seen) -> str:
    """SIGKILL comes after both."""
    pod = _pod(seen)
    period = pod.get("terminationGracePeriodSeconds", PERIOD)
    waits = _waits(pod)
    grace = _seconds({"spec": pod}, "--grace", GRACE)
    if period <= waits + grace:
        raise Wrong(
            f"SIGKILL comes {period} s after a pod was told to go, and its ways to go take up to "
            f"{waits + grace:g} s ({waits:g} of preStop, {grace:g} of --grace)."
        )
    return f"SIGKILL comes after {period} s, when both are over"


# And what a caller noticed.


def _rolled(seen: Seen) -> str:
    """A rollout went on while the Job called, and it brought the pods that are there."""
    answered = [event.pod for event in called.trace(seen).of("CallEnded", code="OK")]
    before, after = set(answered[:EDGE]), set(answered[-EDGE:])
    if before & after or not answered:
        raise Wrong(
            "the pods that answered the first calls of the Job greetclient answered its last ones, "
            "too: no rollout went on meanwhile, or it was not over."
        )
    selector = sharing.deployment_of(seen, sharing.SERVER)["spec"]["selector"]["matchLabels"]
    if gone := sorted(after - set(seen.pods_of(selector))):
        raise Wrong(
            f"the Job greetclient ended before the pods that are there now had come: its last "
            f"calls were answered by {', '.join(gone)}."
        )
    return f"{len(answered)} calls while all pods were replaced"


def _none_lost(seen: Seen) -> str:
    """Every call was OK."""
    calls = called.trace(seen)
    ends, failed = calls.of("CallEnded"), called.failed(calls)
    if not failed:
        return f"of {len(ends)} calls none failed"
    sent = called.picked(calls)
    unsent = [event for event in failed if event.call not in sent]
    told = f"of {len(ends)} calls {len(failed)} failed ({called.statuses(failed)})"
    if not unsent:
        raise Wrong(f"{told}: they were with a pod when it went. It said: {failed[0].message}.")
    first, last = unsent[0].seconds, unsent[-1].seconds
    looks = [lookup.seconds for lookup in calls.of("LookupStarted")]
    waits = [after - before for before, after in pairwise(looks) if before <= first < after]
    why = f" From one lookup to the next it let {waits[0]:.0f} s pass." if waits else ""
    raise Wrong(f"{told}: for {last - first:.1f} s no pod that the client knew was there.{why}")


LAB = Lab(
    number=3,
    name="a_rollout_without_a_lost_call",
    done="all pods were replaced, and no caller noticed.",
    steps=(
        sharing.at_least(3),
        _surge,
        _readiness,
        _pre_stop,
        _grace,
        _period,
        _rolled,
        _none_lost,
    ),
)
