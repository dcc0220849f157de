"""Going through a trace event by event, forward and back, with the state of the world at each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from greetlab.text import lines
from greetlab.trace.trace import Event, Trace


@dataclass
class ClientView:
    """A client as the trace shows it at one moment.

    addresses: the list that its policy uses; pending: the one that waits to take over, if any.
    subchannels: address to connectivity state.
    picker: what decides about calls: "queue", "fail", "round_robin", ...; with `ready` connections
        to choose from.
    queued: calls that wait; in_flight: call to the address it was sent to.
    """

    state: str = "IDLE"
    addresses: list[str] = field(default_factory=list)
    pending: list[str] | None = None
    subchannels: dict[str, str] = field(default_factory=dict)
    picker: str = "queue"
    ready: int = 0
    queued: list[int] = field(default_factory=list)
    in_flight: dict[int, str] = field(default_factory=dict)
    ended: int = 0


@dataclass
class Snapshot:
    """The world as the trace shows it at one moment: what its events up to then add up to."""

    seconds: float = 0.0
    pods: dict[str, str] = field(default_factory=dict)
    loads: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Of pods that have a capacity, as each last told: calls in service, and calls that wait."""
    endpoints: dict[str, list[str]] = field(default_factory=dict)
    clients: dict[str, ClientView] = field(default_factory=dict)

    def __str__(self) -> str:
        told = [f"at {self.seconds * 1e3:.3f} ms"]
        for service, addresses in self.endpoints.items():
            told.append(f"  {service}: {', '.join(addresses) or 'nobody'}")
        for pod, (in_service, waiting) in self.loads.items():
            told.append(f"  {pod}: {in_service} in service, {waiting} waiting")
        for name, client in self.clients.items():
            shared = f" over {client.ready}" if client.ready else ""
            told.append(
                f"  {name} {client.state}, picker {client.picker}{shared}, {len(client.queued)} "
                f"queued, {len(client.in_flight)} in flight, {client.ended} ended"
            )
            told += [f"    {address} {state}" for address, state in client.subchannels.items()]
        return lines(told)


class Stepper:
    """A place in a trace. It begins before the first event.

    `forward`, `back`, `next`, `to` move it; `event` is the last one that has happened, `snapshot`
    what the world looks like then. It never changes the world: that has happened.
    """

    def __init__(self, trace: Trace) -> None:
        if not isinstance(trace, Trace):
            raise TypeError(f"Stepper() goes through a Trace, such as channel.trace, not {trace!r}")
        self.trace = trace
        self.position = 0
        """How many events have happened."""

    @property
    def event(self) -> Event | None:
        """The last event that has happened; None at the beginning."""
        return self.trace[self.position - 1] if self.position else None

    def forward(self, events: int = 1) -> Self:
        """Goes on by that many events, at most to the end."""
        self.position = min(self.position + events, len(self.trace))
        return self

    def back(self, events: int = 1) -> Self:
        """Goes back by that many events, at most to the beginning."""
        self.position = max(self.position - events, 0)
        return self

    def next(self, *kinds: str) -> Event | None:
        """Goes on to the next event of these kinds; None, and to the end, if there is none."""
        for position in range(self.position, len(self.trace)):
            if self.trace[position].kind in kinds:
                self.position = position + 1
                return self.event
        self.position = len(self.trace)
        return None

    def to(self, seconds: float) -> Self:
        """Goes, forward or back, to where everything until that moment has happened."""
        self.position = int(np.searchsorted(self.trace.seconds, seconds, side="right"))
        return self

    def snapshot(self) -> Snapshot:
        """The world at this place: of the clients that the trace has, and of all the cluster."""
        if not self.position:
            return Snapshot()
        world = self.trace.core.snapshot(int(self.trace.rows[self.position - 1]) + 1)
        mine = {
            self.trace.word(int(who)) for who in np.unique(self.trace.core.who[self.trace.rows])
        }
        clients = {
            name: ClientView(**client)
            for name, client in world.pop("clients").items()
            if name in mine
        }
        return Snapshot(**world, clients=clients)

    def __str__(self) -> str:
        return f"{self.position} of {len(self.trace)}: {self.event or 'the beginning'}"
