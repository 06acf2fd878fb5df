"""Sets with outlined nuclei: one point a nucleus, at its centre of mass."""

from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from tests.training.sets import CENTROIDS, instance_map, make_ccrcc, make_conic, make_csv, make_psu
from wsi_edt.datasets import Labelled, SetSpec, read_set
from wsi_edt.datasets.masks import centroids
from wsi_edt.errors import AnnotationError


def test_centroids_by_hand() -> None:
    assert centroids(instance_map()).tolist() == CENTROIDS
    assert centroids(np.zeros((4, 4), np.uint16)).shape == (0, 2)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_centroids_against_scipy(seed: int, count: int) -> None:
    instances = np.random.default_rng(seed).integers(0, count + 1, (20, 30))
    labels = np.unique(instances[instances > 0])
    expected = scipy.ndimage.center_of_mass(instances > 0, instances, labels)
    assert np.allclose(centroids(instances), np.array(expected).reshape(-1, 2)[:, ::-1] + 0.5)


def test_conic(tmp_path: Path) -> None:
    make_conic(tmp_path / "conic")
    images = read_set(SetSpec(name="conic"), tmp_path)
    assert [image.points.tolist() for image in images] == [CENTROIDS, [], []]
    assert [image.case for image in images] == ["consep_1", "consep_1", "dpath_2"]
    assert [int(image.pixels.max()) for image in images] == [0, 1, 2]
    assert len({image.path for image in images}) == 3
    assert images[0].class_id.tolist() == [2, 2, 2]
    assert (images[0].image_mpp, images[0].classes, images[0].nuclei) == (
        0.5,
        Labelled.NOWHERE,
        Labelled.EVERYWHERE,
    )


def test_conic_without_the_list_of_sources(tmp_path: Path) -> None:
    make_conic(tmp_path / "conic")
    (tmp_path / "conic/patch_info.csv").unlink()
    images = read_set(SetSpec(name="conic"), tmp_path)
    assert [image.case for image in images] == ["0", "1", "2"]


@pytest.mark.parametrize("name", ["conic", "psu"])
def test_points_made_of_masks(tmp_path: Path, name: str) -> None:
    make_csv(tmp_path / name, "x,y", "3.5,4.0\n")
    (image,) = read_set(SetSpec(name=name, mpp=0.5), tmp_path)
    assert image.points.tolist() == [[3.5, 4.0]]


def test_wrong_conic_is_named(tmp_path: Path) -> None:
    folder, spec = make_conic(tmp_path / "conic"), SetSpec(name="conic")
    (folder / "patch_info.csv").write_text("patch_info\na-0\n")
    with pytest.raises(AnnotationError, match=r"patch_info\.csv names 1 patches, but images\.npy holds 3"):
        read_set(spec, tmp_path)
    np.save(folder / "labels.npy", np.zeros((2, 32, 32, 2), np.uint16))
    with pytest.raises(AnnotationError, match=r"labels\.npy holds \(2, 32, 32, 2\), .*\(3, 32, 32, 2\)"):
        read_set(spec, tmp_path)
    (folder / "labels.npy").write_bytes(b"")
    with pytest.raises(AnnotationError, match=r"labels\.npy can't be read as a NumPy array"):
        read_set(spec, tmp_path)
    np.save(folder / "labels.npy", np.array([{}], dtype=object))  # would have to be unpickled
    with pytest.raises(AnnotationError, match=r"labels\.npy can't be read as a NumPy array"):
        read_set(spec, tmp_path)
    (folder / "labels.npy").unlink()
    with pytest.raises(AnnotationError, match=r"labels\.npy can't be read as a NumPy array"):
        read_set(spec, tmp_path)
    np.save(folder / "images.npy", np.zeros((3, 32, 32, 3)))
    np.save(folder / "labels.npy", np.zeros((3, 32, 32, 2)))
    with pytest.raises(AnnotationError, match=r"images\.npy holds float64"):
        read_set(spec, tmp_path)


def test_ccrcc(tmp_path: Path) -> None:
    make_ccrcc(tmp_path / "ccrcc")
    for split, name in (("train", "a"), ("validation", "b"), ("test", "c")):
        (image,) = read_set(SetSpec(name="ccrcc", split=split), tmp_path)
        assert image.path.stem == name
        assert image.points.tolist() == CENTROIDS
        assert image.case == "TCGA-A3-3308"
    assert len(read_set(SetSpec(name="ccrcc", split="all"), tmp_path)) == 3


def test_ccrcc_as_points(tmp_path: Path) -> None:
    make_csv(tmp_path / "ccrcc" / "Valid", "x,y", "3.5,4.0\n")
    (image,) = read_set(SetSpec(name="ccrcc", split="validation"), tmp_path)
    assert image.points.tolist() == [[3.5, 4.0]]


def test_wrong_ccrcc_is_named(tmp_path: Path) -> None:
    folder, spec = make_ccrcc(tmp_path / "ccrcc"), SetSpec(name="ccrcc")
    annotation = folder / "Train/Labels/a.mat"
    savemat(annotation, {"class_map": instance_map()})
    with pytest.raises(AnnotationError, match=r"a\.mat has no variable 'instance_map', but class_map"):
        read_set(spec, tmp_path)
    savemat(annotation, {"instance_map": np.full((4, 4), 0.5), "TCGA_file_name": ""})
    with pytest.raises(AnnotationError, match=r"a\.mat holds negative numbers or fractions"):
        read_set(spec, tmp_path)
    annotation.unlink()
    with pytest.raises(AnnotationError, match=r"a\.png has no a\.mat below .*Train"):
        read_set(spec, tmp_path)
    (folder / "training").mkdir()
    with pytest.raises(AnnotationError, match="has Train and training, which both name the train split"):
        read_set(spec, tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy"])
def test_psu_instances(tmp_path: Path, suffix: str) -> None:
    make_psu(tmp_path / "psu", instance_map(), suffix=suffix)
    (image,) = read_set(SetSpec(name="psu", mpp=0.5), tmp_path)
    assert image.points.tolist() == CENTROIDS


def test_psu_of_two_values_is_connected_parts(tmp_path: Path) -> None:
    binary = np.where(instance_map() > 0, 255, 0).astype(np.uint8)
    make_psu(tmp_path / "psu", np.dstack([binary] * 3), suffix=".bmp")  # grey, saved as colour
    (image,) = read_set(SetSpec(name="psu", mpp=0.5), tmp_path)
    assert sorted(image.points.tolist()) == sorted(CENTROIDS)


def test_psu_states_no_mpp(tmp_path: Path) -> None:
    make_psu(tmp_path / "psu", instance_map())
    with pytest.raises(AnnotationError, match=r"a\.bmp has no µm/px; give mpp for the set 'psu'"):
        read_set(SetSpec(name="psu"), tmp_path)


def test_wrong_psu_is_named(tmp_path: Path) -> None:
    colours = np.zeros((32, 32, 3), np.uint8)
    colours[3, 3] = (1, 2, 3)
    folder = make_psu(tmp_path / "psu", colours)
    with pytest.raises(AnnotationError, match=r"a\.png holds uint8 \(32, 32, 3\), not one number a px"):
        read_set(SetSpec(name="psu", mpp=0.5), tmp_path)
    (folder / "masks/a.png").write_bytes(b"no image")
    with pytest.raises(AnnotationError, match=r"a\.png can't be read as an image"):
        read_set(SetSpec(name="psu", mpp=0.5), tmp_path)
    (folder / "masks/a.png").unlink()
    with pytest.raises(AnnotationError, match=r"a\.bmp has neither a mask in .*masks nor points in"):
        read_set(SetSpec(name="psu", mpp=0.5), tmp_path)
