"""A command that runs as if in a pod: /etc/resolv.conf is the cluster's, for it alone.

A mount namespace of its own (unshare(1)), and the cluster's DNS at port 53, which resolv.conf's
servers have. Both need root, or a user namespace and a port 53 that anyone may have.
"""

import contextlib
import shutil
import socket
import subprocess
import threading

import pytest
from support import free_ip

_MOUNT = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


@contextlib.contextmanager
def pod_dns(folder, dns_address):
    """Gives what to put before a command's words. Skips, with the reason, where it cannot be."""
    if shutil.which("unshare") is None:
        pytest.skip("no unshare: apt-get install util-linux")
    server = free_ip()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as front:
        try:
            front.bind((server, 53))
        except PermissionError:
            pytest.skip("port 53 is root's here: resolv.conf knows no other")
        conf = folder / "resolv.conf"
        search = "default.svc.cluster.local svc.cluster.local cluster.local"
        conf.write_text(f"nameserver {server}\nsearch {search}\noptions ndots:5\n")
        inside = ["unshare", "-rm", "sh", "-c", _MOUNT, conf]
        tried = subprocess.run([*inside, "true"], capture_output=True, text=True)
        if tried.returncode != 0:
            pytest.skip(f"no mount namespace here: {tried.stderr.strip()}")
        thread = threading.Thread(target=_forward, args=(front, dns_address))
        thread.start()
        try:
            yield inside
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
                end.sendto(b"", (server, 53))
            thread.join()


def _forward(front, dns_address):
    """Datagrams to the cluster's DNS, and back; until an empty one comes."""
    ip, _, port = dns_address.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back:
        back.settimeout(5)
        back.connect((ip, int(port)))
        while True:
            question, client = front.recvfrom(4096)
            if not question:
                return
            back.send(question)
            front.sendto(back.recv(65535), client)
