"""Lab 4: a pod that dies without a word, one that falls silent, and a client that outlives both."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from greetlab.channels import service_config
from greetlab.lessons.exercises.exercise import CannotLook
from greetlab.lessons.labs import called, flags, sharing
from greetlab.lessons.labs.lab import Lab, Wrong
from greetlab.lessons.labs.seen import Seen
from greetlab.trace.trace import Event, Trace

METHOD = {"service": "greet.GreetService", "method": "Greet"}
TIMEOUT, DEADLINE = "20s", "5s"
"""What holds without a word: of --keepalive-timeout (gRFC A8) and of greet-client's --deadline."""
QUIET = 1.0
"""Seconds. A connection with a call on it every quarter of a second, that had no reply for so long
when it was lost, was lost to silence; one that was lost earlier, to the end of its pod."""


# What the client was told.


def _keepalive(seen: Seen) -> str:
    """Silence is noticed, and within the time that a call has."""
    time = called.flag(seen, "--keepalive-time")
    if time is None or _seconds(time) == 0:
        raise Wrong(
            "to the client a connection on which nobody answers is as good as any: TCP gives it up "
            "after about a quarter of an hour, and nobody before that."
        )
    timeout = called.flag(seen, "--keepalive-timeout") or TIMEOUT
    deadline = called.flag(seen, "--deadline") or DEADLINE
    if _seconds(timeout) >= _seconds(deadline):
        raise Wrong(
            f"the client gives a silent connection up after {timeout}, and its calls after "
            f"{deadline}: they are over before it knows."
        )
    return f"a connection that is silent is given up after {timeout}, a call after {deadline}"


def _seconds(text: str) -> float:
    seconds = 0.0 if text == "0" else flags.seconds(text)
    if seconds is None:
        raise CannotLook(f"the client was told {text!r}, which this check cannot read.")
    return seconds


def _retries(seen: Seen) -> str:
    """A call that was lost with its pod is sent to another (gRFC A6)."""
    text = called.flag(seen, "--service-config")
    if text is None:
        raise Wrong("a call that is lost with its pod is lost: the client sends none again.")
    if text.startswith("@"):
        raise CannotLook(f"the client's service config is in a file, {text[1:]}.")
    try:
        service_config.read(text, told=False)
    except ValueError as error:
        why = str(error).removeprefix("service config: ").removesuffix(".")
        raise Wrong(f"the client's service config is refused, as a whole: {why}.") from error
    policies = [(method.get("name") or [], method["retryPolicy"]) for method in _retrying(text)]
    if not policies:
        raise Wrong("a service config is there, and says nothing about sending a call again.")
    ours = [policy for names, policy in policies if any(_is_ours(name) for name in names)]
    if not ours:
        named = sorted({name.get("service", "") for names, _ in policies for name in names})
        whose = f"for the methods of {', '.join(named)}" if any(named) else "for no method"
        raise Wrong(f"the client's retryPolicy is {whose}, and not for {METHOD['service']}.")
    codes = [str(code) for policy in ours for code in policy["retryableStatusCodes"]]
    if "UNAVAILABLE" not in codes and "14" not in codes:
        raise Wrong(
            f"the client sends calls again that end as {', '.join(codes)}, and a call that is lost "
            "with its connection ends as UNAVAILABLE."
        )
    return "a call that is lost with its pod is sent to another"


def _retrying(text: str) -> list[dict[str, Any]]:
    methods: list[dict[str, Any]] = json.loads(text).get("methodConfig") or []
    return [method for method in methods if "retryPolicy" in method]


def _is_ours(name: dict[str, str]) -> bool:
    """A name that has nothing is of all methods, one without a method of all of a service."""
    return name.items() <= METHOD.items()


# What became of its calls.


def _died(seen: Seen) -> str:
    """A pod went without a word while the Job called."""
    calls = called.trace(seen)
    if not [event for event in _broken(calls) if _quiet(calls, event) < QUIET]:
        raise Wrong(
            "while the Job greetclient called, no connection was cut in the midst of its calls: no "
            "pod died, or each said that it goes."
        )
    return "a pod died while the client called"


def _fell_silent(seen: Seen) -> str:
    """Another one was silent, and the client noticed."""
    calls = called.trace(seen)
    quiet = [_quiet(calls, event) for event in _broken(calls)]
    if not any(seconds >= QUIET for seconds in quiet):
        raise Wrong(
            "while the Job greetclient called, it gave no connection up for its silence: no pod "
            "fell silent, or not for long enough."
        )
    return f"another was silent, and given up after {max(quiet):.1f} s"


def _broken(calls: Trace) -> list[Event]:
    return list(calls.of("ConnectionLost", graceful="no"))


def _quiet(calls: Trace, lost: Event) -> float:
    """Seconds from the last good reply on a connection, or from its beginning, to its loss."""
    replies = calls.of("CallEnded", connection=lost.connection, code="OK")
    began = calls.of("Connected", connection=lost.connection)
    heard = [*began.seconds.tolist(), *replies.seconds.tolist()]
    return lost.seconds - float(np.max([at for at in heard if at <= lost.seconds], initial=0.0))


def _none_lost(seen: Seen) -> str:
    """Every call was OK, in the end."""
    calls = called.trace(seen)
    failed = called.failed(calls)
    if failed:
        raise Wrong(
            f"of {len(calls.of('CallEnded'))} calls {len(failed)} failed "
            f"({called.statuses(failed)}). The last of them said: {failed[-1].message}."
        )
    again = len(calls.of("RetryScheduled"))
    return f"of {len(calls.of('CallEnded'))} calls none failed: {again} were sent again"


LAB = Lab(
    number=4,
    name="pods_that_die_and_fall_silent",
    done="a pod died, another fell silent, and no caller noticed.",
    steps=(
        sharing.at_least(3),
        _keepalive,
        _retries,
        _died,
        _fell_silent,
        _none_lost,
    ),
)
