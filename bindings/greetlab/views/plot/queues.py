"""What each pod has to do: how many calls it serves, how many wait, and which it refuses."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from greetlab.trace.trace import Trace
from greetlab.views.palette import FAILED
from greetlab.views.plot.clock import changes_in, pod_changes, time_axis
from greetlab.views.plot.columns import Column
from greetlab.views.plot.reading import Reading, in_order
from greetlab.views.plot.style import (
    BAND,
    INK,
    NORMAL,
    QUIET,
    SMALL,
    WIDTH,
    Picture,
    bare,
    label,
    plural,
    quiet,
)

_SERVED = "#33505F"
_ENDS = ("killed", "lost", "stopped")
MOST_PODS = 12
"""More pods than this are not drawn: those with the longest queues are."""


def queues(trace: Trace, *, title: str = "") -> Picture:
    """The load of each pod in time: calls in service, on top of them those that wait, and a red
    line for each call that is refused.

    Pods tell it in the sim, where they have a `capacity`. Of many pods, those whose queues were the
    longest are drawn.

    Raises ValueError for a trace in which no pod does.
    """
    reading = Reading(trace)
    pods = _pods(reading)
    if not pods:
        raise ValueError(
            f"plot.queues(): no pod tells of its queue in {trace!r}; those of "
            "Cluster.sim(capacity=...) do"
        )
    longest = sorted(pods, key=lambda name: -pods[name].waiting.max())[:MOST_PODS]
    shown = [name for name in in_order(pods) if name in longest]
    top_height = 0.3 if changes_in(reading) else 0.04
    heights = [top_height, *([0.95] * len(shown))]
    picture = Picture(WIDTH, 1.45 + sum(heights))
    first, *lanes = picture.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    limits = (reading.begin - 0.01 * reading.seconds, 1.01 * reading.seconds or 1e-6)
    quiet(first)
    first.set_title(label(reading.title), loc="left", fontsize=NORMAL, color=INK)
    most = max(int((one.in_service + one.waiting).max()) for one in pods.values())
    told = []
    for axes, name in zip(lanes, shown, strict=True):
        told.append(_draw(axes, name, pods[name], reading, most))
    changes = pod_changes(lanes, first, reading, limits, WIDTH - 1.8)
    time_axis(lanes[-1], limits, "the client began")
    lanes[-1].legend(
        handles=[Patch(color=_SERVED), Patch(color=BAND, ec=QUIET), Patch(color=FAILED.color)],
        labels=["in service", "waiting", "refused"], loc="upper center", ncols=3, frameon=False,
        bbox_to_anchor=(0.5, -0.55), fontsize=SMALL, labelcolor=INK,
    )  # fmt: skip
    picture.head(title or "What each pod has to do", [trace.world])
    left = f"{len(pods) - len(shown)} more pods are not drawn" if len(pods) > len(shown) else ""
    picture.alt = ". ".join(
        part for part in (title or "What each pod has to do", *told, left, *changes) if part
    )
    return picture


class _Pod:
    """One pod's load: from each moment on so many calls. refused: the moments."""

    def __init__(self, when: Column, in_service: Column, waiting: Column, refused: Column) -> None:
        self.when = when
        self.in_service = in_service
        self.waiting = waiting
        self.refused = refused


def _pods(reading: Reading) -> dict[str, _Pod]:
    """Of those that tell, by name."""
    trace = reading.trace.of("PodServed")
    who = trace.core.who[trace.rows]
    when = (trace.core.time_ns[trace.rows] - reading.origin) / 1e9
    step, in_service, waiting = (
        trace.column("PodServed", field) for field in ("step", "in_service", "waiting")
    )
    ends = {
        name: [reading.moment(one.time_ns) for one in reading.trace.of("PodChanged", pod=name)
               if one.fields["change"] in _ENDS]
        for name in {trace.word(int(code)) for code in np.unique(who)}
    }  # fmt: skip
    pods = {}
    for code in np.unique(who):
        mine = who == code
        name = trace.word(int(code))
        # Whatever a pod that dies had to do, it does no more.
        moments = np.concatenate([when[mine], ends[name]])
        order = np.argsort(moments, kind="stable")
        nothing = np.zeros(len(ends[name]), dtype=np.int64)
        refused = [trace.word(int(one)) == "refuses" for one in step[mine]]
        pods[name] = _Pod(
            moments[order],
            np.concatenate([in_service[mine], nothing])[order],
            np.concatenate([waiting[mine], nothing])[order],
            when[mine][refused],
        )
    return pods


def _draw(axes: Axes, name: str, pod: _Pod, reading: Reading, most: int) -> str:
    """One pod's lane; returns it in words."""
    when = np.append(pod.when, max(reading.seconds, pod.when[-1]))
    in_service = np.append(pod.in_service, pod.in_service[-1])
    both = np.append(pod.in_service + pod.waiting, pod.in_service[-1] + pod.waiting[-1])
    axes.fill_between(when, both, step="post", color=BAND, ec=QUIET, lw=0.5, label="waiting")
    axes.fill_between(when, in_service, step="post", color=_SERVED, lw=0, label="in service")
    axes.vlines(pod.refused, 1.02 * most, 1.12 * most, color=FAILED.color, lw=0.8, label="refused")
    bare(axes)
    axes.set_ylim(0, 1.14 * most)
    axes.set_label("queue")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
    axes.set_ylabel(
        label(name), rotation=0, ha="right", va="center", fontsize=NORMAL,
        color=INK, labelpad=10,
    )  # fmt: skip
    words = (
        f"{name}: at most {plural(int(pod.in_service.max()), 'call')} in service and "
        f"{int(pod.waiting.max()):,} waiting"
    )
    return words + (f", {len(pod.refused):,} refused" if len(pod.refused) else "")
