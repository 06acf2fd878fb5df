"""Location maps: how points become a map to learn (targets), and how a map becomes points again (decode)."""

from wsi_edt.maps.decode import DecodeSettings, Evidence, Peaks, decode, evidence_map, evidence_of
from wsi_edt.maps.kinds import KINDS, Density, Edt, Fidt, Idt, Kind, Target, kind_of, neighbour_sigmas
from wsi_edt.maps.local_maxima import window_maximum
from wsi_edt.maps.methods import METHODS, Method, ccls, lmds, lmss, method_named, peak_local_max
from wsi_edt.maps.targets import (
    clamp_max_distance,
    density_map,
    edt_map,
    fidt_map,
    field_max_distance,
    idt_map,
)

__all__ = [
    "KINDS",
    "METHODS",
    "DecodeSettings",
    "Density",
    "Edt",
    "Evidence",
    "Fidt",
    "Idt",
    "Kind",
    "Method",
    "Peaks",
    "Target",
    "ccls",
    "clamp_max_distance",
    "decode",
    "density_map",
    "edt_map",
    "evidence_map",
    "evidence_of",
    "fidt_map",
    "field_max_distance",
    "idt_map",
    "kind_of",
    "lmds",
    "lmss",
    "method_named",
    "neighbour_sigmas",
    "peak_local_max",
    "window_maximum",
]
