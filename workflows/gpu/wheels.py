"""Collects the wheels that a GPU machine without a network lacks, and proves that none is missing."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import packages_distributions
from pathlib import Path

import click
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "3.12"
PLATFORMS = (
    *(f"manylinux_2_{minor}_x86_64" for minor in range(39, 4, -1)),
    "manylinux2014_x86_64",
    "manylinux2010_x86_64",
    "manylinux1_x86_64",
    "linux_x86_64",
)
TARGET = {"python_version": PYTHON, "python_full_version": f"{PYTHON}.0", "sys_platform": "linux"}
# 60 MB, and it runs on CPUs only; whatever would import it says so or is skipped.
NEVER = frozenset({"openvino"})
# Beside what pyproject.toml says: the tests' needs, and what an editable installation is built with.
BESIDE = (
    "pytest>=8.3",
    "pytest-timeout>=2.3",
    "hypothesis>=6.100",
    "aiohttp>=3.9",
    "hatchling>=1.27",
    "editables",
)
# Of imagecodecs' sixty codecs those of slides: JPEG, JPEG 2000, LZW, deflate, Zstandard.
CODECS = frozenset({"imcd", "shared", "shared_cython", "jpeg8", "jpeg2k", "zlib", "deflate", "zstd"})
CHECKED = ("wsi_edt", "workflows/gpu", "workflows/benchmarks", "tests/detection", "tests/conftest.py")


def read_present(path: Path) -> dict[str, str | None]:
    """The packages in a list, with their versions (None if unknown)."""
    found: dict[str, str | None] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, version = line.partition("==")
            found[canonicalize_name(name.strip())] = version.strip() or None
    return found


def requirements() -> list[str]:
    """What wsi-edt and its tests need on the GPU machine, as pip reads it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*map(Requirement, project["dependencies"]), *map(Requirement, BESIDE)]
    return [
        str(one)
        for one in wanted
        if canonicalize_name(one.name) not in NEVER and (one.marker is None or _holds(one.marker))
    ]


def resolve(
    wanted: Sequence[str], present: Mapping[str, str | None], *, work: Path
) -> list[dict[str, object]]:
    """The metadata of all packages that pip would install there, from the registry.

    Parameters
    ----------
    wanted : requirements
    present : what is installed there; a known version is kept
    work : a folder for temporary files
    """
    pins = {name: f"{name}=={version}" for name, version in present.items() if version is not None}
    for line in (ROOT / ".ci" / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name = canonicalize_name(Requirement(line).name)
            if present.get(name) is None:
                pins[name] = line
    pinned, report = work / "pins.txt", work / "report.json"
    pinned.write_text("\n".join(pins.values()), encoding="utf-8")
    _pip("install", "--dry-run", "--ignore-installed", "--report", report, "--target", work / "nowhere",
         "--constraint", pinned, *_as_there(), *wanted)  # fmt: skip
    return [one["metadata"] for one in json.loads(report.read_text(encoding="utf-8"))["install"]]


def carried(
    packages: Sequence[Mapping[str, object]], wanted: Sequence[str], present: Mapping[str, str | None]
) -> dict[str, str]:
    """Names and versions of what has to travel: what is needed and missing, or perhaps there in another version."""
    by_name = {canonicalize_name(str(one["name"])): one for one in packages}
    found: dict[str, str] = {}
    asked = [*map(Requirement, wanted)]
    seen: set[str] = set()
    while asked:
        requirement = asked.pop()
        name = canonicalize_name(requirement.name)
        version = present.get(name)
        # A package of unknown version is assumed to be new enough, but not to be old enough.
        doubtful = version is None and any(
            one.operator not in (">", ">=", "!=") for one in requirement.specifier
        )
        if name in present and not doubtful and (version is None or requirement.specifier.contains(version)):
            continue
        if name not in by_name:  # pip resolves for its own Python's version where a requirement depends on it
            raise click.ClickException(
                f"{name} is only needed on Python {PYTHON}; make the pack with that Python"
            )
        found[name] = str(by_name[name]["version"])
        if name not in seen:
            seen.add(name)
            needs = by_name[name].get("requires_dist")
            known = [Requirement(need) for need in needs] if isinstance(needs, list) else []
            asked += [one for one in known if one.marker is None or _holds(one.marker)]
    return found


def download(versions: Mapping[str, str], folder: Path) -> list[Path]:
    """Fetch the wheels of these versions into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    named = [f"{name}=={version}" for name, version in sorted(versions.items())]
    _pip("download", "--no-deps", "--dest", folder, *_as_there(), *named)
    return sorted(folder.glob("*.whl"))


def stand_ins(
    packages: Sequence[Mapping[str, object]],
    present: Mapping[str, str | None],
    folder: Path,
    *,
    versions: Mapping[str, str],
) -> None:
    """Write empty wheels without requirements for what is there, at its version or else at the one that pip found.

    Also for what pip wants on this Python but not on that one: pip evaluates markers for the Python it runs on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    resolved: dict[str, str] = {canonicalize_name(str(one["name"])): str(one["version"]) for one in packages}
    for name in {*present, *resolved} - set(versions):
        version = present.get(name) or resolved.get(name)
        if version is not None:
            empty_wheel(folder, name, version)


def prove(wanted: Sequence[str], wheels: Path, there: Path, *, work: Path) -> None:
    """Resolve the requirements from the carried wheels and the stand-ins; raises ClickException if one is missing."""
    links = ["--find-links", wheels, "--find-links", there]
    target = ["--target", work / "nowhere"]
    try:
        _pip(
            "install", "--dry-run", "--ignore-installed", "--no-index", *links, *target, *_as_there(), *wanted
        )
    except click.ClickException as error:
        raise click.ClickException(f"the GPU machine would lack something: {error.message}") from error


def only_codecs(wheel: Path, codecs: frozenset[str] = CODECS) -> None:
    """Rewrite imagecodecs' wheel without other codecs, the libraries that only those load, and debug symbols."""
    with zipfile.ZipFile(wheel) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    kept = {
        name: data for name, data in contents.items() if (codec := _codec(name)) is None or codec in codecs
    }
    libraries = {Path(name).name: name for name in kept if name.startswith("imagecodecs.libs/")}
    kept |= {name: stripped(data) for name, data in kept.items() if _codec(name)}
    needed, asked = set[str](), [data for name, data in kept.items() if _codec(name)]
    while asked:  # what loads a library contains its name
        data = asked.pop()
        for short, name in libraries.items():
            if name not in needed and short.encode() in data and data is not kept[name]:
                needed.add(name)
                asked.append(kept[name])
    _write_wheel(
        wheel, {name: data for name, data in kept.items() if name not in libraries.values() or name in needed}
    )


def archive(wheels: Sequence[Path], path: Path) -> None:
    """Put all wheels into one file, compressed together: that takes a quarter less than one by one."""
    with tarfile.open(path, "w:xz", preset=9) as together:
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as source:
                contents = {name: source.read(name) for name in source.namelist()}
            stored = path.with_name(wheel.name)
            _write_zip(stored, contents, zipfile.ZIP_STORED)
            together.add(stored, wheel.name)
            stored.unlink()


def refuse_missing_imports(wheels: Sequence[Path], present: Iterable[str], files: Sequence[Path]) -> None:
    """Raise ClickException if a file imports something that no carried wheel and no present package has."""
    there = set(present)
    packed = {top for wheel in wheels for top in _top_levels(wheel)}
    of_package = packages_distributions()
    for path in files:
        for name, line in sorted(_third_party(path, files)):
            packages = {canonicalize_name(one) for one in of_package.get(name, [name])}
            if name not in packed and not packages & there and not packages & NEVER:
                raise click.ClickException(
                    f"{path.relative_to(ROOT)}, line {line} imports {name}, which the GPU machine won't have; add its "
                    "package to BESIDE in workflows/gpu/wheels.py"
                )


def checked_files() -> list[Path]:
    """The files that run on the GPU machine: sources, the tests marked for it, and those tests' helpers."""
    from run_tests import files_with_gpu_tests

    found = {
        path
        for name in CHECKED
        for path in ([ROOT / name] if name.endswith(".py") else (ROOT / name).rglob("*.py"))
    }
    found |= {ROOT / name for name in files_with_gpu_tests()}
    waiting = [path for path in found if "tests" in path.parts]
    while waiting:  # helpers of tests
        for name, _ in _imports(waiting.pop()):
            helper = ROOT / f"{name.replace('.', '/')}.py"
            if name.startswith("tests.") and helper.is_file() and helper not in found:
                found.add(helper)
                waiting.append(helper)
    return sorted(found)


def _third_party(path: Path, files: Sequence[Path]) -> set[tuple[str, int]]:
    own = {"wsi_edt", "tests", *(file.stem for file in files if "workflows" in file.parts)}
    tops = {(name.partition(".")[0], line) for name, line in _imports(path)}
    return {(name, line) for name, line in tops if name not in own and name not in sys.stdlib_module_names}


def _imports(path: Path) -> set[tuple[str, int]]:
    """The modules that a file imports anywhere, with the lines."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {(alias.name, node.lineno) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add((node.module, node.lineno))
    return found


def _holds(marker: Marker) -> bool:
    return marker.evaluate({**TARGET, "platform_machine": "x86_64", "extra": ""})


def _as_there() -> list[str]:
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    return ["--python-version", PYTHON, "--implementation", "cp", *platforms, "--only-binary=:all:"]


def _pip(*words: object) -> None:
    command = [sys.executable, "-m", "pip", *map(str, words), "--quiet", "--disable-pip-version-check"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        errors = [line for line in ended.stderr.splitlines() if line.startswith("ERROR")]
        raise click.ClickException(" ".join(errors) or ended.stderr[-500:])


def stripped(library: bytes) -> bytes:
    """A shared library without debug symbols: a fifth of the size, for imagecodecs' modules."""
    tool = shutil.which("strip")
    if tool is None:
        return library
    with tempfile.NamedTemporaryFile(suffix=".so") as file:
        Path(file.name).write_bytes(library)
        subprocess.run([tool, "--strip-debug", file.name], check=True)
        return Path(file.name).read_bytes()


def _codec(name: str) -> str | None:
    """The codec of an extension module in imagecodecs' wheel."""
    found = re.fullmatch(r"imagecodecs/_(\w+)\.abi3\.so", name)
    return found[1] if found else None


def _top_levels(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as source:
        names = source.namelist()
    return {name.partition("/")[0].partition(".")[0] for name in names if ".dist-info/" not in name}


def empty_wheel(folder: Path, name: str, version: str) -> None:
    """Write a wheel of metadata alone."""
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    contents = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: wsi-edt\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    _write_wheel(folder / f"{stem}-py3-none-any.whl", contents)


def _write_wheel(path: Path, contents: Mapping[str, bytes]) -> None:
    """Write a wheel with a new list of its contents."""
    record = next(name for name in contents if name.endswith(".dist-info/RECORD"))
    lines = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}"
        for name, data in contents.items()
        if name != record
    ]
    _write_zip(
        path, {**contents, record: "\n".join([*lines, f"{record},,", ""]).encode()}, zipfile.ZIP_DEFLATED
    )


def _write_zip(path: Path, contents: Mapping[str, bytes], compression: int) -> None:
    with zipfile.ZipFile(path, "w", compression) as target:
        for name, data in contents.items():
            # Executable, as shared libraries and scripts must be.
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o755 << 16
            target.writestr(entry, data, compress_type=compression)


def pack_wheels(out: Path, *, present: Mapping[str, str | None], work: Path) -> dict[str, str]:
    """Write the wheels that have to travel, proved to be complete, into the archive `out`; returns their versions."""
    wanted = requirements()
    packages = resolve(wanted, present, work=work)
    versions = carried(packages, wanted, present)
    shutil.rmtree(work / "wheels", ignore_errors=True)
    wheels = download(versions, work / "wheels")
    for wheel in wheels:
        if parse_wheel_filename(wheel.name)[0] == "imagecodecs":
            only_codecs(wheel)
    there = {name: version for name, version in present.items() if name not in versions}
    stand_ins(packages, there, work / "there", versions=versions)
    prove(wanted, work / "wheels", work / "there", work=work)
    refuse_missing_imports(wheels, there, checked_files())
    archive(wheels, out)
    return versions
