"""The pictures of a file: `list_pictures` lists them, and a `Picture` says what each is."""

from wsi_edt.slides.opening import list_pictures
from wsi_edt.slides.picture_roles import Picture, Role

__all__ = ["Picture", "Role", "list_pictures"]
