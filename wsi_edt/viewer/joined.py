"""The page's modules as one classic script, which a browser also runs from a disk (file://), where it refuses modules.

This joins the modules of the page and no others: named imports from `./name.js` at the start of a line, and `export` before
a `const`, `class` or `function`. Each module becomes a function that returns what it exports.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Final

_IMPORT: Final = re.compile(r'^import\s*\{([^}]*)\}\s*from\s*"(\./[^"]+)";\s*?$', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?=(?:const|class|function|async function) (\w+))", re.MULTILINE)
_OTHER: Final = re.compile(r"^\s*(?:import|export)\b.*|\bimport[.(].*|\bnew Worker\(.*", re.MULTILINE)


def joined(modules: Mapping[str, str], first: str) -> str:
    """One classic script that does what the module `first` does with all that it imports.

    Parameters
    ----------
    modules : their texts, by their POSIX paths
    """
    parts: dict[str, str] = {}
    _add(first, modules, parts, ())
    functions = "\n".join(f"// {name}\n{text}" for name, text in parts.items())
    return f'(async () => {{\n"use strict";\nconst modules = {{}};\n{functions}\n}})();\n'


def _add(name: str, modules: Mapping[str, str], parts: dict[str, str], importing: tuple[str, ...]) -> None:
    """Add a module behind those that it imports."""
    assert name not in importing, f"{name} imports itself by way of {importing}"
    if name in parts:
        return
    text = modules[name]
    for found in _IMPORT.finditer(text):
        _add(_beside(name, found[2]), modules, parts, (*importing, name))
    parts[name] = _function(name, text)


def _function(name: str, text: str) -> str:
    exported = [found[1] for found in _EXPORT.finditer(text)]
    text = _IMPORT.sub(lambda found: _taken(found[1], _beside(name, found[2])), text)
    text = _EXPORT.sub("", text)
    other = _OTHER.search(text)
    assert other is None, f"{name}: can't be joined: {other and other[0]}"
    return f'modules["{name}"] = await (async () => {{\n{text}\nreturn {{ {", ".join(exported)} }};\n}})();'


def _taken(names: str, module: str) -> str:
    return f'const {{{re.sub(r" as ", ": ", names)}}} = modules["{module}"];'


def _beside(name: str, other: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), other))
