"""Arguments that make no sense, refused in words."""

from __future__ import annotations

Time = float | tuple[float, float] | str
"""How long something takes, in seconds; two numbers: a uniform draw between them; or a text as the
command lines take it: "20ms", "5ms..20ms", "exponential 20ms" (the mean).
"""


def whole(what: str, value: int, least: int, most: int = 2**31 - 1) -> None:
    """Raises TypeError for what is no whole number, ValueError for one out of range."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what} {value!r}: a whole number")
    if not least <= value <= most:
        end = f" and {most} at most" if value > most else ""
        raise ValueError(f"{what} {value}: it is {least} at least{end}")


def number(what: str, value: float, least: float, most: float) -> None:
    """Raises TypeError for what is no number, ValueError for one out of range."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{what} {value!r}: a number")
    if not least <= value <= most:
        raise ValueError(f"{what} {value!r}: it is {least} at least and {most:g} at most")


def time(what: str, value: Time) -> None:
    """Raises TypeError for what is no time, ValueError for one out of range. A text is left to the
    core to read.
    """
    if isinstance(value, str):
        return
    if not isinstance(value, tuple):
        number(what, value, 0, 1e6)
        return
    if len(value) != 2:
        raise ValueError(f"{what} {value!r}: two numbers, for a uniform draw between them")
    for one in value:
        number(what, one, 0, 1e6)
    if value[0] > value[1]:
        raise ValueError(f"{what} {value!r}: the smaller number first")


def timeout(value: float) -> None:
    """Raises for what is no time that a call may take."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"timeout {value!r}: a number of seconds")
    if not value > 0:
        raise ValueError(f"timeout {value!r}: seconds, more than 0")


def word(what: str, value: str) -> None:
    """Raises TypeError for what is no text."""
    if not isinstance(value, str):
        raise TypeError(f"{what} {value!r}: a text")
