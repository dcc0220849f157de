"""What chance alone would do, to be drawn beside what happened."""

from __future__ import annotations

import numpy as np


def binomial_band(n: int, p: float, within: float = 0.95) -> tuple[int, int]:
    """The least and the most that one pod gets of `n` requests, each its own with chance `p`.

    Outside of the band lies at most (1 - within) / 2 of the probability on either side.
    """
    if n == 0 or p >= 1:
        return n, n
    k = np.arange(1, n + 1)
    # log of C(n, k) p^k (1-p)^(n-k), from each to the next: nothing overflows, whatever n is.
    steps = np.log(n - k + 1) - np.log(k) + np.log(p) - np.log1p(-p)
    chance = np.exp(np.append(0.0, np.cumsum(steps)) + n * np.log1p(-p))
    total, tail = np.cumsum(chance), (1 - within) / 2
    return int(np.searchsorted(total, tail)), int(np.searchsorted(total, 1 - tail))
