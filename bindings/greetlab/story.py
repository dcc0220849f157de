"""The sentences of a trace: one for each kind of fact, for somebody who has never seen gRPC."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greetlab.trace import Event


def sentence(event: Event) -> str:
    """What happened, in words."""
    return _SENTENCES[event.kind](event)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 'es' if noun.endswith('s') else 's'}"


def _ms(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e6:.2f} ms"


def _until(event: Event) -> str:
    return f"{event.until / 1e9 - event.trace.origin:.3f} s"


def _address(event: Event) -> str:
    """The address of the subchannel that the event is about."""
    made = event.trace.of_subchannel(event.subchannel)
    return made or f"subchannel {event.subchannel}"


def _reason(event: Event) -> str:
    return f": {event.reason}" if event.reason else ""


def _pod_changed(event: Event) -> str:
    return f"{event.pod} is {event.change}" if event.change != "started" else f"{event.pod} started"


def _endpoints(event: Event) -> str:
    listed = event.addresses.replace(",", ", ") or "nobody"
    return f"{event.service} now lists {_plural(event.count, 'endpoint')}: {listed}"


def _query(event: Event) -> str:
    answer = {"ok": "has records", "no_data": "exists, but has no such record"}.get(
        event.status, f"is {event.status.upper()}"
    )
    return f"DNS: {event.name} {event.type} {answer} ({_ms(event.round_trip)})"


def _lookup_ended(event: Event) -> str:
    if not event.count:
        return f"the lookup of {event.name} found nothing: {event.status.upper()}"
    found = event.addresses.replace(",", ", ")
    return f"the lookup found {_plural(event.count, 'address')}: {found}"


def _list_taken(event: Event) -> str:
    for_now = ", but goes on with the list it has for now" if event.pending else ""
    return f"the policy is given {_plural(event.count, 'address')}{for_now}"


def _picker(event: Event) -> str:
    return {
        "queue": "calls have to wait for now",
        "fail": "calls fail for now",
        "pick_first": "every call goes to the one READY connection from now on",
    }.get(
        event.picker,
        f"calls are shared by {event.picker} among {_plural(event.ready, 'READY connection')} "
        f"from now on, beginning with number {event.start + 1} of them",
    )


def _lost(event: Event) -> str:
    how = {
        "yes": "was ended in order (GOAWAY): it takes no new calls",
        "no": "broke",
        "unknown": "is gone",
    }[event.graceful]
    return f"the connection to {_address(event)} {how}"


def _call_ended(event: Event) -> str:
    if event.code == "OK":
        return f"call {event.call} was answered by {event.pod}"
    to = event.trace.of_connection(event.connection)
    sent = f", sent to {to}," if to else ""
    return f"call {event.call}{sent} failed with {event.code}: {event.message}"


_SENTENCES: dict[str, Callable[[Event], str]] = {
    "PodChanged": _pod_changed,
    "EndpointsChanged": _endpoints,
    "ProxyRouted": lambda e: f"the ClusterIP sends the new connection to {e.endpoint}",
    "GoAwaySent": lambda e: f"{e.who} sends GOAWAY on a connection: {e.reason}",
    "LookupStarted": lambda e: f"{e.who} looks up {e.name}",
    "QueryAnswered": _query,
    "LookupEnded": _lookup_ended,
    "ReresolutionRequested": lambda e: f"{e.who} would like newer addresses",
    "CooldownStarted": lambda e: (
        f"the last lookup is too recent: the next one waits until {_until(e)}"
    ),
    "ResolverBackoffStarted": lambda e: (
        f"the lookup was of no use: it is tried again at {_until(e)}"
    ),
    "AddressListTaken": _list_taken,
    "ListSwapped": lambda e: f"the new list of addresses takes over: {e.reason}",
    "PickerPublished": _picker,
    "ChannelStateChanged": lambda e: f"{e.who} is {e.to} (it was {e.fields['from']}){_reason(e)}",
    "SubchannelCreated": lambda e: f"there is a subchannel for {e.address}",
    "SubchannelStateChanged": lambda e: (
        f"{_address(e)} is {e.to} (it was {e.fields['from']}){_reason(e)}"
    ),
    "ConnectStarted": lambda e: (
        f"{e.who} dials {_address(e)}" + (f", attempt {e.attempt}" if e.attempt > 1 else "")
    ),
    "Connected": lambda e: f"the connection to {_address(e)} is up",
    "ConnectFailed": lambda e: f"the connection to {_address(e)} could not be made{_reason(e)}",
    "ConnectionLost": _lost,
    "BackoffStarted": lambda e: f"{_address(e)} is left alone until {_until(e)} (backoff)",
    "CallStarted": lambda e: f"call {e.call} begins",
    "CallQueued": lambda e: f"call {e.call} waits: {e.reason}",
    "Picked": lambda e: f"call {e.call} goes to {_address(e)}",
    "CallUnsent": lambda e: (
        f"nothing of call {e.call} was sent, for the connection was gone: it is picked again"
    ),
    "CallEnded": _call_ended,
}
