"""Words for rich, which by itself lets through what moves a terminal's cursor."""

from __future__ import annotations

from typing import Any, Self

from rich import text as rich_text

from greetlab.text import plain


class Text(rich_text.Text):
    """What it is made of is only text, on one line (`greetlab.text`)."""

    def __init__(self, text: str = "", *style: Any, **more: Any) -> None:
        super().__init__(plain(text), *style, **more)

    def append(self, text: rich_text.Text | str, style: Any = None) -> Self:
        """Adds a text, as rich does."""
        super().append(plain(text) if isinstance(text, str) else text, style)
        return self
