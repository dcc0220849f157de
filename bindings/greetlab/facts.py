"""The kinds of facts that a trace is made of: `trace.of(gl.Picked)`.

cpp/core/fact.h says what each means and what fields it has. They are plain words, so that
`event.kind == "Picked"` is as good.
"""

from __future__ import annotations

# The cluster.
PodChanged = "PodChanged"
EndpointsChanged = "EndpointsChanged"
ProxyRouted = "ProxyRouted"
GoAwaySent = "GoAwaySent"
# The resolver.
LookupStarted = "LookupStarted"
QueryAnswered = "QueryAnswered"
LookupEnded = "LookupEnded"
ReresolutionRequested = "ReresolutionRequested"
CooldownStarted = "CooldownStarted"
ResolverBackoffStarted = "ResolverBackoffStarted"
# The policy.
AddressListTaken = "AddressListTaken"
ListSwapped = "ListSwapped"
PickerPublished = "PickerPublished"
ChannelStateChanged = "ChannelStateChanged"
# The subchannels and their connections.
SubchannelCreated = "SubchannelCreated"
SubchannelStateChanged = "SubchannelStateChanged"
ConnectStarted = "ConnectStarted"
Connected = "Connected"
ConnectFailed = "ConnectFailed"
ConnectionLost = "ConnectionLost"
BackoffStarted = "BackoffStarted"
# The calls.
CallStarted = "CallStarted"
CallQueued = "CallQueued"
Picked = "Picked"
CallUnsent = "CallUnsent"
CallEnded = "CallEnded"
