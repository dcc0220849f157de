"""The trace: what happened, when, to whom, and because of what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from greetlab import _core
from greetlab.text import lines, plain

KINDS: list[str] = _core.fact_kinds()
"""The kinds of facts, in the order that columns count them in."""
STATES = _core.connectivity_states()
"""Connectivity states by number."""
STATUS_NAMES = _core.status_codes()
"""gRPC's status codes by number."""
FRAME_TYPES = _core.frame_types()
"""HTTP/2's types of frames by number, as RFC 9113 writes them."""
CERTAINTIES = [word.replace("_", " ") for word in _core.certainties()]
"""How a fact can be known; on a real network nobody could see one that is "sim only"."""


class Event:
    """One thing that happened.

    id: counts the events from 1; a cause has a smaller one than its effect.
    seconds, time_ns: when, on the world's clock.
    who: to whom: "client-1", "cluster", "clusterip".
    kind: what: one of `KINDS`.
    fields: what there is to say about it, by name.
    """

    def __init__(self, trace: Trace, row: int) -> None:
        core = trace.core
        self.trace = trace
        self.row = row
        self.id: int = int(core.id[row])
        self.time_ns: int = int(core.time_ns[row])
        self.seconds: float = self.time_ns / 1e9
        self.who: str = trace.word(int(core.who[row]))
        self.kind: str = KINDS[int(core.kind[row])]
        self.certainty: str = CERTAINTIES[int(core.certainty[row])]
        self.fields: dict[str, Any] = core.fields(row)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in self.fields:
            return self.fields[name]
        raise AttributeError(f"{self.kind} has no {name!r}: it has {', '.join(self.fields)}")

    @property
    def cause(self) -> Event | None:
        """The event that led to it; None if nothing in the trace did."""
        return self.trace.by_id(int(self.trace.core.cause[self.row]))

    def causes(self) -> list[Event]:
        """The whole chain: this event, its cause, the cause of that, ..."""
        chain = [self]
        while (cause := chain[-1].cause) is not None:
            chain.append(cause)
        return chain

    def why(self) -> str:
        """The chain in sentences, from this event back to what began it."""
        first, *rest = self.causes()
        return "\n".join([str(first), *(f"  because {event}" for event in rest)])

    @property
    def sentence(self) -> str:
        """What happened, in words for somebody who has never seen gRPC."""
        return self.trace.core.sentence(self.row)

    @property
    def mark(self) -> str:
        """How it is known, behind the sentence; nothing where it was observed."""
        return "" if self.certainty == "observed" else f" [{self.certainty}]"

    def __str__(self) -> str:
        since = self.seconds - self.trace.origin
        # In the unit that its sentence speaks in.
        moment = f"{since * 1e3:.3f} ms" if abs(since) < 1 else f"{since:.6f} s"
        return plain(f"{moment}  {self.sentence}{self.mark}")

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.fields.items())
        return plain(f"<{self.id} {self.seconds:.6f} s {self.who} {self.kind}({fields})>")


def owner(who: str) -> str:
    """Whose channel it is: "client-1" for "client-1.7", which it has for one call."""
    name, _, number = who.rpartition(".")
    return name if name and number.isdecimal() else who


class Trace:
    """Events in the order in which they happened; a view of them, of all or of some.

    It has what happened until it was asked for (`cluster.trace`); ask again for what came since.

    rows: which events of the core's trace it shows.
    """

    def __init__(self, core: _core.Trace, rows: npt.NDArray[np.int64] | None = None) -> None:
        self.core = core
        self.rows = np.arange(len(core)) if rows is None else rows

    # Choosing.

    def of(self, *kinds: str, who: str | None = None, **fields: Any) -> Trace:
        """The events of these kinds (all without any), of one `who`, and with these fields.

        The channels that a client has for one call each ("client-1.7") are that client.

        Raises ValueError for a kind that there is not.
        """
        rows = self.rows
        if kinds:
            for kind in kinds:
                if kind not in KINDS:
                    raise ValueError(f"no kind of fact {kind!r}: there is {', '.join(KINDS)}")
            codes = [KINDS.index(kind) for kind in kinds]
            rows = rows[np.isin(self.core.kind[rows], codes)]
        if who is not None:
            rows = rows[np.isin(self.core.who[rows], self._codes_of([who]))]
        if fields:
            self._check_fields(kinds or KINDS, fields)
            wanted = fields.items()
            keep = [row for row in rows if wanted <= self.core.fields(int(row)).items()]
            rows = np.array(keep, dtype=np.int64)
        return Trace(self.core, rows)

    @staticmethod
    def _check_fields(kinds: Iterable[str], fields: Iterable[str]) -> None:
        known = {name for kind in kinds for name in _core.fact_fields(kind)}
        for name in fields:
            if name not in known:
                raise ValueError(f"no field {name!r}: there is {', '.join(sorted(known))}")

    def between(self, start: float, end: float) -> Trace:
        """The events from `start` seconds until before `end` seconds."""
        times = self.core.time_ns[self.rows]
        return Trace(self.core, self.rows[(times >= start * 1e9) & (times < end * 1e9)])

    def first(self, *kinds: str, **fields: Any) -> Event:
        """The first event of these kinds with these fields. LookupError if there is none."""
        return self.of(*kinds, **fields)._one(0, kinds)

    def last(self, *kinds: str, **fields: Any) -> Event:
        """The last event of these kinds with these fields. LookupError if there is none."""
        return self.of(*kinds, **fields)._one(-1, kinds)

    def by_id(self, number: int) -> Event | None:
        """The event with this id; None for 0 and for one that is not here."""
        ids = self.core.id
        row = int(np.searchsorted(ids, number))
        return Event(self, row) if number and row < len(ids) and ids[row] == number else None

    def without(self, who: Iterable[str]) -> Trace:
        """The events of everybody else."""
        codes = self._codes_of(who)
        return Trace(self.core, self.rows[~np.isin(self.core.who[self.rows], codes)])

    def _codes_of(self, who: Iterable[str]) -> list[int]:
        names = set(who)
        return [code for code, word in enumerate(self._words) if owner(word) in names]

    def of_subchannel(self, subchannel: int) -> str | None:
        """The address of a subchannel; None if the trace does not tell."""
        return self._addresses.get(subchannel)

    def of_connection(self, connection: int) -> str | None:
        """The address that a connection was dialled to; None if the trace does not tell."""
        return self._dialled.get(connection)

    @cached_property
    def _dialled(self) -> dict[int, str | None]:
        return {number: address or None for number, address in self._told("connections")}

    @cached_property
    def _addresses(self) -> dict[int, str]:
        return dict(self._told("subchannels"))

    def _told(self, table: str) -> Iterator[tuple[int, str]]:
        columns = self.core.table(table)
        words = map(self.word, columns["address"].tolist())
        return zip(columns["id"].tolist(), words, strict=True)

    # Columns.

    @property
    def seconds(self) -> npt.NDArray[np.float64]:
        """When each event was, on the world's clock."""
        return self.core.time_ns[self.rows] / 1e9

    @cached_property
    def origin(self) -> float:
        """The moment from which the story counts, in seconds: the virtual world's beginning; in a
        real one, whose clock began with the machine, the first event of a client."""
        return self.core.origin_ns / 1e9

    @property
    def dropped(self) -> int:
        """Events that came when the trace was full. They are the last ones, and they are lost."""
        return self.core.dropped

    @property
    def world(self) -> str:
        """Where it comes from: "SIM", "LOCAL", "KUBE"; a policy's tests: "BENCH"."""
        return self.core.world

    def column(self, kind: str, field: str) -> npt.NDArray[Any]:
        """One field of every event of this kind, in their order: what a million events have to say
        without a million objects.

        Words are numbers that `word` translates. Connectivity states are rows of `STATES`, gRPC's
        codes are its own numbers (0 is OK), times and durations are nanoseconds. `of(kind)` has
        the columns of the same events that every event has, such as `seconds`.

        Raises ValueError, with what there is, for a kind or a field that there is not.
        """
        return self.core.column(self.of(kind).rows, kind, field)

    def counts(self) -> dict[str, int]:
        """How many events there are of each kind."""
        kinds, counts = np.unique(self.core.kind[self.rows], return_counts=True)
        return {KINDS[kind]: int(n) for kind, n in zip(kinds, counts, strict=True)}

    # Keeping.

    def save(self, path: str | Path) -> None:
        """Writes it as JSON lines: a header with the version, then an event a line.

        Raises OSError if it cannot.
        """
        try:
            self.core.save(self.rows, str(path))
        except RuntimeError as error:
            raise OSError(str(error)) from error

    @staticmethod
    def load(path: str | Path) -> Trace:
        """Reads what `save` wrote.

        Raises OSError if it cannot read, and ValueError, with the line and the reason, for a file
        that is broken or was written by a newer version.
        """
        try:
            return Trace(_core.Trace.load(str(path)))
        except RuntimeError as error:
            raise OSError(str(error)) from error

    # Telling.

    def story(self) -> str:
        """The whole of it, a sentence an event."""
        told = [f"{event!s:<100} {event.who}".rstrip() for event in self]
        if self.dropped:
            told.append(f"... and {self.dropped} more, which did not fit into the trace")
        return lines(told)

    def word(self, symbol: int) -> str:
        """The word that a column stands for by a number."""
        if symbol >= len(self._words):
            del self._words  # some have come since
        return self._words[symbol]

    @cached_property
    def _words(self) -> list[str]:
        return self.core.words

    def _one(self, index: int, kinds: tuple[str, ...]) -> Event:
        if not len(self):
            raise LookupError(f"no {' or '.join(kinds) or 'event'} of that kind in this trace")
        return self[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Event:
        return Event(self, int(self.rows[index]))

    def __iter__(self) -> Iterator[Event]:
        return (Event(self, int(row)) for row in self.rows)

    def __repr__(self) -> str:
        counts = ", ".join(f"{n} {kind}" for kind, n in self.counts().items())
        dropped = f", {self.dropped} dropped" if self.dropped else ""
        return plain(f"Trace [{self.world}] · {len(self)} events{dropped}: {counts}")
