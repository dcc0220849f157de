"""What became of a number of calls: who answered, over which connection, how fast."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, overload

import numpy as np
import numpy.typing as npt

from greetlab.text import lines, markup, plain
from greetlab.trace.trace import STATUS_NAMES

if TYPE_CHECKING:
    from greetlab import _core


@dataclass(frozen=True)
class Call:
    """One call. `pod` and `connection` are None where no pod answered."""

    start_ns: int
    latency_ns: int
    status: str
    pod: str | None
    connection: int | None
    result: str
    message: str

    def __str__(self) -> str:
        said = self.result or self.message or f"from {self.pod}"
        return plain(f"{self.latency_ns / 1e6:8.3f} ms  {self.status}  {said}")


class Calls:
    """Calls in the order in which they were started, as columns and as rows.

    `len(calls)`, `calls[i]` and iteration give rows (`Call`); the columns are read-only NumPy
    arrays over the C++ core's memory, made without a copy.
    """

    def __init__(
        self, log: _core.CallLog, *, title: str = "", world: str = "", known: Iterable[str] = ()
    ) -> None:
        self._log = log
        self.title = title
        self.world = world
        self._known = tuple(known)  # pods that could have answered: those that did not are shown

    # Columns.

    @property
    def start_ns(self) -> npt.NDArray[np.int64]:
        """When each call was started: CLOCK_MONOTONIC, nanoseconds."""
        return self._log.start_ns

    @property
    def latency_ns(self) -> npt.NDArray[np.int64]:
        """From each call's start to its end, nanoseconds."""
        return self._log.latency_ns

    @property
    def status(self) -> npt.NDArray[np.int32]:
        """gRPC status code of each call; 0 is OK."""
        return self._log.status

    @property
    def pod(self) -> npt.NDArray[np.int32]:
        """Which pod answered each call: row of `pods`, -1 where none did."""
        return self._log.pod

    @property
    def connection(self) -> npt.NDArray[np.int32]:
        """Which connection carried each call: row of `connections`, -1 where it is unknown."""
        return self._log.connection

    @property
    def serial(self) -> npt.NDArray[np.int64]:
        """The answering pod's own count of its greetings."""
        return self._log.serial

    # Tables that the columns point into.

    @cached_property
    def pods(self) -> list[str]:
        """Names of the pods that answered, in the order of their first answer."""
        return [pod.name or pod.ip or "?" for pod in self._log.pods]

    @cached_property
    def connections(self) -> list[tuple[str, str]]:
        """The connections used: (pod, peer as that pod saw it). Empty where neither the engine nor
        the server tells (engine "grpc" and a server that does not name the peer).
        """
        return [(self.pods[c.pod], c.peer) for c in self._log.connections]

    @property
    def known(self) -> tuple[str, ...]:
        """Names of the pods that could have answered, as far as the channel knew."""
        return self._known

    # Figures.

    @property
    def ok(self) -> int:
        """How many calls succeeded."""
        return int(np.count_nonzero(self.status == 0))

    @property
    def by_pod(self) -> dict[str, int]:
        """How many calls each pod answered, by the pod's name."""
        counts = np.bincount(self.pod[self.pod >= 0], minlength=len(self.pods))
        return dict(sorted(zip(self.pods, counts.tolist(), strict=True)))

    @property
    def by_status(self) -> dict[str, int]:
        """How many calls ended with each status, by its name."""
        codes, counts = np.unique(self.status, return_counts=True)
        return {STATUS_NAMES[code]: int(n) for code, n in zip(codes, counts, strict=True)}

    @property
    def errors(self) -> list[str]:
        """Each different error message once."""
        return list(self._log.messages)

    def percentile(self, percent: float) -> float:
        """Latency in seconds that `percent` of the successful calls did not exceed; NaN if none."""
        good = self.latency_ns[self.status == 0]
        return float(np.percentile(good, percent)) / 1e9 if good.size else float("nan")

    @property
    def seconds(self) -> float:
        """From the first start to the last end."""
        if not len(self):
            return 0.0
        return float((self.start_ns + self.latency_ns).max() - self.start_ns.min()) / 1e9

    # Rows.

    def __len__(self) -> int:
        return len(self._log)

    @overload
    def __getitem__(self, row: int) -> Call: ...
    @overload
    def __getitem__(self, row: slice) -> list[Call]: ...
    def __getitem__(self, row: int | slice) -> Call | list[Call]:
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(len(self)))]
        if not -len(self) <= row < len(self):
            raise IndexError(f"call {row} of {len(self)}")
        row %= len(self)
        pod, connection, message = (
            int(column[row]) for column in (self.pod, self.connection, self._log.message)
        )
        return Call(
            start_ns=int(self.start_ns[row]),
            latency_ns=int(self.latency_ns[row]),
            status=STATUS_NAMES[int(self.status[row])],
            pod=self.pods[pod] if pod >= 0 else None,
            connection=connection if connection >= 0 else None,
            result=self._log.results[row] if self._log.results else "",
            message=self._log.messages[message] if message >= 0 else "",
        )

    def __iter__(self) -> Iterator[Call]:
        return (self[row] for row in range(len(self)))

    # For people.

    @property
    def summary(self) -> str:
        """One line: how many, how they ended, over how many connections, how fast."""
        parts = [f"{len(self)} call{'s' * (len(self) != 1)}"]
        parts += [f"{count} {status}" for status, count in self.by_status.items()]
        if self.ok:
            n = len(self.connections)
            parts.append(f"{n} connection{'s' * (n != 1)}" if n else "connections unknown")
            parts.append(
                f"p50 {self.percentile(50) * 1e3:.2f} ms, p99 {self.percentile(99) * 1e3:.2f} ms"
            )
        return " · ".join(parts)

    def _table(self) -> dict[str, int]:
        return dict(sorted({**dict.fromkeys(self._known, 0), **self.by_pod}.items()))

    def __repr__(self) -> str:
        told = [f"{self.title}: {self.summary}" if self.title else self.summary]
        table = {plain(pod): count for pod, count in self._table().items()}
        width = max((len(pod) for pod in table), default=0)
        most = max(table.values(), default=1) or 1
        for pod, count in table.items():
            told.append(f"  {pod:{width}}  {count:6}  {'█' * _bar(count, most, 30)}".rstrip())
        told += [f"  {message}" for message in self.errors]
        return lines(told)

    def _repr_html_(self) -> str:
        table = self._table()
        most = max(table.values(), default=1) or 1
        rows = "".join(
            f"<tr><td>{markup(pod)}</td><td style='text-align:right'>{count}</td>"
            f"<td style='text-align:left'><div style='background:#0072B2;height:0.8em;"
            f"width:{_bar(count, most, 200)}px'></div></td></tr>"
            for pod, count in table.items()
        )
        errors = "".join(f"<div>{markup(message)}</div>" for message in self.errors)
        title = f"<b>{markup(self.title)}</b>: " if self.title else ""
        return (
            f"<div>{title}{markup(self.summary)}</div><table><thead><tr><th>pod</th><th>calls</th>"
            f"<th></th></tr></thead><tbody>{rows}</tbody></table>{errors}"
        )


def _bar(count: int, most: int, length: int) -> int:
    """How long a bar is: in proportion, and to be seen wherever there is anything."""
    return max(count > 0, round(length * count / most))
