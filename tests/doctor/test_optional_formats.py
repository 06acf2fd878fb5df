"""What the doctor says of the formats that optional packages read."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

from wsi_edt.doctor import Level
from wsi_edt.doctor.formats import OPTIONAL, Sample, optional


@pytest.mark.parametrize(("sample", "package", "extra"), OPTIONAL, ids=["dicom", "czi"])
def test_it_is_tried_where_it_is_installed(
    sample: Sample, package: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(package)
    finding = optional(sample, package, extra, tmp_path)
    assert finding.level is Level.OK
    assert finding.sentence == f"opens with {package} {metadata.version(package)}"
    monkeypatch.setitem(sys.modules, package, None)  # installed, but it can't be loaded
    assert optional(sample, package, extra, tmp_path).level is Level.WARNING


@pytest.mark.parametrize(("sample", "package", "extra"), OPTIONAL, ids=["dicom", "czi"])
def test_it_is_named_where_it_isnt(
    sample: Sample, package: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", no_version)
    finding = optional(sample, package, extra, tmp_path)
    assert finding.level is Level.OK
    assert finding.sentence.endswith(f"isn't installed; pip install 'wsi-edt[{extra}]' if you need it")
