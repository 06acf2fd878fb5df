"""`wsi-edt train`: a network from labelled images."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from wsi_edt.cli.paths import InPath, OutFolder


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that holds the data sets' folders.",
)
@click.option(
    "--out",
    required=True,
    type=OutFolder(),
    help="Folder for checkpoints, logs and pictures. A training that was stopped continues from it.",
)
@click.option(
    "--init",
    metavar="MODEL",
    help="Start from this model (a shipped one's name, or a folder), not from random weights.",
)
@click.option(
    "--ours",
    "results",
    type=InPath(),
    metavar="RESULTS",
    help="Take the set named ours from the corrections in this results folder of a run: the regions drawn there, with "
    "their cells.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
def train(config: Path, data: Path, out: Path, init: str | None, results: Path | None, device: str) -> None:
    """Train a network as described in the TOML file CONFIG.

    The same command continues a training that was stopped or killed, if its data are what they were; at most one epoch is
    lost. `wsi-edt bundle` makes a model from the checkpoint.

    Every entry of CONFIG has a default, the shipped model's recipe, so it need only say what to train on; here, a lab's
    own nuclei, marked in QuPath:

    \b
        [[sets]]
        name = "ours"
        format = "qupath"
        weight = 1.0
        [[validation]]
        name = "ours_too"
        format = "qupath"

    \b
    init, seed, mpp   the model to start from, the seed, µm/px
    [network]         architecture m_hrnet or one of those that
                      `wsi-edt models` lists, with its options: width 18,
                      32 or 48 and stem_stride 2 or 1 of hrnet and m_hrnet,
                      theta of what begins with m_
    [maps]            names of positive, negative, nucleus;
                      target edt, idt, fidt or density; clamp; constants:
                      c1, c2, c3 of edt, c of idt, alpha, beta, c of fidt,
                      sigma_px, adaptive of density; method ccls, lmss,
                      lmds or peak_local_max, by which cells are found
    [loss]            cell_weight, consistency
    [augmentation]    scale, stain, hue, gamma, blur, sharpen, jpeg, turns;
                      0 turns one off
    [schedule]        steps, epoch_steps, batch_size, crop_px,
                      learning_rate, warmup_steps, decay cosine or step,
                      weight_decay, ema_decay, frozen_norms
    [[sets]]          what is trained on: name, format, folder, weight,
                      split, mpp, classes, nuclei
    [[validation]]    what chooses the best state and the decoding:
                      the same without weight
    [folds]           count, index: one fold of a cross-validation by case

    workflows/shipped_model/train.toml has every entry with its default and what it does.

    \b
    OUT then holds
      checkpoint.safetensors    the state after the last epoch
      best.safetensors          the weights with the best F1 on [[validation]]
      log.csv, validation.csv   losses and F1; tensorboard/ has them too
      predictions/              pictures of annotated cells, found cells and
                                the evidence for them
      ours/                     with --ours: the corrected regions, as they
                                were when the training began
    """  # noqa: D301 - click's mark for lines that stay as they are
    from wsi_edt.cli.training_display import display_on
    from wsi_edt.detection.compute import resolve_device
    from wsi_edt.training import read_config
    from wsi_edt.training import train as run_training

    settings = read_config(config, init=init)
    if results is not None:
        from wsi_edt.cli.training_set import with_corrections

        settings = with_corrections(settings, results, out)
    with display_on(sys.stdout) as display:
        checkpoint = run_training(settings, data, out, device=resolve_device(device), progress=display)
    click.echo(f"{checkpoint} is ready for `wsi-edt bundle`")
