"""What a proxy says of its endpoints, for the trace of a client whose calls it takes."""

from __future__ import annotations

import http.client

from greetlab.channels.channel import Channel
from greetlab.clusters.proxies.l7 import L7Proxy


class ProxyReport:
    """Asks a proxy, and puts what is new into the trace of one channel (`ProxyReported`)."""

    def __init__(self, proxy: L7Proxy, channel: Channel) -> None:
        self._proxy = proxy
        self._channel = channel
        self._told: dict[str, tuple[int, int]] = {}

    def __call__(self) -> None:
        """Nothing where it does not answer: it has ended, or is stopped."""
        try:
            hosts = self._proxy.hosts()
        except (OSError, http.client.HTTPException, ValueError, LookupError):
            return
        for endpoint, host in hosts.items():
            now = (host["cx_active"], host["rq_total"])
            if self._told.get(endpoint, (0, 0)) != now:
                self._told[endpoint] = now
                self._channel.tell_proxy(self._proxy.name, endpoint, *now)
