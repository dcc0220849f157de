"""What a container's command line says."""

from __future__ import annotations

import re

from greetlab.clusters.kube.kubectl import Object

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def told(template: Object, flag: str) -> str | None:
    """The value of a flag ("--grace") of a pod template's container; the last one counts.

    None: it is not given.
    """
    container = template["spec"]["containers"][0]
    words = [*(container.get("command") or ()), *(container.get("args") or ())]
    value = None
    for word, after in zip(words, [*words[1:], ""], strict=True):
        name, equals, given = word.partition("=")
        if name == flag:
            value = given if equals else after
    return value


def seconds(text: str) -> float | None:
    """A duration as our programs take it, "400ms", in seconds; None for what is none."""
    found = re.fullmatch(r"([0-9.]+)(ms|s|m|h)", text)
    return None if found is None else float(found[1]) * _SECONDS[found[2]]


def flag(deployment: Object, name: str) -> str | None:
    """The same of a Deployment's pods."""
    return told(deployment["spec"]["template"], name)
