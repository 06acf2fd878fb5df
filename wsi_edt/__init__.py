"""wsi-edt: finds the nuclei that a Ki-67 count is made of on whole-slide images, and scores them."""

__version__ = "0.1.0"
