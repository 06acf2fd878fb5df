"""What travels to a GPU: sets, wheels, and no more than may."""

import io
import json
import subprocess
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import cv2
import numpy as np
import numpy.typing as npt
import pytest
from packaging.utils import canonicalize_name
from shapely import box

from tests.training.sets import labelled_image
from tests.workflows.conftest import GPU, GPU_MPP
from wsi_edt.training.config import TrainConfig, read_config
from wsi_edt.training.material import read_material
from wsi_edt.training.provenance import provenance_of


def test_regions_are_read_back(
    gpu_scripts: Any, tmp_path: Path, gpu_config: TrainConfig, gpu_data: Path
) -> None:
    mask = np.zeros((256, 300), np.uint8)
    mask[20:220, 10:110] = 255
    (gpu_data / "train" / "roi").mkdir()
    assert cv2.imwrite(str(gpu_data / "train" / "roi" / "a.png"), mask)
    (gpu_data / "train" / "points" / "a.csv").write_text("class,x,y\npositive,40.5,50.25\nnegative,80.5,80\n")
    sets = gpu_scripts("sets")
    sets.write_sets(
        sets.read_groups(gpu_config, gpu_data), sets.Choice(), gpu_config, gpu_data, out=tmp_path / "pack"
    )
    packed = read_config(tmp_path / "pack" / "train.toml")
    (before,), (after,) = (
        read_material(*one).training for one in ((gpu_config, gpu_data), (packed, tmp_path / "pack" / "sets"))
    )
    assert before.region is not None
    assert after.region is not None
    assert after.region.area * after.image_mpp**2 == pytest.approx(
        before.region.area * before.image_mpp**2, rel=0.03
    )
    np.testing.assert_allclose(
        (after.points - after.region.bounds[:2]) * after.image_mpp,
        (before.points - before.region.bounds[:2]) * before.image_mpp,
        atol=0.5,
    )


def test_sets_are_packed_at_the_networks_scale(
    gpu_scripts: Any, tmp_path: Path, gpu_config: TrainConfig, gpu_data: Path
) -> None:
    sets = gpu_scripts("sets")
    groups = sets.read_groups(gpu_config, gpu_data)
    sets.write_sets(groups, sets.Choice(), gpu_config, gpu_data, out=tmp_path / "pack")
    packed = read_config(tmp_path / "pack" / "train.toml")
    before, after = read_material(gpu_config, gpu_data), read_material(packed, tmp_path / "pack" / "sets")
    assert packed.schedule == gpu_config.schedule
    finer, coarser = after.training[0], after.validation[0]
    assert (finer.image_mpp, finer.pixels.shape) == (GPU_MPP, (128, 150, 3))
    assert (coarser.image_mpp, coarser.pixels.shape) == (0.625, (256, 256, 3))
    for one, other in zip([*before.training, *before.validation], [finer, coarser], strict=True):
        np.testing.assert_allclose(one.points * one.image_mpp, other.points * other.image_mpp, atol=0.01)
        assert one.class_id.tolist() == other.class_id.tolist()
        assert (one.classes, one.nuclei) == (other.classes, other.nuclei)
    assert np.abs(coarser.pixels.astype(int) - before.validation[0].pixels).mean() < 4


def test_a_region_is_packed_as_a_mask_and_far_from_it_images_are_coarse(
    gpu_scripts: Any, ihc_pixels: npt.NDArray[np.uint8]
) -> None:
    sets = gpu_scripts("sets")
    image = labelled_image("bcdata", [(100, 100)], [0], side=512, mpp=0.25, region=box(40, 60, 200, 180))
    image = sets.at_most(sets.replace(image, pixels=ihc_pixels), 0.5)
    mask = sets.region_mask(image)
    assert mask.shape == (256, 256)
    assert (mask > 127).sum() == 80 * 60
    assert mask[30, 20] == mask[89, 99] == 255
    assert mask[29, 20] == mask[89, 100] == 0
    kept = sets.coarse_far_from_labels(image, 0.5)
    assert np.array_equal(kept[30:90, 20:100], image.pixels[30:90, 20:100])
    assert np.array_equal(kept[: 90 + 60, 20 : 100 + 20], image.pixels[: 90 + 60, 20 : 100 + 20])
    assert not np.array_equal(kept[200:], image.pixels[200:])
    assert len(sets.jpeg_of(kept, sets.FULL_COLOUR)) < 0.9 * len(sets.jpeg_of(image.pixels, sets.FULL_COLOUR))


def group(sets: ModuleType, name: str, *, count: int = 20, validates: bool = False) -> Any:
    """Images of a set of that format, of 100 bytes with full and 80 with halved colour."""
    image = labelled_image(name, [(10, 10)], [0])
    images = tuple(sets.Packed(str(n), image, b"f" * 100, b"h" * 80) for n in range(count))
    return sets.Group(name, name, validates, 1.0, images)


def test_where_images_are_too_large_haematoxylin_and_eosin_is_reduced_first(gpu_scripts: Any) -> None:
    sets = gpu_scripts("sets")
    groups = [group(sets, "bcdata"), group(sets, "uw"), group(sets, "gepnet", count=4)]
    assert sets.fit(groups, 4400) == sets.Choice()
    assert sets.fit(groups, 4399) == sets.Choice(halved=True)
    some = sets.fit(groups, 2000 + 800 + 320)
    assert (some.all_halved, some.share) == (False, 0.5)
    assert str(some) == "halved colour where no class is taught, 50% of the images that teach no class"
    assert [len(some.of(one)) for one in groups] == [20, 10, 4]
    assert len(some.of(group(sets, "uw", validates=True))) == 20
    least = sets.fit(groups, 1600 + 640 + 320)
    assert (least.all_halved, least.share) == (True, 0.4)
    with pytest.raises(click.ClickException, match="drop the set 'bcdata'"):
        sets.fit(groups, 1600 + 640 + 319)


def test_pictures_that_lend_their_colours_travel_small(
    gpu_scripts: Any,
    tmp_path: Path,
    gpu_config: TrainConfig,
    gpu_data: Path,
    ihc_pixels: npt.NDArray[np.uint8],
) -> None:
    sets = gpu_scripts("sets")
    (gpu_data / "others" / "lab").mkdir(parents=True)
    large = cv2.resize(ihc_pixels, None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
    assert cv2.imwrite(str(gpu_data / "others" / "lab" / "x.png"), large[:, :, ::-1])
    changed = gpu_config.augmentation.model_copy(update={"style": 0.5, "styles": ("train", "others/lab")})
    styled = gpu_config.model_copy(update={"augmentation": changed})
    sizes = sets.write_sets(
        sets.read_groups(styled, gpu_data), sets.Choice(), styled, gpu_data, out=tmp_path / "pack"
    )
    packed = read_config(tmp_path / "pack" / "train.toml")
    assert packed.augmentation.styles == ("train", "styles.others-lab")
    assert 0 < sizes["styles.others-lab"] < 200_000
    before, after = (
        read_material(*one).styles for one in ((styled, gpu_data), (packed, tmp_path / "pack" / "sets"))
    )
    assert before is not None
    assert after is not None
    np.testing.assert_allclose(after.mean[1], before.mean[1], rtol=0.05)
    np.testing.assert_allclose(after.spread[1], before.spread[1], rtol=0.05)
    assert (
        gpu_scripts("join")
        .unpacked(
            provenance_of(packed, read_material(packed, tmp_path / "pack" / "sets").training, None),
            json.loads((tmp_path / "pack" / "origin.json").read_text()),
        )
        .configuration
        == styled.to_json()
    )


def test_too_much_is_refused_with_what_to_drop(gpu_scripts: Any, capsys: pytest.CaptureFixture[str]) -> None:
    pack = gpu_scripts("pack")
    parts = pack.Parts(62 * pack.MIB)
    parts.add("tracked files", 20 * pack.MIB)
    parts.add("sets/uw", 41 * pack.MIB, "100 images")
    parts.refuse_too_much()
    parts.add("slide", 2 * pack.MIB)
    with pytest.raises(
        click.ClickException, match=r"63\.0 MiB would travel and at most 62 may; drop 'sets/uw' \(41\.0 MiB\)"
    ):
        parts.refuse_too_much()
    assert "sets/uw" in capsys.readouterr().out


def test_what_git_ignores_does_not_travel(gpu_scripts: Any, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    for name, size in (("tracked", 100), ("other", 30), ("ignored", 5000), (".gitignore", 0)):
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / ".gitignore").write_text("/ignored\n")
    subprocess.run(["git", "add", "tracked"], cwd=tmp_path, check=True)
    assert gpu_scripts("pack").of_the_repository(tmp_path) == {
        "tracked files": 100,
        "other files, not ignored": 39,
    }


# --- wheels


def packages(**needs: list[str]) -> list[dict[str, object]]:
    return [{"name": name, "version": "2.0", "requires_dist": own} for name, own in needs.items()]


def test_what_is_there_is_not_carried_unless_its_version_may_be_wrong(gpu_scripts: Any) -> None:
    carried = gpu_scripts("wheels").carried
    known = packages(
        ours=["base>=1", "old>=1", "new<3", "deep; extra == 'more'", "legacy; python_version < '3.12'"],
        base=["unknown-need"],
        old=[],
        new=["deep"],
        deep=[],
        legacy=[],
    )
    present = {"base": "2.0", "old": "0.9", "new": None}
    # base is there; old is too old; of new nobody knows whether it is too new, and what it needs comes with it.
    assert carried(known, ["ours"], present) == {"ours": "2.0", "old": "2.0", "new": "2.0", "deep": "2.0"}


def test_a_missing_wheel_is_found(gpu_scripts: Any, tmp_path: Path) -> None:
    wheels = gpu_scripts("wheels")
    for folder, name in (("carried", "one-package"), ("there", "another")):
        (tmp_path / folder).mkdir()
        wheels.empty_wheel(tmp_path / folder, name, "1.5")
    folders = tmp_path / "carried", tmp_path / "there"
    wheels.prove(["one-package>=1", "another"], *folders, work=tmp_path)
    with pytest.raises(click.ClickException, match=r"would lack something: .*third-package"):
        wheels.prove(["one-package", "third-package"], *folders, work=tmp_path)
    with pytest.raises(click.ClickException, match=r"would lack something: .*another>=2"):
        wheels.prove(["another>=2"], *folders, work=tmp_path)


def test_an_import_of_nothing_that_is_there_is_refused(
    gpu_scripts: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wheels = gpu_scripts("wheels")
    monkeypatch.setattr(wheels, "ROOT", tmp_path)
    script = tmp_path / "workflows" / "script.py"
    script.parent.mkdir()
    script.write_text(
        "import json, cv2\nfrom skimage.data import ihc\ndef late():\n    import carried_module.part\n"
    )
    wheel = tmp_path / "carried-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("carried_module/part.py", "")
    there = ["opencv-python-headless", "scikit-image"]
    wheels.refuse_missing_imports([wheel], there, [script])
    with pytest.raises(
        click.ClickException, match=r"workflows/script.py, line 4 imports carried_module, which"
    ):
        wheels.refuse_missing_imports([], there, [script])
    with pytest.raises(click.ClickException, match="line 1 imports cv2"):
        wheels.refuse_missing_imports([wheel], there[1:], [script])


def test_all_that_is_installed_for_a_gpu_is_said_to_be_needed(gpu_scripts: Any) -> None:
    wheels = gpu_scripts("wheels")
    names = {canonicalize_name(one.split(">")[0].split("<")[0]) for one in wheels.requirements()}
    assert {"torch", "zarr", "pytest", "hatchling"} <= names
    assert "openvino" not in names
    present = wheels.read_present(GPU / "present.txt")
    assert present["torch"] is not None
    checked = {path.relative_to(wheels.ROOT).as_posix() for path in wheels.checked_files()}
    assert {
        "wsi_edt/cli/main.py",
        "workflows/gpu/run.py",
        "tests/bundles/tiny.py",
        "tests/training/test_trainer.py",
    } <= checked


def test_codecs_that_nobody_reads_are_left_out(gpu_scripts: Any, tmp_path: Path) -> None:
    wheel = tmp_path / "imagecodecs-1.0-cp311-abi3-manylinux_2_28_x86_64.whl"
    contents = {
        "imagecodecs/__init__.py": b"",
        "imagecodecs/_jpeg8.abi3.so": b"loads libjpeg.so.8",
        "imagecodecs/_avif.abi3.so": b"loads libavif.so",
        "imagecodecs.libs/libjpeg.so.8": b"loads libdeep.so",
        "imagecodecs.libs/libdeep.so": b"",
        "imagecodecs.libs/libavif.so": b"",
        "imagecodecs-1.0.dist-info/RECORD": b"",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    wheels = gpu_scripts("wheels")
    monkey = pytest.MonkeyPatch()
    monkey.setattr(wheels, "stripped", lambda library: library)  # these are no libraries
    wheels.only_codecs(wheel, frozenset({"jpeg8"}))
    monkey.undo()
    with zipfile.ZipFile(wheel) as archive:
        assert set(archive.namelist()) == {name for name in contents if "avif" not in name}
        assert (
            "imagecodecs/_jpeg8.abi3.so,sha256=" in archive.read("imagecodecs-1.0.dist-info/RECORD").decode()
        )


def test_wheels_come_back_whole_from_the_archive(gpu_scripts: Any, tmp_path: Path) -> None:
    wheels = gpu_scripts("wheels")
    wheels.empty_wheel(tmp_path, "some", "1.0")
    (wheel,) = tmp_path.glob("*.whl")
    (tmp_path / "out").mkdir()
    wheels.archive([wheel], tmp_path / "out" / "wheels.tar.xz")
    with tarfile.open(tmp_path / "out" / "wheels.tar.xz") as archive:
        content = archive.extractfile(wheel.name).read()  # type: ignore[union-attr]
    with zipfile.ZipFile(io.BytesIO(content)) as found, zipfile.ZipFile(wheel) as expected:
        assert {name: found.read(name) for name in found.namelist()} == {
            name: expected.read(name) for name in expected.namelist()
        }
