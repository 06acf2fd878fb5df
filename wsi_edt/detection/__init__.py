"""The model at work on a slide: batches of tiles to peaks, shards of tiles, peaks of all tiles to cells."""
