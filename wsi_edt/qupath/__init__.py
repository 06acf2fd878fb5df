"""QuPath's dialect, written and read: cells, annotations, regions."""
