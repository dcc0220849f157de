"""A trace in the making, from lines of a log: its facts, numbered, each with what led to it."""

from __future__ import annotations

import json
from typing import Any

from greetlab import _core
from greetlab.trace.trace import STATES, Trace

WORLD = "LOG"
NOT_TOLD = "an address not told"


class Subchannel:
    """One of a channel, as far as a log tells.

    number: the trace's. connection: the number of its latest dial, 0 before the first.
    """

    def __init__(self, channel: Channel, address: str) -> None:
        self.facts, self.channel, self.address = channel.facts, channel, address
        self.number = self.facts.next("subchannel")
        self.state = "IDLE"
        self.connection = 0
        self._attempts = 0
        self._cause = self.facts.add(
            channel.name,
            "SubchannelCreated",
            channel.cause,
            subchannel=self.number,
            address=address,
        )

    def change(self, state: str, reason: str = "") -> None:
        """Its state, and what follows from it: a dial, a connection, the end of one."""
        if state == self.state or state not in STATES:
            return
        before, self.state = self.state, state
        mine = {"subchannel": self.number, "connection": self.connection}
        if state == "CONNECTING":
            self._dial()
        elif state == "READY":
            if before != "CONNECTING":
                self._dial()
            mine["connection"] = self.connection
            self._cause = self._add("Connected", **mine, local="")
            self._attempts = 0
        elif state == "TRANSIENT_FAILURE" and before == "CONNECTING":
            self._cause = self._add("ConnectFailed", **mine, reason=reason)
        elif before == "READY" and state != "SHUTDOWN":
            self._cause = self._add("ConnectionLost", **mine, graceful="unknown", reason=reason)
        self._add(
            "SubchannelStateChanged",
            subchannel=self.number, **{"from": before, "to": state}, reason=reason,
        )  # fmt: skip

    def _dial(self) -> None:
        self._attempts += 1
        self.connection = self.facts.next("connection")
        self._cause = self._add(
            "ConnectStarted",
            subchannel=self.number, connection=self.connection, attempt=self._attempts,
        )  # fmt: skip

    def _add(self, fact: str, **fields: Any) -> int:
        return self.facts.add(self.channel.name, fact, self._cause, **fields)


class Channel:
    """A channel of a log. name: the trace's, "channel-1". target: what it was opened for."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.name = f"channel-{facts.next('channel')}"
        self.target = ""
        self.policy = ""
        self.state = "IDLE"
        self.cause = 0
        self.subchannels: dict[str, Subchannel] = {}

    def change(self, state: str, reason: str = "") -> None:
        """Its connectivity state."""
        if state == self.state or state not in STATES:
            return
        before, self.state = self.state, state
        self.facts.add(
            self.name, "ChannelStateChanged", self.cause,
            **{"from": before, "to": state}, reason=reason,
        )  # fmt: skip

    def look_up(self) -> None:
        """Its resolver begins a lookup."""
        self.target = self.target or "its target"
        self.cause = self.facts.add(self.name, "LookupStarted", 0, name=self.target)

    def resolved(self, addresses: list[str]) -> None:
        """Its resolver has an answer, and its policy a list."""
        told = {"addresses": ",".join(addresses), "count": len(addresses)}
        status = "ok" if addresses else "no_data"
        self.cause = self.facts.add(
            self.name, "LookupEnded", self.cause, name=self.target, status=status, **told
        )
        number = self.facts.next("list")
        self.cause = self.facts.add(
            self.name, "AddressListTaken", self.cause, list=number, **told, pending=False
        )


class Facts:
    """What was inferred so far, in order. now_ns: the moment of the line that is read."""

    def __init__(self) -> None:
        self.now_ns = 0
        self._begun: int | None = None
        self._events: list[dict[str, Any]] = []
        self._numbers: dict[str, int] = {}

    def at(self, moment_ns: int) -> None:
        """The next line's moment, on the log's own clock. Threads write out of order: no fact is
        earlier than the one before it."""
        if self._begun is None:
            self._begun = moment_ns
        self.now_ns = max(self.now_ns, moment_ns - self._begun)

    def next(self, what: str) -> int:
        """Numbers count from 1."""
        self._numbers[what] = self._numbers.get(what, 0) + 1
        return self._numbers[what]

    def add(self, who: str, fact: str, cause: int, **fields: Any) -> int:
        """One more, and its id, for those that it leads to."""
        number = len(self._events) + 1
        self._events.append(
            {"id": number, "cause": cause, "at_ns": self.now_ns, "who": who,
             "certainty": "inferred", "fact": fact, **fields}
        )  # fmt: skip
        return number

    def change(self, number: int, **fields: Any) -> None:
        """A later line says more about a fact."""
        self._events[number - 1].update(fields)

    def __len__(self) -> int:
        return len(self._events)

    def trace(self) -> Trace:
        """All of it."""
        header = {
            "greetlab_trace": _core.trace_version(), "world": WORLD,
            "events": len(self._events), "dropped": 0,
        }  # fmt: skip
        lines = [json.dumps(each, separators=(",", ":")) for each in (header, *self._events)]
        return Trace(_core.Trace.parse("\n".join(lines) + "\n"))
