"""The page's files as an export has them: one classic script in place of the modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from wsi_edt.viewer.joined import joined
from wsi_edt.viewer.page_files import INDEX, PAGE, page_files

_SCRIPT: Final = "page/wsi-edt.js"
_MAIN: Final = "main.js"
_MODULE_TAG: Final = f'<script type="module" src="page/{_MAIN}"></script>'
_HTML_TAG: Final = '<html lang="en">'
_CHARSET_TAG: Final = '<meta charset="utf-8">'
# As the server says it, with `file:` beside what a page calls its own: nothing from elsewhere, nothing inline.
_POLICY: Final = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' file: blob:; base-uri 'none'; "
    "form-action 'none'"
)


def page_of_export() -> Mapping[str, bytes]:
    """All files, by their POSIX paths in the export's folder; licences are among them, since it is passed on."""
    found = page_files()
    modules = {name: file.content.decode() for name, file in found.items() if name.endswith(".js")}
    page = {
        f"page/{name}": file.content for name, file in found.items() if name not in modules and name != INDEX
    }
    vendored = {path for path in (PAGE / "vendor").iterdir() if path.is_file()}
    page |= {f"page/vendor/{path.name}": path.read_bytes() for path in sorted(vendored)}
    index = found[INDEX].content.decode()
    for tag, instead in (
        (_HTML_TAG, f"{_HTML_TAG[:-1]} data-exported>"),
        (_CHARSET_TAG, f'{_CHARSET_TAG}\n<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        (_MODULE_TAG, f'<script src="{_SCRIPT}" defer></script>'),
    ):
        assert index.count(tag) == 1, tag
        index = index.replace(tag, instead)
    return {**page, _SCRIPT: joined(modules, _MAIN).encode(), INDEX: index.encode()}
