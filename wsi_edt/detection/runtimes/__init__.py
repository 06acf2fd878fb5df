"""What runs a network: torch or OpenVINO, on a CPU or a GPU."""

import sys

# OpenVINO would tell its makers of each import, and leave an identifier in the user's home. Without this package it uses
# a stand-in of its own that tells nothing.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
