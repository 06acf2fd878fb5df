"""What runs a network: torch on CPUs and GPUs, OpenVINO on CPUs."""
