"""Cells as tables for other programs: a format is one file here and one line in `formats`."""
