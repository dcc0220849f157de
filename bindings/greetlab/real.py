"""What a simulator alone lacks: greetlab that was built without gRPC and the other libraries."""

from __future__ import annotations

import sys

from greetlab import _core


def missing() -> tuple[str, str] | None:
    """Why nothing of the real world is in this installation, and what to do; None: it is there."""
    if not _core.is_sim_only():
        return None
    packages = _core.missing_packages()
    saw = "this greetlab is the simulator alone, built "
    saw += f"without {', '.join(packages)}" if packages else "with GREETLAB_SIM_ONLY=ON"
    if sys.platform != "linux":
        return saw, "use Linux for real sockets: a container (k8s/Dockerfile), WSL, a machine"
    get = f"apt-get install {' '.join(packages)}, then pip" if packages else "pip"
    option = "" if packages else " without that option"
    return saw, f"{get} install it again{option}; or install a wheel of ./run wheel"


def need(what: str) -> None:
    """Says that this installation does not have it, where it is a simulator alone.

    what: what was asked for, as a reader calls it: "Cluster.local".

    Raises RuntimeError with the reason, and with what to do.
    """
    if found := missing():
        saw, cure = found
        raise RuntimeError(
            f"{what}: {saw}. Cluster.sim, the playground and --in sim work. For the rest: {cure}"
        )
