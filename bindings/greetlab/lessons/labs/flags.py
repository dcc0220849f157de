"""What a Deployment's program is told by flags."""

from __future__ import annotations

from greetlab.clusters.kube.kubectl import Object


def flag(deployment: Object, name: str) -> str | None:
    """The value of "--name" in its first container; the last one counts. None: it is not given."""
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    words = [*(container.get("command") or ()), *(container.get("args") or ())]
    value = None
    for word, after in zip(words, [*words[1:], ""], strict=True):
        given, equals, told = word.partition("=")
        if given == name:
            value = told if equals else after
    return value
