"""What a network finds in labelled images: their maps as a run would see them, and the cells in these maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wsi_edt.cells import Cells
from wsi_edt.datasets import ImageArray, LabelledImage
from wsi_edt.detection.runtimes.runtime import MapRunner
from wsi_edt.detection.whole_image import cells_of, image_maps
from wsi_edt.evaluation.metrics import ImageMetrics, image_metrics
from wsi_edt.evaluation.outcomes import Outcomes
from wsi_edt.evaluation.pairs import ImagePair
from wsi_edt.maps import DecodeSettings, decode
from wsi_edt.qupath.regions import Polygons, contains

RADIUS_PX = 10.0  # of a match, model px

FloatMaps = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class PredictedImage:
    """A network's maps of a labelled image, and its points, in model px.

    Attributes
    ----------
    name, case : of the image
    maps : (C, H, W) float32
    map_names : what each of the maps shows: positive, negative or nucleus
    truth : the annotated cells
    region : in px of the maps, where the annotations hold; None: everywhere
    """

    name: str
    case: str
    maps: FloatMaps
    map_names: tuple[str, ...]
    truth: Cells
    region: Polygons | None = None

    def predicted(self, settings: DecodeSettings) -> Cells:
        """The cells in these maps, within the region."""
        cells = cells_of(decode(self.maps, settings))
        if self.region is None:
            return cells
        return cells.select(contains(self.region, cells.x, cells.y))

    def paired(self, settings: DecodeSettings) -> ImagePair:
        """The predicted and the annotated cells."""
        return ImagePair(self.name, self.case, self.predicted(settings), self.truth)


@dataclass(frozen=True, slots=True, eq=False)
class Predictor:
    """A network as it looks at labelled images: whole, at its own µm/px, with its own normalisation.

    Attributes
    ----------
    runner : runs the network
    model_mpp : µm/px that it sees
    map_names : what its maps show
    stride : of the network
    """

    runner: MapRunner
    model_mpp: float
    map_names: tuple[str, ...]
    stride: int

    def maps(self, pixels: ImageArray, *, image_mpp: float) -> FloatMaps:
        """The maps of an image (H, W, 3) uint8 RGB of that µm/px: (C, h, w) float32, model px."""
        return image_maps(
            self.runner, pixels, image_mpp=image_mpp, model_mpp=self.model_mpp, stride=self.stride
        )

    def predict(self, image: LabelledImage) -> PredictedImage:
        """The maps and the annotated cells of an image; maps of thousands of images wouldn't fit in memory."""
        return PredictedImage(
            name=image.path.name,
            case=image.case,
            maps=self.maps(image.pixels, image_mpp=image.image_mpp),
            map_names=self.map_names,
            truth=image.cells_at(self.model_mpp),
            region=image.region_at(self.model_mpp),
        )


def prediction_metrics(
    images: Sequence[PredictedImage],
    settings: DecodeSettings,
    *,
    radius_px: float = RADIUS_PX,
    nuclei: bool = False,
) -> ImageMetrics:
    """Precision, recall and F1 of the cells in the images, by class and together.

    Parameters
    ----------
    images : with their maps
    settings : how the maps become cells
    radius_px : the largest distance of a match
    nuclei : see `prediction_outcomes`
    """
    pairs = [image.paired(settings) for image in images]
    return image_metrics(prediction_outcomes(pairs, settings, radius_px=radius_px, nuclei=nuclei))


def prediction_outcomes(
    pairs: Sequence[ImagePair], settings: DecodeSettings, *, radius_px: float, nuclei: bool = False
) -> Outcomes:
    """What became of the cells that these settings found.

    Parameters
    ----------
    pairs : the predicted and the annotated cells of each image
    settings : how the maps became cells
    radius_px : the largest distance of a match
    nuclei : whether every annotated point is to be found, even those of neither class, as if no point had a class; a
        model without classes is always judged so
    """
    return Outcomes.of(pairs, radius_px=radius_px, has_classes="positive" in settings.maps and not nuclei)
