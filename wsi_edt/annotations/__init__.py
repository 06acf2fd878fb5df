"""Cells and regions that people have drawn, in whatever program: one table of formats, told apart by their content.

`read_drawing` gives all that a file holds, `read_regions` its areas; cells are read by `wsi_edt.datasets.points_io`.
Each format is a file here that turns its text into QuPath's features (`wsi_edt.qupath.dialect.Feature`), and a line in
`formats.py`; what is a cell and what is a region is decided once, in `wsi_edt.qupath`.
"""

from wsi_edt.annotations.reading import Drawing, drawing_of, drawn_regions, read_drawing, read_regions
from wsi_edt.annotations.slide import AnnotatedSlide

__all__ = ["AnnotatedSlide", "Drawing", "drawing_of", "drawn_regions", "read_drawing", "read_regions"]
