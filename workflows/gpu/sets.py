"""Packs a configuration's images at the network's µm/px: JPEGs, points as CSV, regions as masks, a configuration."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import cv2
import numpy as np
import numpy.typing as npt
from shapely.affinity import scale

from wsi_edt.cells import CellClass
from wsi_edt.datasets import Labelled, LabelledImage
from wsi_edt.datasets.folders import image_files
from wsi_edt.datasets.spec import decoded
from wsi_edt.qupath.regions import grid_mask
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.material import read_material
from wsi_edt.training.provenance import summary_of

Pixels = npt.NDArray[np.uint8]

QUALITY = 90
# Farther than a tile's halo from all labels, pixels hardly change the maps that are compared with labels.
REACH_PX = 64
FAR_QUALITY = 40
BLOCK_PX = 8  # of JPEG: the border between the qualities lies on its grid
HALVED_COLOUR, FULL_COLOUR = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
SHARES = tuple(number / 20 for number in range(20, 0, -1))  # of the images that teach no class
LEAST_IMAGES = 8  # of a set; a smaller one isn't reduced
# Of pictures that only lend their colours, as a mean and a spread: px are left out, not averaged.
STYLE_SIDE_PX, STYLE_QUALITY = 256, 92
CONFIG, ORIGIN, FOLDER = "train.toml", "origin.json", "sets"


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """An image as it travels.

    Attributes
    ----------
    name : of its files, unique in its set
    image : at the µm/px at which it travels
    full, halved : as JPEG with full and with halved colour
    """

    name: str
    image: LabelledImage
    full: bytes
    halved: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Images of one set with equal µm/px and equal extent of their labels: one set of the packed configuration.

    Attributes
    ----------
    name : of the packed set
    set_name : of the set that they come from
    validates : whether it is one of [[validation]]
    weight : how often it is drawn
    images : of the set
    """

    name: str
    set_name: str
    validates: bool
    weight: float
    images: tuple[Packed, ...]

    @property
    def teaches_classes(self) -> bool:
        """Whether its labels say what is positive and negative: such sets are packed whole."""
        return self.images[0].image.classes is not Labelled.NOWHERE

    @property
    def folder(self) -> str:
        """Where its files lie, below the pack's folder of sets."""
        return f"{self.name}.validation" if self.validates else self.name


@dataclass(frozen=True, slots=True)
class Choice:
    """How much of the images travels.

    Attributes
    ----------
    halved : whether images that teach no class have halved colour
    all_halved : whether all have
    share : of the images that teach no class
    """

    halved: bool = False
    all_halved: bool = False
    share: float = 1.0

    def __str__(self) -> str:
        words = ["full colour"]
        if self.halved:
            words = ["halved colour" if self.all_halved else "halved colour where no class is taught"]
        if self.share < 1:
            words.append(f"{self.share:.0%} of the images that teach no class")
        return ", ".join(words)

    def of(self, group: Group) -> list[tuple[Packed, bytes]]:
        """The images of a group that travel, and their JPEGs."""
        if group.teaches_classes or group.validates:
            return [(one, one.halved if self.all_halved else one.full) for one in group.images]
        count = max(min(LEAST_IMAGES, len(group.images)), round(self.share * len(group.images)))
        places = np.linspace(0, len(group.images) - 1, count).round().astype(int)
        return [
            (group.images[i], group.images[i].halved if self.halved else group.images[i].full) for i in places
        ]


CHOICES = (
    Choice(),
    *(Choice(halved=True, share=share) for share in SHARES),
    *(Choice(halved=True, all_halved=True, share=share) for share in SHARES),
)


def read_groups(config: TrainConfig, data: Path) -> list[Group]:
    """All images of a configuration, compressed."""
    material = read_material(config, data)
    groups: list[Group] = []
    for validates, images in ((False, material.training), (True, material.validation)):
        for name in dict.fromkeys(image.dataset for image in images):
            own = [image for image in images if image.dataset == name]
            groups += _groups_of(name, own, config=config, validates=validates)
    return groups


def fit(groups: Sequence[Group], most_bytes: int) -> Choice:
    """The first of `CHOICES` with which the images fit; raises ClickException if none does."""
    for choice in CHOICES:
        size = sum(len(jpeg) for group in groups for _, jpeg in choice.of(group))
        if size <= most_bytes:
            return choice
    sizes = {group.name: sum(len(jpeg) for _, jpeg in CHOICES[-1].of(group)) for group in groups}
    largest = max(sizes, key=lambda name: sizes[name])
    raise click.ClickException(
        f"the images take {sum(sizes.values()) / 2**20:.1f} MiB at least and {max(most_bytes, 0) / 2**20:.1f} MiB are left "
        f"for them; drop the set {largest!r} ({sizes[largest] / 2**20:.1f} MiB) from the configuration"
    )


def write_sets(
    groups: Sequence[Group], choice: Choice, config: TrainConfig, data: Path, *, out: Path
) -> dict[str, int]:
    """Write the images below `out`, and the configuration that reads them; returns the bytes of each folder.

    Parameters
    ----------
    groups, choice : which images, and how
    config : the configuration that they belong to
    data : folder of the pictures that lend their colours
    out : the pack
    """
    sizes: dict[str, int] = {}
    for group in groups:
        folder = out / FOLDER / group.folder
        for one, jpeg in choice.of(group):
            _write(folder / "images" / f"{one.name}.jpg", jpeg)
            _write(folder / "points" / f"{one.name}.csv", _csv(one.image).encode())
            mask = region_mask(one.image)
            if mask is not None:
                _write(
                    folder / "roi" / f"{one.name}.png",
                    cv2.imencode(".png", mask, [cv2.IMWRITE_PNG_BILEVEL, 1])[1],
                )
        sizes[group.folder] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    sizes |= _write_styles(config, data, out / FOLDER)
    packed = packed_config(groups, config)
    _write(out / CONFIG, packed.to_toml().encode())
    travelling = [
        replace(one.image) for group in groups if not group.validates for one, _ in choice.of(group)
    ]
    summaries = [summary_of(spec, travelling).model_dump(mode="json") for spec in config.sets]
    origin = {"configuration": config.to_json(), "sets": summaries, "images": str(choice)}
    _write(out / ORIGIN, json.dumps(origin, ensure_ascii=False).encode())
    return sizes


def packed_config(groups: Sequence[Group], config: TrainConfig) -> TrainConfig:
    """The configuration, with the packed sets instead of its own."""
    entries = config.model_dump() | {"sets": [], "validation": [], "folds": None}
    lenders: list[str] = []
    for name in config.augmentation.styles:
        packed = [group.name for group in groups if group.set_name == name and not group.validates]
        lenders += packed or [_style_folder(name)]
    entries["augmentation"] |= {"styles": lenders}
    for group in groups:
        image = group.images[0].image
        entry = {
            "name": group.name,
            "format": "points",
            "folder": Path(group.folder),
            "mpp": image.image_mpp,
            "classes": image.classes,
            "nuclei": image.nuclei,
        }
        if group.validates:
            entries["validation"].append(entry)
        else:
            entries["sets"].append(entry | {"weight": group.weight})
    return TrainConfig.model_validate(entries)


def _style_folder(name: str) -> str:
    return f"styles.{re.sub('[^A-Za-z0-9-]+', '-', name)}"


def _write_styles(config: TrainConfig, data: Path, out: Path) -> dict[str, int]:
    """Write the pictures that only lend their colours: those of `augmentation.styles` that aren't sets."""
    sizes: dict[str, int] = {}
    for name in set(config.augmentation.styles) - {spec.name for spec in config.sets}:
        folder = _style_folder(name)
        for place, path in enumerate(image_files(data / name)):
            pixels = decoded(path)
            step = max(1, max(pixels.shape) // STYLE_SIDE_PX)
            jpeg = jpeg_of(pixels[::step, ::step], FULL_COLOUR, STYLE_QUALITY)
            _write(out / folder / f"{place:04d}.jpg", jpeg)
            sizes[folder] = sizes.get(folder, 0) + len(jpeg)
    return sizes


def at_most(image: LabelledImage, mpp: float) -> LabelledImage:
    """The image at that µm/px; unchanged if it isn't finer."""
    if image.image_mpp >= mpp:
        return image
    height, width = image.pixels.shape[:2]
    size = (round(width * image.image_mpp / mpp), round(height * image.image_mpp / mpp))
    factors = np.array([size[0] / width, size[1] / height])
    region = image.region
    if region is not None:
        region = scale(region, *factors, origin=(0, 0))
    return replace(
        image,
        pixels=np.asarray(cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA), np.uint8),
        image_mpp=mpp,
        points=image.points * factors,
        region=region,
    )


def _groups_of(
    name: str, images: Sequence[LabelledImage], *, config: TrainConfig, validates: bool
) -> list[Group]:
    """One group, or several if a set's images differ in what a configuration states for a whole set."""
    weight = 1.0 if validates else next(spec.weight for spec in config.sets if spec.name == name)
    by_kind: dict[tuple[float, str, str], list[LabelledImage]] = {}
    for image in (at_most(image, config.mpp) for image in images):
        by_kind.setdefault((round(image.image_mpp, 6), image.classes, image.nuclei), []).append(image)
    areas = [sum(_labelled_um2(image) for image in found) for found in by_kind.values()]
    return [
        Group(
            name if len(by_kind) == 1 else f"{name}-{number}",
            name,
            validates,
            weight * area / sum(areas),
            tuple(_packed(image, config.mpp, place) for place, image in enumerate(found)),
        )
        for number, (found, area) in enumerate(zip(by_kind.values(), areas, strict=True), start=1)
    ]


def _packed(image: LabelledImage, model_mpp: float, place: int) -> Packed:
    # The reader takes the name for the case; a slide's images have keys like slide.svs#3.
    stem = re.sub(r"[^A-Za-z0-9-]+", "-", image.path.name.removesuffix(image.path.suffix) or "image")
    case = re.sub(r"[^A-Za-z0-9-]+", "-", image.case)
    name = f"{place:04d}-{stem}" if case == stem else f"{place:04d}-{case}-{stem}"
    pixels = coarse_far_from_labels(image, model_mpp)
    return Packed(name, image, jpeg_of(pixels, FULL_COLOUR), jpeg_of(pixels, HALVED_COLOUR))


def coarse_far_from_labels(image: LabelledImage, model_mpp: float) -> Pixels:
    """The pixels; those far from the image's region, if it has one, as a coarser JPEG leaves them."""
    mask = region_mask(image)
    if mask is None:
        return image.pixels
    reach = REACH_PX * model_mpp / image.image_mpp
    near = cv2.distanceTransform(255 - mask, cv2.DIST_L2, 3) <= reach
    height, width = near.shape
    padded = np.pad(near, ((0, -height % BLOCK_PX), (0, -width % BLOCK_PX)))
    blocks = padded.reshape(padded.shape[0] // BLOCK_PX, BLOCK_PX, -1, BLOCK_PX).any(axis=(1, 3))
    near = np.kron(blocks, np.ones((BLOCK_PX, BLOCK_PX), np.bool_))[:height, :width]
    coarse = np.frombuffer(jpeg_of(image.pixels, FULL_COLOUR, FAR_QUALITY), np.uint8)
    far = cv2.imdecode(coarse, cv2.IMREAD_COLOR)
    assert far is not None
    return np.where(near[..., None], image.pixels, far[:, :, ::-1]).astype(np.uint8)


def jpeg_of(pixels: Pixels, sampling: int, quality: int = QUALITY) -> bytes:
    """The pixels as a JPEG, with colour sampled like that."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    options += [cv2.IMWRITE_JPEG_OPTIMIZE, 1, cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    return cv2.imencode(".jpg", np.ascontiguousarray(pixels[:, :, ::-1]), options)[1].tobytes()


def region_mask(image: LabelledImage) -> Pixels | None:
    """The region: 255 inside, 0 elsewhere (H, W)."""
    if image.region is None:
        return None
    height, width = image.pixels.shape[:2]
    inside = grid_mask(image.region, np.arange(0.5, width), np.arange(0.5, height))
    return np.where(inside, 255, 0).astype(np.uint8)


def _csv(image: LabelledImage) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("class", "x", "y"))
    for (x, y), class_id in zip(image.points.tolist(), image.class_id.tolist(), strict=True):
        label = "" if class_id == CellClass.NUCLEUS else CellClass(class_id).label.lower()
        # With decimals, which say that these aren't pixel indices.
        writer.writerow((label, f"{x:.2f}", f"{y:.2f}"))
    return text.getvalue()


def _labelled_um2(image: LabelledImage) -> float:
    height, width = image.pixels.shape[:2]
    return float(width * height if image.region is None else image.region.area) * image.image_mpp**2


def _write(path: Path, content: bytes | Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.tobytes())
