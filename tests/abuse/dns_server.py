"""One client asks the cluster's DNS server without an end over TCP:
python tests/abuse/dns_server.py [COUNT]

On one connection, as many questions as it takes (26,400); another client asks over UDP meanwhile.
Fails where one of its answers takes above 250 ms.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time

import dns.message
import dns.query
from rig import free_ip

from greetlab.dns.server import ClusterDns

PORT = 5353
MOST_MS = 250


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 26_400
    name = "greetserver.default.svc.cluster.local"
    question = dns.message.make_query(name, "A").to_wire()
    with ClusterDns(free_ip(), PORT) as server:
        server.set_service("greetserver", cluster_ip="10.96.0.7")

        def ask_all() -> None:
            with (
                contextlib.suppress(OSError),
                socket.create_connection((server.address, PORT)) as one,
            ):
                threading.Thread(target=swallow, args=[one], daemon=True).start()
                one.sendall((len(question).to_bytes(2, "big") + question) * count)
                time.sleep(60)

        def swallow(one: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while one.recv(1 << 16):
                    pass

        threading.Thread(target=ask_all, daemon=True).start()
        time.sleep(0.1)
        waited = []
        while len(server.queries) < 10_000 and len(waited) < 200:
            began = time.monotonic()
            dns.query.udp(dns.message.make_query(name, "A"), server.address, timeout=30, port=PORT)
            waited.append((time.monotonic() - began) * 1000)
            time.sleep(0.02)
    worst = max(waited)
    print(f"dns: the slowest of {len(waited)} answers over UDP took {worst:.0f} ms")
    return worst > MOST_MS


if __name__ == "__main__":
    sys.exit(main())
