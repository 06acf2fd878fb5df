"""Location maps: how points become a map to learn (targets), and how a map becomes points again (decode)."""

from wsi_edt.maps.decode import DecodeSettings, Evidence, Peaks, ccls, decode, lmds, lmss, window_maximum
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
    "DecodeSettings",
    "Evidence",
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
    "window_maximum",
]
