"""Which pod handled each request, in a terminal: one sign a request, in its pod's colour."""

from __future__ import annotations

from collections.abc import Iterable

from rich.columns import Columns
from rich.console import Group, RenderableType

from greetlab.channels.calls import Calls
from greetlab.views.palette import FAILED, PodStyle, pod_styles
from greetlab.views.words import Text

MOST_SIGNS = 400
"""Of more calls than this only the counts are shown: their order is `greetlab.views.plot`'s."""


def strip(calls: Calls, pods: Iterable[str]) -> RenderableType:
    """The calls' title, their signs in the order of the calls, the counts, and the errors.

    pods: the names of those that could have answered; others that did are shown, too.
    """
    styles = pod_styles({*pods, *calls.pods})
    signs = Text()
    for code in calls.pod.tolist() if len(calls) <= MOST_SIGNS else ():
        style = styles[calls.pods[code]] if code >= 0 else FAILED
        signs.append(style.sign, style.color)
    counts: list[RenderableType] = [
        _count(style, pod, calls.by_pod.get(pod, 0)) for pod, style in styles.items()
    ]
    if failed := len(calls) - calls.ok:
        counts.append(_count(FAILED, "failed", failed))
    if connections := len(calls.connections):  # else it is not known
        counts.append(Text(f"{connections} connection{'s' * (connections != 1)}", "dim"))
    shown: list[RenderableType] = [Text(calls.title, "bold"), *([signs] if signs else [])]
    shown.append(Columns(counts, padding=(0, 3)))
    return Group(*shown, *(Text(error, FAILED.color) for error in calls.errors))


def _count(style: PodStyle, who: str, count: int) -> RenderableType:
    return Text.assemble((f"{style.sign} {who}", style.color), f" {count:,}")
