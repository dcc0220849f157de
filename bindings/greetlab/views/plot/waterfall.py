"""A lookup: every question on the wire, what it was answered, and what that comes to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from matplotlib.axes import Axes

from greetlab.clusters.cluster import Cluster
from greetlab.dns.lookup import Lookup, Query
from greetlab.views.palette import FAILED, pod_styles
from greetlab.views.plot.clock import time_axis
from greetlab.views.plot.packet import PacketField, packet_fields
from greetlab.views.plot.reading import in_order
from greetlab.views.plot.style import (
    DNS,
    GRID,
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
    rows,
)

_LINE = 0.2
"""Inches from one line of small text to the next."""
_MOST_ADDRESSES, _MOST_FIELDS, _MOST_QUERIES = 6, 24, 30


def lookup(
    *answers: Lookup, cluster: Cluster | None = None, packet: bool = True, title: str = ""
) -> Picture:
    """A name on its way to pods: the name, the addresses that came back, the pods that have them.

    Under it every question that was asked, in time: the search list's walk with what each name was
    answered. Last, the packet with the answer, field by field, where the bytes are there (a
    simulated network has none).

    answers: one lookup or several, one under the other on the same scale.
    cluster: where they were asked: its pods have the addresses, and its world is on the badge.
    packet: whether to show the packets.

    Raises ValueError without a lookup.
    """
    if not answers or not all(isinstance(answer, Lookup) for answer in answers):
        raise ValueError("plot.lookup() needs at least one Lookup, as cluster.lookup(name) gives")
    names = {pod.ip: pod.name for pod in cluster.pods} if cluster else {}
    end = max(_took(answer) for answer in answers) or 1e-6
    parts: list[tuple[float, Callable[[Axes], None]]] = []  # inches, and what to draw there
    for answer in answers:
        shown = max(1, min(len(answer.addresses), _MOST_ADDRESSES + 1))
        parts.append((0.3 * shown + 0.15, partial(_draw_way, answer=answer, names=names)))
        asked = max(1, min(len(answer.queries), _MOST_QUERIES))
        limits = (-0.01 * end, 2.2 * end)
        parts.append((0.3 * asked + 0.9, partial(_draw_queries, answer=answer, limits=limits)))
        if packet and (fields := _packet(answer)):
            parts.append((_LINE * _lines(fields) + 0.45, partial(_draw_packet, fields=fields)))
    heights = [height for height, _ in parts]
    picture = Picture(WIDTH, 0.45 + sum(heights))
    # Figures of their own: the long names beside the bars must not narrow the others.
    places = picture.subfigures(len(parts), 1, squeeze=False, height_ratios=heights)[:, 0]
    for place, (_, draw) in zip(places, parts, strict=True):
        draw(place.subplots())
    picture.head(title or "From a name to pods", [cluster.world] if cluster else [])
    picture.alt = ". ".join([title or "From a name to pods", *(_words(a, names) for a in answers)])
    return picture


def _took(answer: Lookup) -> float:
    """Seconds from the first question to the last answer."""
    if not answer.queries:
        return 0.0
    begin = min(query.started_ns for query in answer.queries)
    return (max(query.started_ns + query.round_trip_ns for query in answer.queries) - begin) / 1e9


def _draw_way(axes: Axes, answer: Lookup, names: dict[str, str]) -> None:
    """The name, an arrow to each address, an arrow to the pod that has it."""
    axes.set_label("way")
    addresses = in_order(answer.addresses)
    shown = addresses if len(addresses) <= _MOST_ADDRESSES + 1 else addresses[:_MOST_ADDRESSES]
    more = len(addresses) - len(shown)
    count = max(len(shown) + bool(more), 1)
    quiet(axes)
    axes.set_yticks([])
    axes.set_xticks([])
    axes.set_xlim(0, 1)
    axes.set_ylim(count - 0.5, -0.5)
    middle = (count - 1) / 2
    name = label(answer.name)
    if _room(name) < SMALL:  # a full name: the service, and below it the rest
        name = name.replace(".", "\n.", 1)
    room = min(map(_room, name.split("\n")))
    axes.text(
        0,
        middle,
        name,
        va="center",
        fontsize=min(NORMAL + 1, room),
        weight="bold",
        color=INK,
    )
    styles = pod_styles(names.values())
    for row, address in enumerate(shown):
        _arrow(axes, (0.32, middle), (0.44, row))
        axes.text(0.45, row, label(address), va="center", fontsize=NORMAL, color=INK)
        if not names:
            continue
        _arrow(axes, (0.62, row), (0.74, row))
        pod = names.get(address)
        if pod is None:
            axes.text(0.755, row, "a virtual address, no pod's", va="center", fontsize=NORMAL,
                      color=QUIET)  # fmt: skip
        else:
            style = styles[pod]
            axes.plot([0.76], [row], style.marker, color=style.color, ms=8, mew=0, label=pod)
            axes.text(0.78, row, label(pod), va="center", fontsize=NORMAL, color=INK)
    if more:
        axes.text(0.45, count - 1, f"and {more:,} more", va="center", fontsize=NORMAL, color=QUIET)
    if not shown:
        _arrow(axes, (0.32, 0), (0.44, 0))
        axes.text(0.45, 0, answer.status.upper(), va="center", fontsize=NORMAL, color=FAILED.color)


def _room(name: str) -> float:
    """The size, in points, at which the name fits beside the arrows in bold letters."""
    return 0.31 * WIDTH * 72 / (0.68 * max(len(name), 1))


def _arrow(axes: Axes, begin: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate("", end, begin, arrowprops={"arrowstyle": "-|>", "color": QUIET, "lw": 1.1})


def _draw_queries(axes: Axes, answer: Lookup, limits: tuple[float, float]) -> None:
    """A bar for each question, as long as its round trip, with what it was answered."""
    axes.set_label("queries")
    queries = answer.queries[:_MOST_QUERIES]
    bare(axes)
    rows(axes, [f"{query.type}  {query.name}" for query in queries], 0.3, 90)
    axes.tick_params(axis="y", labelsize=SMALL)
    left = len(answer.queries) - len(queries)
    axes.set_title(
        f"{plural(len(answer.queries), 'question')} on the wire"
        + f", the first {len(queries)} of them" * bool(left),
        loc="left", fontsize=SMALL, color=QUIET,
    )  # fmt: skip
    begin = min((query.started_ns for query in queries), default=0)
    for row, query in enumerate(queries):
        start, took = (query.started_ns - begin) / 1e9, query.round_trip_ns / 1e9
        good = query.status == "ok"
        color = DNS if good else FAILED.color if query.rcode != "NOERROR" else "#A9BCCB"
        axes.broken_barh([(start, took)], (row - 0.27, 0.54), facecolor=color, lw=0, zorder=2)
        axes.text(
            start + took + 0.008 * (limits[1] - limits[0]), row, _answer(query), va="center",
            fontsize=SMALL, color=FAILED.color if color == FAILED.color else INK, zorder=3,
            bbox={"fc": "white", "ec": "none", "pad": 0.5},
        )  # fmt: skip
    time_axis(axes, limits, "the first question")


def _answer(query: Query) -> str:
    """What a question was answered: the code, how many records, how it travelled."""
    said = query.rcode or query.status
    own = [record for record in query.records if record.type == query.type]
    if query.status == "no_data":
        said += f", no {query.type}"
    elif query.status == "truncated":
        said += ", truncated"
    elif own:
        said += f", {len(own)} \u00d7 {query.type}, ttl {query.ttl} s"
    said += ", TCP" if query.transport == "tcp" else ""
    return f"{said} \u00b7 {query.round_trip_ns / 1e6:.3g} ms"


def _packet(answer: Lookup) -> list[PacketField]:
    """The fields of the reply that settled it: of the first good one, else the last one."""
    broken = ("truncated", "malformed")
    replies = [query for query in answer.queries if query.reply and query.status not in broken]
    good = [query for query in replies if query.status == "ok"]
    if not replies:
        return []
    return packet_fields((good or replies[-1:])[0].reply)


def _lines(fields: list[PacketField]) -> int:
    """Of the table: a packet that is longer is cut, which takes a line to say."""
    return min(len(fields), _MOST_FIELDS + 1)


def _draw_packet(axes: Axes, fields: list[PacketField]) -> None:
    """The packet as a table: section, field, bytes, meaning."""
    axes.set_label("packet")
    quiet(axes)
    axes.set_yticks([])
    axes.set_xticks([])
    shown = fields if len(fields) == _lines(fields) else fields[:_MOST_FIELDS]
    size = sum(len(field.octets) for field in fields)
    axes.set_title(
        f"the packet with the answer: {plural(size, 'byte')}",
        loc="left",
        fontsize=SMALL,
        color=QUIET,
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(_lines(fields) - 0.5, -0.5)
    before = ""
    for row, field in enumerate(shown):
        if field.section != before:
            axes.axhline(row - 0.5, color=GRID, lw=0.8)
            axes.text(0, row, field.section, va="center", fontsize=SMALL, color=QUIET)
            before = field.section
        axes.text(0.13, row, field.name, va="center", fontsize=SMALL, color=INK)
        axes.text(0.25, row, _hex(field.octets), va="center", fontsize=SMALL - 1, color=QUIET,
                  family="monospace")  # fmt: skip
        axes.text(0.58, row, label(field.meaning), va="center", fontsize=SMALL, color=INK)
    if len(shown) < len(fields):
        axes.text(0, len(shown), f"and {len(fields) - len(shown)} more fields", va="center",
                  fontsize=SMALL, color=QUIET)  # fmt: skip


def _hex(octets: bytes) -> str:
    return octets.hex(" ") if len(octets) <= 13 else octets[:12].hex(" ") + " \u2026"


def _words(answer: Lookup, names: dict[str, str]) -> str:
    found = [
        f"{address} ({names.get(address, 'no pod')})" if names else address
        for address in in_order(answer.addresses)
    ]
    shown = found if len(found) <= 12 else [plural(len(found), "address")]
    came = ", ".join(shown) or answer.status.upper()
    return f"{answer.name}: {came}; {plural(len(answer.queries), 'question')} on the wire"
