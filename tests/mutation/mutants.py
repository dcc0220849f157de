"""Mutants of C++: one small change each, of the kind that a slip of the pen makes.

No compiler's view, a tokenizer's: it knows comments, strings and preprocessor lines, and relies on
clang-format, which puts spaces around binary operators and nowhere else. What does not compile is
no mutant; who builds it finds out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

SWAPPED = {
    " < ": " <= ", " <= ": " < ", " > ": " >= ", " >= ": " > ", " == ": " != ", " != ": " == ",
    " + ": " - ", " - ": " + ", " * ": " / ", " / ": " * ", " % ": " / ",
    " && ": " || ", " || ": " && ", " += ": " -= ", " -= ": " += ", "++": "--", "--": "++",
    "true": "false", "false": "true", "std::min(": "std::max(", "std::max(": "std::min(",
    "begin()": "end()", "any_of": "none_of", "all_of": "any_of", "none_of": "any_of",
}  # fmt: skip

_SKIPPED = re.compile(
    r"//[^\n]*|/\*.*?\*/|R\"\((?:.*?)\)\"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])'"
    r"|^[ \t]*#[^\n]*(?:\\\n[^\n]*)*|^template <[^\n]*|^[ \t]*static_assert\([^;]*;",
    re.DOTALL | re.MULTILINE,
)
_SWAP = re.compile("|".join(
    rf"\b{re.escape(one)}" if one[0].isalpha() else re.escape(one)
    for one in sorted(SWAPPED, key=len, reverse=True)
))  # fmt: skip
_NUMBER = re.compile(r"(?<![\w.'])\d+(?![\w.'])")
_CONDITION = re.compile(r"\b(?:if|while) \(")
_NEGATION = re.compile(r"(?<=[\s(])!(?=[\w(])")
# A whole statement on lines of its own that does something: a call, an assignment, a jump.
_STATEMENT = re.compile(
    r"(?<=[;{}:)]\n)(?P<indent> +)(?P<text>(?!return\b|else\b|if\b|for\b|while\b|switch\b|case\b"
    r"|default\b|using\b|const\b|auto\b|static\b|throw\b|struct\b|class\b|delete\b)"
    r"(?:\*?[\w:>.\[\]\-]+ (?:[-+*/]?=) [^;{}]*|[\w:.\->]+\([^;{}]*\)|\+\+\w+|--\w+|break|continue)"
    r";)(?=\n)"
)


@dataclass(frozen=True)
class Mutant:
    """A change of `text[start:end]` to `instead`."""

    start: int
    end: int
    instead: str
    what: str

    def applied(self, text: str) -> str:
        """The text with it."""
        return text[: self.start] + self.instead + text[self.end :]


def mutants(text: str) -> list[Mutant]:
    """All that this knows to make of a source, in order."""
    # Of the same length, and without what is not code.
    code = _SKIPPED.sub(lambda found: re.sub(r"[^\n]", "\x00", found[0]), text)
    return sorted(_all(code), key=lambda one: (one.start, one.end, one.instead))


def _all(code: str) -> Iterator[Mutant]:
    for found in _SWAP.finditer(code):
        yield Mutant(found.start(), found.end(), SWAPPED[found[0]], "operator")
    for found in _NUMBER.finditer(code):
        yield Mutant(found.start(), found.end(), str(int(found[0]) + 1), "constant")
    for found in _NEGATION.finditer(code):
        yield Mutant(found.start(), found.end(), "", "negation removed")
    for found in _CONDITION.finditer(code):
        end = _closing(code, found.end() - 1)
        condition = code[found.end() : end]
        # `if (init; condition)` and `if (auto x = ...)` are declarations, too.
        if ";" not in condition and " = " not in condition and "\x00" not in condition:
            yield Mutant(found.end(), end, f"!({condition})", "condition negated")
    for found in _STATEMENT.finditer(code):
        if "\x00" not in found["text"]:
            yield Mutant(found.start("text"), found.end("text"), ";", "statement removed")


def _closing(code: str, opening: int) -> int:
    depth = 0
    for place in range(opening, len(code)):
        depth += {"(": 1, ")": -1}.get(code[place], 0)
        if depth == 0:
            return place
    raise ValueError("a parenthesis that nobody closes")
