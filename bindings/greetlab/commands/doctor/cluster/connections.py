"""The connections that their client has, where it may be looked: its own /proc/net/tcp."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

from greetlab.clusters.kube.kubectl import Kubectl, KubectlError, Object
from greetlab.commands.doctor.sockets import ESTABLISHED, parse_table

_NO_SUCH_PROGRAM = ("executable file not found", "no such file")


def connections(kubectl: Kubectl, pod: Object, ends: set[str]) -> dict[str, int]:
    """How many connections the pod has to each of these "ip:port".

    Through its own image's `cat`: an ephemeral container would change their pod.

    Raises KubectlError, its detail in words, if it may not be looked.
    """
    name, space = pod["metadata"]["name"], pod["metadata"]["namespace"]
    try:
        told = kubectl.execute(name, space, "cat", "/proc/net/tcp")
    except KubectlError as error:
        if any(word in error.detail for word in _NO_SUCH_PROGRAM):
            raise KubectlError(f"its image has no cat, so pod {name} cannot be asked") from error
        if "forbidden" in error.detail.lower():
            raise KubectlError(f"you may not run anything in pod {name}: {error.detail}") from error
        raise
    with suppress(KubectlError):  # a node without IPv6 has no such table
        told += kubectl.execute(name, space, "cat", "/proc/net/tcp6")
    try:
        there = parse_table(told)
    except (ValueError, IndexError) as error:
        raise KubectlError(f"pod {name} has no such /proc/net/tcp as Linux has") from error
    found = Counter(s.remote for s in there if s.state == ESTABLISHED and s.remote in ends)
    return dict(sorted(found.items()))
