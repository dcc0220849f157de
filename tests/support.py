"""What several test files need."""

import os
import random
import signal
import time
from pathlib import Path

from greetlab.trace.trace import KINDS, Trace


def free_ip() -> str:
    """A loopback address that no other test is likely to use, and no cluster does (127.1-254)."""
    return f"127.255.{random.randrange(1, 255)}.{random.randrange(1, 255)}"


def stop_process(child: int) -> None:
    """Has a child process do nothing more, and waits until it is so (a signal takes a moment).

    Its kernel goes on acknowledging what comes. A killed one ends all the same.
    """
    os.kill(child, signal.SIGSTOP)
    os.waitid(os.P_PID, child, os.WSTOPPED | os.WNOWAIT)


def wait_until(holds, timeout=10.0):
    """Waits for what happens in another process or thread, of which nobody tells us."""
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.002)


def as_live(trace: Trace, path: Path) -> Trace:
    """The same trace without what a real network shows to nobody; `path` is for a file."""
    hidden = ("ProxyRouted", "GoAwaySent", "PodServed")
    trace.of(*(kind for kind in KINDS if kind not in hidden)).save(path)
    return Trace.load(path)
