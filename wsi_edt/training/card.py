"""A draft of a model's card: what can be said about it without a person."""

from __future__ import annotations

from wsi_edt.bundles import Bundle
from wsi_edt.evaluation.selection import F1_TOLERANCE
from wsi_edt.maps import DecodeSettings, method_named
from wsi_edt.networks import NetworkSpec, build_network
from wsi_edt.training.checkpoint import Trained
from wsi_edt.training.provenance import Provenance, SetSummary


def draft_card(bundle: Bundle, trained: Trained, bundle_command: str) -> str:
    """The card in Markdown: use, metrics, how settings were chosen, the training with its command, data and licences."""
    provenance, decode = trained.provenance, bundle.decode
    sections = [
        f"# {bundle.name}, version {bundle.version}",
        f"{_network(bundle.network)} with the maps {', '.join(decode.maps)}, at {bundle.model_mpp:g} µm/px. It counts "
        f"{bundle.counts}. For research use only; not for diagnosis.",
        "## Use",
        *_use(decode),
        f"Cells are the peaks of {_evidence(bundle)} above {decode.threshold:g}"
        f"{' of the maximum' if decode.is_relative else ''} ({decode.window_px}×{decode.window_px} px window, "
        f"{method_named(decode.method).words}). Tiles keep {bundle.halo_px} px of halo.",
        "## Accuracy",
        "Window, threshold and the negative map's gain were chosen on "
        f"{bundle.training['settings_chosen_on']}; {_apart(provenance)}. {_criterion(decode)} The figures are measured on "
        "the same images with the chosen settings, which flatters, except for those named `left_out`: there, each case was "
        "tested with settings that the others chose.",
        _table(("figure", "value"), [(name, f"{value:g}") for name, value in bundle.metrics.items()]),
        "## Training",
        f"{trained.step} steps with wsi-edt {provenance.version}, from "
        f"{provenance.started_from or 'random weights'}.",
        f"    wsi-edt train CONFIG.toml --data DATA --out RUN\n    {bundle_command}",
        _table(
            (
                "set",
                "images",
                "cases",
                "points: positive / negative / neither",
                "µm/px",
                "what its labels teach",
                "licence",
            ),
            [_row(one) for one in provenance.sets],
        ),
        *_data(provenance),
        f"Licence of the weights: {bundle.licence}.",
        "CONFIG.toml, with every entry:",
        "```toml\n" + provenance.config.to_toml().strip() + "\n```",
        "## Known weaknesses",
        "Not written yet: look at the validation images on which it does worst, and describe here what goes wrong.",
    ]
    return "\n\n".join(sections) + "\n"


def _apart(provenance: Provenance) -> str:
    twins = "" if provenance.data is None else provenance.data.twins
    if twins:
        return f"the pictures of {twins} were trained on as well, under other names"
    return "none of these images was trained on"


def _data(provenance: Provenance) -> tuple[str, ...]:
    if provenance.data is None:
        return ()
    return (f"Pictures and labels were those of the fingerprint {provenance.data.digest}.",)


def _network(spec: NetworkSpec) -> str:
    parameters = sum(parameter.numel() for parameter in build_network(spec).parameters())
    return f"{spec.options.title} ({parameters / 1e6:.1f} million parameters)"


def _use(decode: DecodeSettings) -> tuple[str, ...]:
    if not decode.is_relative:
        return "    wsi-edt run SLIDES --out RESULTS --model MODEL", "MODEL is this folder."
    return (
        "    wsi-edt evaluate --model MODEL --dataset FORMAT FOLDER",
        "MODEL is this folder. `wsi-edt run` refuses it: its threshold is a share of the maximum of what is looked at in "
        "one piece, which differs from tile to tile of a slide.",
    )


def _evidence(bundle: Bundle) -> str:
    gain = bundle.decode.negative_gain
    negative = "negative" if gain == 1 else f"{gain:g} · negative"
    return {
        "sum": f"positive + {negative}",
        "max": f"the higher of positive and {negative}",
        "nucleus": "nucleus",
        "separate": f"positive and of {negative}, each for itself,",
    }[bundle.decode.evidence]


def _criterion(decode: DecodeSettings) -> str:
    steadiest = "The gain is the one with which the Ki-67 index moves least over the threshold. "
    gain = steadiest if "positive" in decode.maps else ""
    return (
        f"{gain}Of all settings whose F1 is within {F1_TOLERANCE:g} of the best, those "
        "with the highest recall were taken."
    )


def _row(one: SetSummary) -> tuple[str, ...]:
    mpp = f"{one.mpp[0]:g}" if one.mpp[0] == one.mpp[1] else f"{one.mpp[0]:g} to {one.mpp[1]:g}"
    return (
        f"{one.name}{one.citation and f' ({one.citation})'}",
        str(one.images),
        str(one.cases),
        f"{one.positive} / {one.negative} / {one.neither}",
        mpp,
        f"positive and negative {', '.join(one.classes)}; any nucleus {', '.join(one.nuclei)}",
        one.licence,
    )


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
