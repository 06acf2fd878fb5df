"""Modules that are joined do what they do apart: node runs both."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from wsi_edt.viewer.joined import joined
from wsi_edt.viewer.page_files import page_files

MODULES = {
    "main.js": 'import { double as twice, Held } from "./deep/a.js";\nimport {\n  base,\n} from "./b.js";\n'
    "const held = new Held(await Promise.resolve(twice(base)));\nconsole.log(held.value, held.own());\n",
    "deep/a.js": 'import { base } from "./../b.js";\nconst own = 1;\nexport function double(x) { return 2 * x; }\n'
    "export class Held {\n  constructor(value) { this.value = value + base; }\n  own() { return own; }\n}\n",
    "b.js": 'console.log("once");\nconst own = 2;\nexport const base = 20 * own - 20;\nexport async function never() {}\n',
}
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="needs node")


def printed(script: Path) -> str:
    assert NODE is not None
    return subprocess.run([NODE, script], capture_output=True, text=True, check=True, timeout=60).stdout


@needs_node
def test_one_script_prints_what_the_modules_print(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"type": "module"}')
    for name, text in MODULES.items():
        (tmp_path / "apart" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "apart" / name).write_text(text)
    script = tmp_path / "joined.cjs"
    script.write_text(joined(MODULES, "main.js"))
    assert printed(script) == printed(tmp_path / "apart/main.js") == "once\n60 1\n"


@pytest.mark.parametrize(
    "line",
    [
        'import * as b from "./b.js";',
        'import b from "./b.js";',
        'import "./b.js";',
        "export default 3;",
        "export { a };",
        'const b = await import("./b.js");',
        "const here = import.meta.url;",
        'new Worker("page/b.js");',
    ],
)
def test_what_it_cant_join_fails_at_once(line: str) -> None:
    with pytest.raises(AssertionError, match="can't be joined"):
        joined({**MODULES, "main.js": f"const a = 1;\n{line}\n"}, "main.js")


def test_a_circle_fails_at_once() -> None:
    circle = {"a.js": 'import { b } from "./b.js";\n', "b.js": 'import { a } from "./a.js";\n'}
    with pytest.raises(AssertionError, match="imports itself"):
        joined(circle, "a.js")


def test_the_pages_own_modules_can_be_joined() -> None:
    modules = {name: file.content.decode() for name, file in page_files().items() if name.endswith(".js")}
    script = joined(modules, "main.js")
    for name in modules:
        assert (f'modules["{name}"] = ' in script) is not name.startswith("vendor/"), name
