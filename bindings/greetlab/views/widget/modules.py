"""JavaScript modules, joined to one: what a bundler does, for the few forms that ours have.

Each stands in one folder and is plain: what is at the top of a module starts at the start of a
line, is declared by a name of its own, and is given by `export` before it. Whatever else there is,
it is refused, for it would be joined to something that is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

_IMPORT = re.compile(r'^import \{(\s*[\w$]+(?:,\s*[\w$]+)*,?\s*)\} from "\./([^"]+)";\n', re.M)
_TYPES = re.compile(r"^/\*\* @import .* \*/\n", re.M)  # for the type checker alone
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) ([\w$]+))", re.M)
_DEFAULT = re.compile(r"^export default ", re.M)
_NAME = re.compile(r"^(?:async )?(?:function|class|const|let) ([\w$]+)", re.M)
_REST = re.compile(
    rf"^(?:import|export)\b.*|^(?!{_NAME.pattern})(?:async|function|class|const|let|var)\b.*"
    r"|.*\bimport ?[(.].*",
    re.M,
)


def needed(modules: Mapping[str, str], entry: str) -> list[str]:
    """The names of the modules that the entry needs, and last its own; each after its imports.

    modules: the text of each, by file name.

    Raises ValueError, with a sentence, for an import that cannot be met, and for a cycle.
    """
    if entry not in modules:
        raise ValueError(f"there is no module {entry}")
    for name, text in modules.items():
        for found in re.finditer(r"^(?:import|export)\b.*", text, re.M):
            if text.count("`", 0, found.start()) % 2:
                raise ValueError(f"{name}: this cannot be joined, in a template: {found[0]}")
    needs: dict[str, list[str]] = {}
    left = [entry]
    while left:
        name = left.pop()
        needs[name] = []
        for wanted, of in _IMPORT.findall(modules[name]):
            needs[name].append(of)
            if of not in modules:
                raise ValueError(f"{name} imports from {of}, and there is no such module")
            if missing := set(re.findall(r"[\w$]+", wanted)) - set(_EXPORT.findall(modules[of])):
                raise ValueError(f"{name} imports {min(missing)}, which {of} does not export")
        left += [of for of in needs[name] if of not in needs and of not in left]
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise ValueError(f"the imports are a cycle: {' -> '.join(error.args[1][::-1])}") from None


def join(modules: Mapping[str, str], entry: str, default: str) -> str:
    """The entry and all that it needs as one script without imports and exports.

    modules: the text of each, by file name. default: what the entry's default export is called.

    Raises ValueError, with a sentence, for an import that cannot be met, a cycle, a name that two
    modules have at their top, and what is not understood.
    """
    order = needed(modules, entry)
    parts: list[str] = []
    owner: dict[str, str] = {}
    for name in order:
        text = _EXPORT.sub("", _TYPES.sub("", _IMPORT.sub("", modules[name])))
        if name == entry:
            text = _DEFAULT.sub(f"const {default} = ", text)
        for declared in _NAME.findall(text):
            if declared in owner:
                both = " and ".join(dict.fromkeys((owner[declared], name)))
                raise ValueError(f"{declared} is declared at the top of {both}")
            owner[declared] = name
        if rest := _REST.search(text):
            raise ValueError(f"{name}: this cannot be joined: {rest[0]}")
        parts.append(text)
    if default not in owner:
        raise ValueError(f"{entry} has no default export")
    return "\n".join(parts)
