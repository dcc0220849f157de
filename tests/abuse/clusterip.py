"""Short connections through a clusterip: python tests/abuse/clusterip.py [COUNT]

Nobody reads its facts.
Fails where 100,000 of them leave more than 8 MiB behind.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading

from rig import address_of, free_ip, many_descriptors, rss

from greetlab.executables import path

MOST_MIB = 8


def one(address: tuple[str, int]) -> None:
    """Says something, hears it again, and resets, so that no port is used up."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"hello")
        connection.recv(5)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def pod(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(connection.recv(5))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def main() -> int:
    many_descriptors()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    ip = free_ip()
    listener = socket.create_server((ip, 0), backlog=1000)
    threading.Thread(target=pod, args=[listener], daemon=True).start()
    endpoint = f"{ip}:{listener.getsockname()[1]}"
    proxy = subprocess.Popen(
        [path("clusterip"), "--listen", f"{free_ip()}:0", "--endpoints", endpoint],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    address = address_of(proxy.stdout.readline().split(b'"')[-2].decode())
    try:
        one(address)
        before = rss(proxy.pid)
        for done in range(1, count + 1):
            one(address)
            if done % (count // 5) == 0:
                print(f"{done:7} connections: {rss(proxy.pid):.1f} MiB", flush=True)
        grown = rss(proxy.pid) - before
    finally:
        proxy.kill()
    print(f"clusterip: {before:.1f} MiB before, {grown:.1f} more after {count} connections")
    return grown > MOST_MIB


if __name__ == "__main__":
    sys.exit(main())
