"""What a proxy says of its endpoints, for the trace of a client whose calls it takes."""

from __future__ import annotations

import http.client
import threading

from greetlab.channels.channel import Channel
from greetlab.clusters.proxies.l7 import L7Proxy


class ProxyReport:
    """Asks a proxy, and puts what is new into the trace of one channel (`ProxyReported`)."""

    def __init__(self, proxy: L7Proxy, channel: Channel) -> None:
        self._proxy = proxy
        self._channel = channel
        self._told: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def __call__(self) -> None:
        """Nothing where it does not answer: it has ended, or is stopped."""
        try:
            hosts = self._proxy.hosts()
        except (OSError, http.client.HTTPException, ValueError, LookupError):
            return
        now = {place: (host["cx_active"], host["rq_total"]) for place, host in hosts.items()}
        with self._lock:
            for gone in self._told.keys() - now.keys():
                now[gone] = (0, self._told[gone][1])
            for endpoint, did in now.items():
                if self._told.get(endpoint, (0, 0)) != did:
                    self._told[endpoint] = did
                    self._channel.tell_proxy(self._proxy.name, endpoint, *did)
