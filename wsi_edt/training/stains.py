"""The stains that a model has met: those of its Ki-67 training pictures."""

from __future__ import annotations

from collections.abc import Iterable

from wsi_edt.datasets import LabelledImage, by_set
from wsi_edt.slides.stain_style import KnownStains, at_style_mpp, stain_style
from wsi_edt.slides.staining import Staining, stain_of_pixels


def known_stains(
    images: Iterable[LabelledImage], *, earlier: KnownStains | None = None
) -> KnownStains | None:
    """The stains of the sets that show haematoxylin and DAB; None if they have too few pictures.

    H&E pictures teach what nuclei look like, but a Ki-67 slide isn't like them. A set counts if most of its pictures show
    DAB, since single ones are taken for it by mistake.

    Parameters
    ----------
    images : that are trained on
    earlier : what the model at the training's start knew, and still knows
    """
    styles = []
    for own in by_set(images).values():
        if 2 * sum(map(_shows_dab, own)) > len(own):
            styles += [stain_style([image.pixels], mpp=image.image_mpp) for image in own]
    found = KnownStains.of([style for style in styles if style is not None])
    return found.and_those(earlier) if found and earlier else found or earlier


def _shows_dab(image: LabelledImage) -> bool:
    pixels = at_style_mpp(image.pixels, image.image_mpp).reshape(-1, 3)
    return stain_of_pixels(pixels) is Staining.DAB
