"""A trace as one block of bytes for the page: columns, words, sentences; compressed.

Layout, before compression (zlib, which browsers call "deflate"):

    0   "GLF1"
    4   uint32: the length of the header
    8   the header: JSON, UTF-8
        the columns, each at a multiple of 8 bytes; `header["columns"]` says where and of what type

All numbers are little-endian. Texts are codes into `header["words"]`. A sentence is written once:
`header["sentences"]` are templates, in which NUL stands for the number of the call, so that ten
thousand calls share a handful of them and the page needs no sentences of its own.
"""

from __future__ import annotations

import json
import re
import secrets
import zlib
from typing import Any

import numpy as np

from greetlab.text import plain
from greetlab.trace.replay import TABLES, replayed
from greetlab.trace.trace import CERTAINTIES, FRAME_TYPES, KINDS, STATUS_NAMES, Trace
from greetlab.views.palette import FAILED, pod_styles
from greetlab.views.widget.columns import Column, Rows, field_columns, row_of, with_causes
from greetlab.views.widget.topology import topology

MAGIC = b"GLF1"
CALL = "\0"
MOST_NAMES = 12


def pack(trace: Trace, title: str = "") -> bytes:
    """The trace for the page.

    title: what its picture is called; without it, the service's name and the policy.

    Raises ValueError for a trace without events.
    """
    if not len(trace):
        raise ValueError("this trace has no events: make a call, or let the cluster run, first")
    rows = with_causes(trace, trace.rows)
    words: dict[str, int] = {"": 0}
    core = trace.core
    mark = secrets.token_hex(8)  # what no word of the trace can have
    templates, sentence = core.sentences(rows, mark)
    causes = np.full(len(core) + 1, -1, dtype=np.int64)
    causes[rows] = np.arange(len(rows))  # the last stays -1: "not here"
    columns: dict[str, Column] = {
        "time": (core.time_ns[rows] - round(trace.origin * 1e9)).astype(np.float64),
        "cause": causes[row_of(trace, core.cause[rows])].astype(np.int32),
        "who": _codes([trace.word(code) for code in core.who[rows].tolist()], words),
        "kind": core.kind[rows],
        "certainty": core.certainty[rows],
        "sentence": _small(sentence.tolist()),
        # Who is not in the trace is not played, even where something was because of them.
        "shown": np.isin(core.who[rows], core.who[trace.rows]).astype(np.uint8),
    }
    fields = field_columns(trace, rows)
    for of_kind in fields.values():
        if "until" in of_kind:  # a moment, counted as "time" is
            of_kind["until"] = [until - round(trace.origin * 1e9) for until in of_kind["until"]]
    for kind, of_kind in fields.items():
        for name, values in of_kind.items():
            text = isinstance(values[0], str)
            columns[f"{kind}.{name}"] = _codes(values, words) if text else _small(values)
    at = np.where(np.isin(core.who, core.who[trace.rows]), causes[:-1], -1)
    for table, of_table in tables(trace, at).items():
        for name, values in of_table.items():
            text = TABLES[table][name][0] in ("word", "code")
            columns[f"{table}.{name}"] = _codes(values, words) if text else _signed(values)
    place = topology(trace)
    styles = pod_styles(place.pods)
    header: dict[str, Any] = {
        "world": plain(trace.world),
        "title": plain(title or _title(trace)),
        "summary": summary(trace),
        "kinds": KINDS,
        "certainties": CERTAINTIES,
        "fields": {
            kind: {name: isinstance(values[0], str) for name, values in of_kind.items()}
            for kind, of_kind in fields.items()
        },
        "tables": {
            table: {name: kind for name, (kind, _) in kinds.items()}
            for table, kinds in TABLES.items()
        },
        "words": [plain(word) for word in words],
        "sentences": [plain(template).replace(mark, CALL) for template in templates],
        "pods": [
            {"name": plain(name), "addresses": [plain(one) for one in place.pods[name]],
             "color": style.color, "marker": style.marker}
            for name, style in sorted(styles.items(), key=_natural)
        ],
        "frame_types": FRAME_TYPES[: FRAME_TYPES.index("EXTENSION")],
        "virtual": [plain(address) for address in place.virtual],
        "failed": FAILED.color,
        "dropped": trace.dropped,
    }  # fmt: skip
    return zlib.compress(_join(header, columns), 6)


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, Column]]:
    """The header and the columns of what `pack` made."""
    raw = zlib.decompress(data)
    if raw[:4] != MAGIC:
        raise ValueError(f"not a packed trace: it begins with {raw[:4]!r}, not {MAGIC!r}")
    end = 8 + int.from_bytes(raw[4:8], "little")
    header = json.loads(raw[8:end])
    start = _aligned(end)
    return header, {
        name: np.frombuffer(raw, dtype, length, start + offset)
        for name, (dtype, offset, length) in header["columns"].items()
    }


def summary(trace: Trace) -> str:
    """The outcome in a sentence, for those who cannot see the picture."""
    ended = trace.of("CallEnded")
    per_pod: dict[str, int] = dict.fromkeys(topology(trace).pods, 0)
    failed = 0
    for row in ended.rows.tolist():
        fields = trace.core.fields(row)
        if fields["pod"] and fields["code"] == "OK":
            per_pod[fields["pod"]] += 1
        else:
            failed += 1
    counts = ", ".join(f"{pod} {count}" for pod, count in sorted(per_pod.items(), key=_natural))
    if len(per_pod) > MOST_NAMES:
        least, most = min(per_pod.values()), max(per_pod.values())
        counts = f"{len(per_pod)} pods, {least} to {most} each"
    connections = len(trace.of("Connected"))
    over = f"{connections} connection{'' if connections == 1 else 's'}"
    return plain(
        f"{trace.world}, {_title(trace)}: {len(ended)} calls over {over}. "
        f"Answered by {counts or 'nobody'}; {failed} failed."
    )


def _natural(item: tuple[str, Any]) -> tuple[list[tuple[int, str]], str]:
    """For sorting by name, so that pod-10 comes after pod-9."""
    parts = re.split(r"(\d+)", item[0])
    return [(int(part), "") if part.isdigit() else (0, part) for part in parts], item[0]


def _title(trace: Trace) -> str:
    """The names that were looked up, and the picker that was last in use."""
    names: dict[str, None] = {}
    for row in trace.of("LookupStarted").rows.tolist():
        names[trace.core.fields(row)["name"].split(".")[0]] = None
    pickers: dict[str, None] = {}
    for row in trace.of("PickerPublished").rows.tolist():
        picker = trace.core.fields(row)["picker"]
        if picker not in ("queue", "fail"):
            pickers[picker] = None
    return " · ".join(part for part in (" and ".join(names), " and ".join(pickers)) if part)


def tables(trace: Trace, at: Rows) -> dict[str, dict[str, list[Any]]]:
    """The tables of the core's replay, as far as the page shows them, with its rows and places.

    at: for each row of the trace its place in the page; -1 where it is not there.
    """
    at = np.append(at, -1)  # the row of what did not happen
    places: dict[str, Column] = {}
    made: dict[str, dict[str, list[Any]]] = {}
    for table, kinds in TABLES.items():
        columns = replayed(trace.core, table, at[:-1] >= 0)
        places[table] = np.full(len(trace.core.table(table)["start"]) + 1, -1)
        places[table][columns["place"]] = np.arange(len(columns["place"]))
        made[table] = {}
        for name, (kind, _) in kinds.items():
            column = columns[name]
            if kind == "row":
                column = at[column]
            elif kind == "place":
                column = places[f"{name}s"][column]
            values = column.tolist()
            if kind == "word":
                values = [trace.word(word) for word in values]
            elif kind == "code":
                values = [STATUS_NAMES[code] for code in values]
            made[table][name] = values
    # A call that began before the view begins with what the view has of it.
    rows = [name for name, (kind, _) in TABLES["calls"].items() if kind == "row"]
    each = zip(*(made["calls"][name] for name in rows), strict=True)
    made["calls"]["start"] = [min(row for row in call if row >= 0) for call in each]
    return made


def _signed(values: list[int]) -> Column:
    """Rows and places, where -1 is none; or plain numbers."""
    return np.asarray(values, dtype=np.int32 if not values or max(values) < 2**31 else np.float64)


def _codes(values: list[str], words: dict[str, int]) -> Column:
    return _small([words.setdefault(value, len(words)) for value in values])


def _small(values: list[Any]) -> Column:
    """In the smallest of the types that a page can read."""
    if not len(values):
        return np.zeros(0, dtype=np.uint8)
    column = np.asarray(values)
    if column.dtype == bool:
        return column.astype(np.uint8)
    for dtype in (np.uint8, np.uint16, np.uint32):
        if column.min() >= 0 and column.max() <= np.iinfo(dtype).max:
            return column.astype(dtype)
    return column.astype(np.float64)  # nanoseconds: exact up to 104 days


def _join(header: dict[str, Any], columns: dict[str, Column]) -> bytes:
    places: dict[str, tuple[str, int, int]] = {}
    parts: list[bytes] = []
    offset = 0
    for name, column in columns.items():
        data = column.astype(column.dtype.newbyteorder("<")).tobytes()
        places[name] = (column.dtype.newbyteorder("<").str, offset, len(column))
        parts.append(data.ljust(_aligned(len(data)), b"\0"))
        offset += len(parts[-1])
    text = json.dumps({**header, "columns": places}, ensure_ascii=False).encode()
    head = MAGIC + len(text).to_bytes(4, "little") + text
    return head.ljust(_aligned(len(head)), b"\0") + b"".join(parts)


def _aligned(size: int) -> int:
    return -(-size // 8) * 8
