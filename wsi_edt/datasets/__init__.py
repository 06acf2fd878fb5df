"""Labelled images as their sets distribute them: pixels, µm/px, points, and how far the labels can be trusted."""

from wsi_edt.datasets.folders import image_files
from wsi_edt.datasets.formats import FORMATS, Format
from wsi_edt.datasets.labelled import ImageArray, Labelled, LabelledImage, PointArray, Record, by_set
from wsi_edt.datasets.spec import ALL_SPLITS, SetSpec, TrainingSet, decoded, held_out_split, read_set

__all__ = [
    "ALL_SPLITS",
    "FORMATS",
    "Format",
    "ImageArray",
    "Labelled",
    "LabelledImage",
    "PointArray",
    "Record",
    "SetSpec",
    "TrainingSet",
    "by_set",
    "decoded",
    "held_out_split",
    "image_files",
    "read_set",
]
