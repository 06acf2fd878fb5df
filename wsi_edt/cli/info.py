"""`wsi-edt info SLIDE`: what the program sees in a slide."""

from __future__ import annotations

from collections.abc import Sequence

import click

from wsi_edt.errors import UsageError, printable

_MODEL_MPP = 0.3125  # at which tissue and staining are judged here; they hardly depend on it


@click.command(name="info")
@click.argument("slide_path", metavar="SLIDE", type=click.Path(readable=False))
@click.option(
    "--mpp",
    "fallback_mpp",
    type=float,
    help="µm per level-0 px of a slide that states none (for example 0.25).",
)
@click.option(
    "--series", type=click.IntRange(min=1), help="Describe the picture of that number, in a file of several."
)
def info(slide_path: str, fallback_mpp: float | None, series: int | None) -> None:
    """Describe a slide: size, µm/px, levels, bounds, scanner, staining and tissue; list the pictures of its file.

    SLIDE is a file or its URL (for example s3://bucket/case7.svs).
    """
    from wsi_edt.slides import Role, SlideSource, Staining, classify_staining, list_pictures, slide_tissue
    from wsi_edt.slides.black import BlackAsWhite
    from wsi_edt.slides.icc import icc_profile, profile_name
    from wsi_edt.slides.location import is_folder, location
    from wsi_edt.slides.metadata import COARSEST_MPP
    from wsi_edt.slides.protocol import implausible_mpp, remark
    from wsi_edt.slides.quality import measure_quality
    from wsi_edt.slides.zarr_reader import is_zarr

    if not slide_path:
        raise UsageError("an empty text doesn't name a slide (an unset variable?)", remedy="give its path")
    source = SlideSource(location(slide_path), fallback_mpp, series)
    if not is_zarr(source.path) and is_folder(source.path):
        raise UsageError("is a folder, not a slide", where=source, remedy="name a file in it")
    pictures = list_pictures(source.path)
    scans = [picture.number for picture in pictures if picture.role is Role.SCAN]
    listed = [("picture", f"{picture}: {picture.role}") for picture in pictures] if len(pictures) > 1 else []
    if series is None and len(scans) > 1:
        scored = f"none by itself, as there are {len(scans)} scans; pass --series {scans[0]}, or --series all to run"
        _print([("file", str(source.path)), *listed, ("scored", scored)])
        return
    with source.open() as slide:
        rows = [("file", str(slide.path))]
        if listed:
            rows += [*listed, ("scored", f"picture {series or scans[0]}, which is described here")]
        rows += [("reader", slide.reader), ("vendor", slide.vendor or "not stated")]
        if remark(slide) is not None:
            rows.append(("remark", f"{remark(slide)}"))
        width, height = slide.dimensions
        rows.append(("dimensions", f"{width} x {height} px"))
        if slide.mpp is None:
            found = implausible_mpp(slide)
            stated = "not stated" if found is None else f"{found:.4g} stated, which no microscope has"
            rows.append(("µm/px", f"{stated}; pass --mpp (for example 0.25)"))
        else:
            stated = "stated by the file" if slide.mpp_stated else "from --mpp"
            coarse = "; too coarse for nuclei without --allow-coarse" if slide.mpp > COARSEST_MPP else ""
            rows.append(("µm/px", f"{slide.mpp:.4f}, {stated}{coarse}"))
            rows.append(("size", f"{width * slide.mpp / 1000:.2f} x {height * slide.mpp / 1000:.2f} mm"))
        power = slide.objective_power
        rows.append(("objective power", "not stated" if power is None else f"{power:g}, nominal"))
        if (profile := icc_profile(slide)) is not None:
            rows.append(("ICC profile", f"{profile_name(profile)}; applied with --icc alone"))
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
            if tissue.black_share:
                rows.append(("black", f"{tissue.black_share:.0%} of the slide, not scanned; read as white"))
                slide = BlackAsWhite(slide)
            staining = classify_staining(slide, tissue, overview)
            rows.append(("staining", str(staining)))
            if staining is not Staining.FLUORESCENCE:
                share = tissue.area_mm2 / tissue.everywhere().area_mm2
                rows.append(("tissue", f"{tissue.area_mm2:.3f} mm², {share:.0%} of the slide"))
                zero_share = source.state().zero_share
                quality = measure_quality(slide, tissue, overview, staining, zero_share=zero_share)
                rows.append(("quality", " ".join(flag.sentence for flag in quality.flags) or "no flag"))
    _print(rows)


def _print(rows: Sequence[tuple[str, str]]) -> None:
    column = max(len(name) for name, _ in rows)
    for name, value in rows:
        click.echo(printable(f"{name:<{column}}  {value}"))
