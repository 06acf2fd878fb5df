"""`wsi-edt info SLIDE`: what the program sees in a slide."""

from __future__ import annotations

import click

_MODEL_MPP = 0.3125  # at which tissue and staining are judged here; they hardly depend on it


@click.command(name="info")
@click.argument("slide_path", metavar="SLIDE", type=click.Path())
@click.option(
    "--mpp",
    "fallback_mpp",
    type=float,
    help="µm per level-0 px of a slide that states none (for example 0.25).",
)
def info(slide_path: str, fallback_mpp: float | None) -> None:
    """Describe a slide: size, µm/px, levels, bounds, scanner, staining and tissue.

    SLIDE is a file or its URL (for example s3://bucket/case7.svs).
    """
    from wsi_edt.errors import UsageError
    from wsi_edt.slides import SlideSource, Staining, classify_staining, slide_tissue
    from wsi_edt.slides.location import is_folder, location

    source = SlideSource(location(slide_path), fallback_mpp)
    if is_folder(source.path):
        raise UsageError("is a folder, not a slide", where=source, remedy="name a file in it")
    with source.open() as slide:
        rows = [("file", str(slide.path)), ("reader", slide.reader), ("vendor", slide.vendor or "not stated")]
        width, height = slide.dimensions
        rows.append(("dimensions", f"{width} x {height} px"))
        if slide.mpp is None:
            rows.append(("µm/px", "not stated; pass --mpp (for example 0.25)"))
        else:
            stated = "stated by the file" if slide.mpp_stated else "from --mpp"
            rows.append(("µm/px", f"{slide.mpp:.4f}, {stated}"))
            rows.append(("size", f"{width * slide.mpp / 1000:.2f} x {height * slide.mpp / 1000:.2f} mm"))
        power = slide.objective_power
        rows.append(("objective power", "not stated" if power is None else f"{power:g}, nominal"))
        bounds = slide.bounds
        rows.append(("bounds", f"{bounds.width} x {bounds.height} px at ({bounds.x}, {bounds.y})"))
        rows.extend(
            (f"level {level}", f"{level_width} x {level_height} px, downsample {downsample:g}")
            for level, ((level_width, level_height), downsample) in enumerate(
                zip(slide.level_dimensions, slide.level_downsamples, strict=True)
            )
        )
        if slide.mpp is not None:
            tissue, overview = slide_tissue(slide, model_mpp=_MODEL_MPP)
            staining = classify_staining(slide, tissue, overview)
            rows.append(("staining", str(staining)))
            if staining is not Staining.FLUORESCENCE:
                rows.append(("tissue", f"{tissue.area_mm2:.3f} mm², {tissue.mask.mean():.0%} of the slide"))
    column = max(len(name) for name, _ in rows)
    for name, value in rows:
        click.echo(f"{name:<{column}}  {value}")
