"""Location maps: how points become a map to learn (targets), and how a map becomes points again (decode)."""

from wsi_edt.maps.decode import DecodeSettings, Evidence, Peaks, decode
from wsi_edt.maps.local_maxima import window_maximum
from wsi_edt.maps.methods import METHODS, Method, ccls, lmds, lmss, peak_local_max
from wsi_edt.maps.targets import (
    clamp_max_distance,
    density_map,
    edt_map,
    fidt_map,
    field_max_distance,
    idt_map,
    neighbour_sigmas,
)

__all__ = [
    "METHODS",
    "DecodeSettings",
    "Evidence",
    "Method",
    "Peaks",
    "ccls",
    "clamp_max_distance",
    "decode",
    "density_map",
    "edt_map",
    "fidt_map",
    "field_max_distance",
    "idt_map",
    "lmds",
    "lmss",
    "neighbour_sigmas",
    "peak_local_max",
    "window_maximum",
]
