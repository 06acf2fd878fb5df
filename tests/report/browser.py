"""A real browser, where there is one, that opens a page and says what it finds there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

BROWSER = next((found for name in ("chromium", "google-chrome") if (found := shutil.which(name))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="neither chromium nor google-chrome is on PATH")


def told_by_browser(page: str, script: str, folder: Path) -> Any:
    """What a script returns that runs at the end of a page, by way of JSON; errors of any script on the page fail.

    Parameters
    ----------
    script : the body of a JavaScript function
    folder : where the page is put; the browser keeps its own files there
    """
    assert BROWSER is not None
    listening = "<script>const faults = []; onerror = (message) => { faults.push(message); };</script>"
    asking = (
        "<script>{ let told; try { told = (() => {"
        + script
        + "})(); } catch (error) { faults.push(String(error)); }"
        "document.body.innerHTML = '<pre></pre>';"
        "document.querySelector('pre').textContent = JSON.stringify({told, faults}); }</script>"
    )
    path = folder / "page.html"
    path.write_text(
        page.replace("<head>", "<head>" + listening, 1).replace("</body>", asking + "</body>"), "utf-8"
    )
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder / 'browser'}",
    ]
    command += ["--dump-dom", path.as_uri()]
    shown = subprocess.run(command, capture_output=True, timeout=120, check=True).stdout.decode()
    found = re.search(r"<pre>(.*?)</pre>", shown, re.DOTALL)
    assert found is not None, shown
    answer = json.loads(unescape(found[1]))
    assert answer["faults"] == []
    return answer["told"]
