"""Text from outside is only text: a server's name for itself, a status message, a trace's words.

What would do something where it is shown (move a terminal's cursor, turn the reading direction,
begin a line of its own) is shown as its escape instead: "\\x1b", "\\u202e", "\\n".
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

# cpp/core/printable.cc has the same ones.
_HIDDEN = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidi controls
    "\u2028\u2029"  # line and paragraph separators
    "\u200b\u2060\ufeff"  # no width at all
    "\ud800-\udfff"  # surrogates: bytes that were no UTF-8
    "]"
)


def plain(text: str) -> str:
    """The text with all that is no letter to look at as its escape. Twice is as once."""
    return _HIDDEN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def lines(texts: Iterable[str]) -> str:
    """Each text on a line of its own, and on no other."""
    return "\n".join(map(plain, texts))


def markup(text: str) -> str:
    """The text for HTML, in an element or in a quoted attribute."""
    return html.escape(plain(text))
