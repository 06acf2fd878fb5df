"""Ki-67 on whole-slide images: finds the nuclei, counts them, and writes files that QuPath opens.

The rooms; each may import those above it::

    errors, foreign   errors with fields; what other libraries' exceptions mean
    geometry, cells   frames, units and windows; cells as arrays
    files             the only place that writes safely
    slides            a slide and its readers, tissue, staining, the tile grid, the tile loader
    qupath            QuPath's dialect of GeoJSON, written and read
    annotations       what people drew in other programs: a file for each format, and its line in the table
    maps              EDT and other targets; from maps to peaks
    networks          a file for each network, and its line in the registry
    bundles           models as files
    detection         what computes, runtimes, shards, stitching, whole images
    datasets          labelled images in every format that is read
    evaluation        matching, metrics, selection of settings, figures
    training          random windows, augmentation, the trainer
    ki67              from findings to numbers: areas, index, reasons; pure
    report            pages and pictures
    results           a results folder: names, store, outputs, summary
    cluster           Dask workers, the pool of shards, what a worker does
    run               options, plan, schedule, finalise
    doctor, cli       thin

A slide's way: slide → tissue → tiles → shards → batches → maps → peaks → stitched cells → findings → result → outputs.
"""

__version__ = "0.1.0"
