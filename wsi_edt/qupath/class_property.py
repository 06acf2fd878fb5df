"""The property of GeoJSON features that tells their class where it isn't QuPath's classification: scripts' ``class``."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from wsi_edt.qupath.classes import CLASS_WORDS, LIKELY_CLASS_WORDS, ClassNames, looks_like_a_class
from wsi_edt.qupath.dialect import Feature

_log = logging.getLogger(__name__)

_MOST_TEXTS = 5  # of a property, that are shown


def find_class_property(features: Sequence[Feature], classes: ClassNames) -> str | None:
    """The name of the property whose texts are classes, None if there is none or a feature has QuPath's classification.

    A property that is called ``class`` is it whatever its texts are; one that is called label, type, name and so on, if
    one of its texts is known as a class. Otherwise the texts of the latter are logged, if they are few; names are common.

    Parameters
    ----------
    features : the cells of a file
    classes : what names of classes stand for
    """
    if any(feature.class_name for feature in features):
        return None
    texts = _texts_by_property(features)
    likely = [name for word in LIKELY_CLASS_WORDS for name in texts if _plain(name) == word]
    sure = [name for word in CLASS_WORDS for name in texts if _plain(name) == word]
    for name in likely if not sure else ():
        if any(classes.knows(text) or looks_like_a_class(text) for text in texts[name]):
            return name
    if not sure:
        asked = [name for name in likely if _plain(name) != "name" and len(texts[name]) <= _MOST_TEXTS]
        shown = ", ".join(_shown(name, texts[name]) for name in asked)
        if shown:
            _log.warning(
                "%s and others: have no class, but the property %s; if it is the class, say what its texts stand for (in "
                "evaluate by --class TEXT=positive)",
                features[0].where,
                shown,
            )
    return sure[0] if sure else None


def _texts_by_property(features: Sequence[Feature]) -> dict[str, set[str]]:
    """The different texts of the properties that may be a class; those that are no texts don't count."""
    found: dict[str, set[str]] = {}
    words = {*CLASS_WORDS, *LIKELY_CLASS_WORDS}
    for feature in features:
        for name, text in feature.properties.items():
            if isinstance(text, str) and text.strip() and _plain(name) in words:
                found.setdefault(name, set()).add(text.strip())
    return found


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", " ")


def _shown(name: str, texts: set[str]) -> str:
    return f"{name} ({', '.join(map(repr, sorted(texts)))})"
