"""What a doctor says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    level: "good"; "note", something is missing that only some need; "bad", something will fail.
    saw: what there is. remedy: what to do about it, in one line; "" where it is good.
    """

    subject: str
    level: Literal["good", "note", "bad"]
    saw: str
    remedy: str = ""
