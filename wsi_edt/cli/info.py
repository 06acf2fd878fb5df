"""`wsi-edt info SLIDE`: what the program sees in a slide."""

from __future__ import annotations

from pathlib import Path

import click

# Nominal model px at which tissue and staining are judged here; both hardly depend on it.
_MODEL_MPP = 0.3125


@click.command(name="info")
@click.argument("slide_path", metavar="SLIDE", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--mpp", type=float, help="µm per level-0 px of a slide that states none (for example 0.25).")
def info(slide_path: Path, mpp: float | None) -> None:
    """Say what a slide is: size, µm/px, levels, bounds, scanner, staining and tissue."""
    from wsi_edt.slides import Staining, classify_staining, open_slide, slide_tissue

    with open_slide(slide_path, mpp) as slide:
        rows = [("file", str(slide.path)), ("reader", slide.reader), ("vendor", slide.vendor or "not stated")]
        width, height = slide.dimensions
        rows.append(("dimensions", f"{width} x {height} px"))
        if slide.mpp is None:
            rows.append(("µm/px", "not stated; pass --mpp (for example 0.25)"))
        else:
            source = "stated by the file" if slide.mpp_stated else "from --mpp"
            rows.append(("µm/px", f"{slide.mpp:.4f}, {source}"))
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
