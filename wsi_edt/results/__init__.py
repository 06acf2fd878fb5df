"""Cells and scores as files: QuPath's GeoJSON, ki67.json, summary.csv."""
