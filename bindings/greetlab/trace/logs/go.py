"""grpc-go's log, as of 1.40 to 1.85: `[Channel #1 SubChannel #2] Subchannel Connectivity change to
READY` (grpc-go internal/channelz/logging.go). It has no calls and no picks.

The line may stand in a JSON object, as GRPC_GO_LOG_FORMATTER=json or an application's own logger
writes it; those have no moment that could be relied on.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable

from greetlab.trace.logs.facts import NOT_TOLD, Channel, Facts, Subchannel

_LINE = re.compile(
    r"(\d{4})/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d)(\.\d+)? (?:INFO|WARNING|ERROR): (.*)"
)
_IN_JSON = re.compile(r"\{.*\[(?:core|transport|roundrobin|pick-first[\w-]*)\].*\}\s*$")
_MESSAGES = ("message", "msg")
_OF_CHANNEL = re.compile(r"\[core\] ?\[Channel #(\d+)(?: SubChannel #(\d+))?\] ?(.*)", re.S)
_CHANGE = re.compile(r"(?:Channel|Subchannel) Connectivity change to (\w+)(?:, last error: (.*))?")
_DIALS = re.compile(r'Subchannel picks a new address "([^"]*)" to connect')
_ADDRESS = re.compile(r'"Addr": ?"([^"]+)"')


def is_one(line: str) -> bool:
    """Whether grpc-go wrote it."""
    return _LINE.search(line) is not None or _IN_JSON.search(line) is not None


def read(lines: Iterable[str]) -> Facts:
    """The facts of a whole log."""
    log = _Log(list(lines))
    for line in log.lines:
        log.take(line)
    log.end_of_answer()
    return log.facts


class _Log:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.facts = Facts()
        self._channels: dict[str, Channel] = {}
        self._answer: list[str] | None = None  # the lines of a resolver's state, while it goes on
        self._asked: Channel | None = None
        # A subchannel is said to dial an address after it was said to be CONNECTING.
        self._addresses = dict(self._dialled())

    def _dialled(self) -> Iterable[tuple[tuple[str, str], str]]:
        for line in self.lines:
            _, said = _begins(line) or (None, "")
            if (found := _OF_CHANNEL.match(said)) and (dials := _DIALS.match(found[3])):
                yield (found[1], found[2]), dials[1]

    def take(self, line: str) -> None:
        begins = _begins(line)
        if begins is None:
            if self._answer is not None:  # JSON, over many lines
                self._answer.append(line)
            return
        self.end_of_answer()
        moment, text = begins
        if moment is not None:
            self.facts.at(moment)
        found = _OF_CHANNEL.match(text)
        if found is None:
            return
        number, sub, said = found[1], found[2], found[3]
        channel = self._channels.get(number)
        if channel is None:
            channel = self._channels[number] = Channel(self.facts)
        if sub is None:
            self._of_channel(channel, said)
        else:
            self._of_subchannel(channel, (number, sub), said)

    def _of_channel(self, channel: Channel, said: str) -> None:
        if created := re.match(r'Channel created for target "(.*)"', said):
            channel.target = created[1].rpartition("/")[2]
        elif said == "Channel exiting idle mode":
            channel.look_up()
        elif said.startswith("Resolver state updated: "):
            self._answer, self._asked = [said], channel
        elif policy := re.match(r'Channel switches to new LB policy "([^"]*)"', said):
            channel.policy = policy[1]
        elif change := _CHANGE.match(said):
            by = f"LB policy {channel.policy}" if channel.policy else ""
            channel.change(change[1], change[2] or by)

    def end_of_answer(self) -> None:
        """The lines of an answer are all there."""
        if self._answer is not None and self._asked is not None:
            text = "\n".join(self._answer)
            # Newer ones say each address twice: in Addresses, and in Endpoints (gRFC A61).
            self._asked.resolved(list(dict.fromkeys(_ADDRESS.findall(text))))
        self._answer = self._asked = None

    def _of_subchannel(self, channel: Channel, key: tuple[str, str], said: str) -> None:
        subchannel = channel.subchannels.get(key[1])
        if subchannel is None:
            subchannel = Subchannel(channel, self._addresses.get(key, NOT_TOLD))
            channel.subchannels[key[1]] = subchannel
        if (change := _CHANGE.match(said)) and subchannel.state != "SHUTDOWN":
            subchannel.change(change[1], change[2] or "")


def _begins(line: str) -> tuple[int | None, str] | None:
    """The moment and the text of a line that begins a message; None: it goes on with one."""
    if found := _LINE.search(line):
        return _moment(found), found[8]
    if found := _IN_JSON.search(line):
        try:
            entry = json.loads(found[0])
        except ValueError:
            return None
        if isinstance(entry, dict):
            text = next((entry[name] for name in _MESSAGES if name in entry), "")
            return None, str(text).rstrip("\n")
    return None


def _moment(found: re.Match[str]) -> int:
    year, month, day, hour, minute, second = (int(found[i]) for i in range(1, 7))
    try:
        moment = datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC)
    except ValueError:  # a thirtieth of February
        return 0
    return int(moment.timestamp()) * 10**9 + int(float(found[7] or 0) * 1e9)
