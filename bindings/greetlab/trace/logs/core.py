"""C-core's log, as of 1.51 to 1.85 (grpc/grpc src/core/client_channel, load_balancing): its lines
belong together by the addresses of objects in memory."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable

from greetlab.trace.logs.facts import NOT_TOLD, Channel, Facts, Subchannel
from greetlab.trace.trace import STATUS_NAMES

_LINE = re.compile(
    r"[IDWE](\d\d)(\d\d) (\d\d):(\d\d):(\d\d)\.(\d+) +(\d+) ([\w.]+\.(?:cc|h)):\d+\] +(.*)"
)
_CHANNEL = re.compile(r"chand=(0x\w+)(?: (calld|lb_call)=(0x\w+))?: (.*)")
_TRACKER = re.compile(
    r"ConnectivityStateTracker client_channel\[(0x\w+)\]: (\w+) -> (\w+) \((.*)\)$"
)
_WRAPPER = re.compile(r"creating subchannel wrapper (0x\w+) for subchannel (0x\w+)")
_UNWRAPPED = re.compile(r"destroying subchannel wrapper (0x\w+?) ?for")
_MADE_FOR = re.compile(r"Created subchannel (0x\w+) for address (?:addrs=\[)?([^\],]+)")
_PLACE = re.compile(r"subchannel (0x\w+) \{address=(?:ipv[46]:)?([^,]+),")
_STATE = re.compile(
    r"\(subchannel (0x\w+)\): connectivity changed: (?:old_state=[^,]*, )?new_state=(\w+), "
    r"status=(.*?)(?:, (?:shutting_down|watcher|pending_watcher)=.*)?$"
)
_STATE_OF_CHANNEL = re.compile(
    r"processing connectivity change in work serializer for subchannel wrapper (0x\w+) .* "
    r"state=(\w+) status=(.*)$"
)
_PICKER = re.compile(r"created picker from .* with (\d+) READY .*last_picked_index_=(\d+)")
_SELECTED = re.compile(r"Pick First 0x\w+ selected subchannel 0x\w+$")
_POLICY = re.compile(r'created new LB policy "(\w+)"')
_DNS = re.compile(r"c-ares resolver gets a AF_INET6? result:")


def is_one(line: str) -> bool:
    """Whether C-core wrote it."""
    return _LINE.search(line) is not None


def read(lines: Iterable[str]) -> Facts:
    """The facts of a whole log."""
    log = _Log(list(lines))
    for line in log.lines:
        log.take(line)
    return log.facts


class _Call:
    def __init__(self, number: int, begun: int) -> None:
        self.number, self.begun, self.cause, self.queued = number, begun, begun, False
        self.connection = 0
        self.address = ""


class _Log:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.facts = Facts()
        self._channels: dict[str, Channel] = {}
        self._places: dict[str, str] = {}  # subchannel to address
        self._wrapped: dict[str, Subchannel] = {}  # by wrapper
        self._calls: dict[str, _Call] = {}  # by calld, and by lb_call
        self._latest_call: dict[str, str] = {}  # by thread: what an lb_call is made for
        self._latest: dict[str, Channel] = {}  # by thread: whom lines without a channel are about
        self._answer: list[str] = []
        self._reads_address = False
        # Policies tell states best, if they were asked to; else the channel does.
        self._policies_tell = any(_STATE.search(line) for line in lines)
        # By wrapper, in order: a policy names the address a line after the wrapper was made.
        self._made_for: dict[str, list[str]] = {}
        for line in lines:
            if made := _MADE_FOR.search(line):
                self._made_for.setdefault(made[1], []).append(made[2])

    def take(self, line: str) -> None:
        begins = _LINE.search(line)
        if begins is None:
            self._of_an_answer(line)
            return
        self._reads_address = False
        self.facts.at(_moment(begins))
        thread, said = begins[7], begins[9]
        if found := _CHANNEL.match(said):
            self._of_channel(thread, found)
        elif found := _TRACKER.match(said):
            self._tracked(found)
        elif found := _PLACE.match(said):
            self._places[found[1]] = found[2]
        elif found := _STATE.search(said):
            self._changed(found[1], found[2], found[3])
        elif _DNS.search(said):
            self._reads_address = True
            self._of_an_answer(said.partition("result:")[2])
        elif channel := self._latest.get(thread):
            self._of_policy(channel, said)

    def _of_an_answer(self, line: str) -> None:
        """ "  addr: 10.244.0.2" and "  port: 50051", each on a line of its own."""
        if not self._reads_address:
            return
        if found := re.search(r"addr: ([0-9a-fA-F.:]+)", line):
            self._answer.append(found[1])
        if self._answer and (found := re.search(r"port: (\d+)", line)):
            ip = self._answer.pop()
            self._answer.append(f"[{ip}]:{found[1]}" if ":" in ip else f"{ip}:{found[1]}")
            self._reads_address = False

    def _of_channel(self, thread: str, found: re.Match[str]) -> None:
        pointer, kind, of, said = found[1], found[2], found[3], found[4]
        channel = self._channels.get(pointer)
        if channel is None or said.startswith("creating client_channel"):
            channel = self._channels[pointer] = Channel(self.facts)
        self._latest[thread] = channel
        if kind:
            self._of_call(channel, thread, kind, of, said)
        elif said.startswith("starting name resolution"):
            channel.target = said.partition(" for ")[2].rpartition("/")[2] or channel.target
            channel.look_up()
        elif said.startswith("started name re-resolving"):
            self.facts.add(channel.name, "ReresolutionRequested", 0)
        elif said.startswith("got resolver result"):
            if self._answer:  # else cares_resolver was not traced
                channel.resolved(list(dict.fromkeys(self._answer)))
            self._answer = []
        elif wraps := _WRAPPER.match(said):
            told = self._made_for.get(wraps[1])
            address = told.pop(0) if told else self._places.get(wraps[2], NOT_TOLD)
            self._wrapped[wraps[1]] = Subchannel(channel, address)
        elif unwrapped := _UNWRAPPED.match(said):
            self._changed(unwrapped[1], "SHUTDOWN", "")
            self._wrapped.pop(unwrapped[1], None)
        elif not self._policies_tell and (state := _STATE_OF_CHANNEL.match(said)):
            self._changed(state[1], state[2], state[3])

    def _tracked(self, found: re.Match[str]) -> None:
        """The tracker is a member of its channel: at a little above the channel's own address."""
        place = int(found[1], 16)
        below = [pointer for pointer in self._channels if int(pointer, 16) <= place]
        if below:
            channel = self._channels[max(below, key=lambda pointer: int(pointer, 16))]
            reason = found[4].rpartition(", ")[2]
            channel.change(found[3], "" if reason == "OK" else reason)

    def _of_policy(self, channel: Channel, said: str) -> None:
        if policy := _POLICY.search(said):
            channel.policy = policy[1]
        elif picker := _PICKER.search(said):
            ready = int(picker[1])
            start = int(picker[2]) % max(ready, 1)
            self._picker(channel, channel.policy or "round_robin", ready, start)
        elif _SELECTED.match(said) and channel.policy == "pick_first":
            self._picker(channel, "pick_first", 1, 0)

    def _picker(self, channel: Channel, name: str, ready: int, start: int) -> None:
        self.facts.add(channel.name, "PickerPublished", 0, picker=name, ready=ready, start=start)

    def _changed(self, wrapper: str, state: str, status: str) -> None:
        if wrapper in self._wrapped:
            self._wrapped[wrapper].change(state, "" if status == "OK" else status)

    def _of_call(self, channel: Channel, thread: str, kind: str, of: str, said: str) -> None:
        if kind == "calld" and said.startswith("created call"):
            number = self.facts.next("call")
            begun = self.facts.add(
                channel.name, "CallStarted", 0, call=number, wait_for_ready=False
            )
            self._calls[of] = _Call(number, begun)
        if kind == "calld":
            self._latest_call[thread] = of
        elif said.startswith("created"):
            if call := self._calls.get(self._latest_call.get(thread, "")):
                self._calls[of] = call
            return
        call = self._calls.get(of)
        if call is None:  # it began before the log did
            return
        if kind == "calld" and "WaitForReady: true" in said:
            self.facts.change(call.begun, wait_for_ready=True)
        elif said.startswith("LB pick queued") or said.startswith("adding to resolver queued"):
            self._queued(channel, call)
        elif picked := re.match(r"LB pick succeeded: subchannel=(0x\w+)", said):
            self._picked(channel, call, picked[1])
        elif kind == "calld" and (ended := re.match(
            r"got recv_trailing_metadata_ready: error=(\w+)(?::(.*?))?(?: \w+_=.*|"
            r" service_config_call_data=.*)?$", said
        )):  # fmt: skip
            self._ended(channel, call, ended[1], ended[2] or "")
            self._calls.pop(of)

    def _queued(self, channel: Channel, call: _Call) -> None:
        if not call.queued:
            call.queued = True
            call.cause = self.facts.add(
                channel.name, "CallQueued", call.cause,
                call=call.number, reason="no connection is READY yet",
            )  # fmt: skip

    def _picked(self, channel: Channel, call: _Call, wrapper: str) -> None:
        if wrapper not in self._wrapped:
            return
        subchannel = self._wrapped[wrapper]
        call.connection, call.address = subchannel.connection, subchannel.address
        call.cause = self.facts.add(
            channel.name, "Picked", call.cause, call=call.number,
            subchannel=subchannel.number, connection=subchannel.connection,
        )  # fmt: skip

    def _ended(self, channel: Channel, call: _Call, code: str, message: str) -> None:
        """The log has gRPC's own error, not what the server's trailers say; who answered is known
        by its address only."""
        code = code if code in STATUS_NAMES else "UNKNOWN"
        self.facts.add(
            channel.name, "CallEnded", call.cause, call=call.number, code=code,
            connection=call.connection, pod=call.address if code == "OK" else "", message=message,
        )  # fmt: skip


def _moment(found: re.Match[str]) -> int:
    """Of a year that the log does not say: any leap year will do."""
    month, day, hour, minute, second = (int(found[i]) for i in range(1, 6))
    try:
        moment = datetime.datetime(2024, month, day, hour, minute, second, tzinfo=datetime.UTC)
    except ValueError:
        return 0
    return int(moment.timestamp()) * 10**9 + int(found[6][:9].ljust(9, "0"))
