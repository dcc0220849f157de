"""How a client of the bench measures itself and reports."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


class Measurement:
    """From its making to `report`: wall time, and CPU time of this process."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._cpu = time.process_time()  # all threads, user and system mode

    def stop(self) -> None:
        """The last call has ended."""
        self._cpu = time.process_time() - self._cpu
        self._seconds = time.perf_counter() - self._start

    def report(self, latencies_ns: Sequence[int] | npt.NDArray[np.int64]) -> None:
        """Prints one line of JSON: calls, seconds, cpu_seconds, p50_us."""
        figures = {
            "calls": len(latencies_ns),
            "seconds": self._seconds,
            "cpu_seconds": self._cpu,
            "p50_us": float(np.median(latencies_ns)) / 1e3,
        }
        print(json.dumps(figures))
