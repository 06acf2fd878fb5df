"""What the doctor says of the optional reader of DICOM."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

from wsi_edt.doctor import Level
from wsi_edt.doctor.formats import optional_dicom


def test_it_is_tried_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wsidicom")
    version = metadata.version("wsidicom")
    finding = optional_dicom(tmp_path)
    assert (finding.level, finding.sentence) == (Level.OK, f"opens with wsidicom {version}")
    monkeypatch.setitem(sys.modules, "wsidicom", None)  # installed, but it can't be loaded
    finding = optional_dicom(tmp_path)
    assert finding.level is Level.WARNING
    assert finding.sentence.startswith("doesn't open here: is packed as JPEG-LS")


def test_it_is_named_where_it_isnt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", no_version)
    finding = optional_dicom(tmp_path)
    assert finding.level is Level.OK
    assert finding.sentence.endswith("isn't installed; pip install 'wsi-edt[dicom]' if you need it")
