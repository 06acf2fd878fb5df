"""The stains that a model has met: those of its Ki-67 training pictures."""

from __future__ import annotations

from pathlib import Path

from wsi_edt.datasets import LabelledImage, by_set
from wsi_edt.slides.stain_style import KnownStains, at_style_mpp, stain_style
from wsi_edt.slides.staining import Staining, stain_of_pixels
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.material import training_images


def known_stains(config: TrainConfig, data: Path) -> KnownStains | None:
    """The stains of the training sets that show haematoxylin and DAB; None if they have too few pictures.

    H&E pictures teach what nuclei look like, but a Ki-67 slide isn't like them. A set counts if most of its pictures show
    DAB, since single ones are taken for it by mistake.

    Raises
    ------
    AnnotationError
        If a set can't be read.
    """
    styles = []
    for images in by_set(training_images(config, data)).values():
        if 2 * sum(map(_shows_dab, images)) > len(images):
            styles += [stain_style([image.pixels], mpp=image.image_mpp) for image in images]
    return KnownStains.of([style for style in styles if style is not None])


def _shows_dab(image: LabelledImage) -> bool:
    pixels = at_style_mpp(image.pixels, image.image_mpp).reshape(-1, 3)
    return stain_of_pixels(pixels) is Staining.DAB
