"""What the names of classes mean: Positive, Negative and Nucleus, and whatever else a user says of names of their own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from wsi_edt.cells import CellClass
from wsi_edt.errors import AnnotationError, UsageError

IGNORED = "ignore"
KNOWN: Mapping[str, CellClass] = {kind.label.lower(): kind for kind in CellClass}
_SPOKEN: Mapping[str, CellClass] = {
    **KNOWN,
    **dict.fromkeys(("pos", "+"), CellClass.POSITIVE),
    **dict.fromkeys(("neg", "-", "\N{MINUS SIGN}", "\N{EN DASH}"), CellClass.NEGATIVE),
}
# "Ki-67 positive", "Ki67+", "positive nuclei"
_AROUND = re.compile(r"^ki[- ]?67[\s_]*|(?:^|[\s_]+)(?:cells?|nucle(?:us|i))$")
_MOST_NAMED = 5
# "positiv", "négatif", "negativo": no class by itself, but a sign that classes are meant
_LOOKS_LIKE = re.compile(r"(?:po[sz][iy]|n[eé]ga)t[iy]+e?[fvwn]\w*")

# What programs and people call the class, in lower case with blanks between the words.
CLASS_WORDS = (
    *("class", "classification", "class name", "class label", "cell class", "object class"),
    *("klasse", "zellklasse", "klassifikation", "klassifizierung", "classe", "clase", "klass", "klasa"),
)
# Often the class, if a class's name is among their texts.
LIKELY_CLASS_WORDS = ("label", "type", "name", "cell type", "category", "status", "stain", "phenotype")


@dataclass(frozen=True, slots=True)
class ClassNames:
    """Which class a name stands for; a name of several parts ("Tumor: Positive") by its last if it isn't given whole.

    Attributes
    ----------
    given : a user's own names in lower case; None: cells of that name are passed over
    asked : if names are given: the names in lower case whose meaning was asked for, of any number of files
    spelled : the user's names as they were written, by those in lower case
    """

    given: Mapping[str, CellClass | None] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set, compare=False)
    spelled: Mapping[str, str] = field(default_factory=dict, compare=False)

    @classmethod
    def from_options(cls, options: Iterable[str]) -> Self:
        """From texts such as "Neoplastic=nucleus".

        Raises
        ------
        UsageError
            If a text isn't NAME=CLASS, or the class isn't known.
        """
        return cls.of(meanings_in(options), where="--class")

    @classmethod
    def of(cls, meanings: Mapping[str, str], *, where: str) -> Self:
        """From names of classes and what they stand for; `where` names the option or the entry in errors.

        Raises
        ------
        UsageError
            If a name is empty, or what it stands for isn't known.
        """
        given: dict[str, CellClass | None] = {}
        for name, meaning in meanings.items():
            kind = meaning.strip().lower()
            if not name.strip() or kind not in (*KNOWN, IGNORED):
                given_text = "=".join(filter(None, (name, meaning)))
                raise UsageError(
                    f"has {given_text}, which isn't NAME=CLASS",
                    where=where,
                    remedy=f"give for example Neoplastic=nucleus; classes are {', '.join([*KNOWN, IGNORED])}",
                )
            given[name.strip().lower()] = KNOWN.get(kind)
        return cls(given, spelled={name.strip().lower(): name.strip() for name in meanings})

    def meaning(self, name: str | None) -> CellClass | None:
        """The class of that name, `CellClass.NUCLEUS` without one; None if it is to be passed over.

        Beside the classes' own names "pos", "neg", "+" and "-" are known, also as "Ki-67 positive", "Ki67+", "positive
        cell". Numbers mean nothing by themselves: programs count classes from 0 or from 1, in any order.

        Raises
        ------
        KeyError
            If the name means nothing.
        """
        whole = (name or "").strip().lower()
        if self.given:
            self.asked.add(whole)
        if whole in self.given:
            return self.given[whole]
        last = whole.rsplit(":", 1)[-1].strip()
        if last in self.given:
            return self.given[last]
        if last.startswith(IGNORED):  # QuPath's Ignore*
            return None
        if not last:
            return CellClass.NUCLEUS
        return KNOWN[last] if last in KNOWN else _SPOKEN[_AROUND.sub("", last)]

    def knows(self, name: str) -> bool:
        """Whether the name means anything, without its meaning being asked for."""
        try:
            ClassNames(self.given).meaning(name)
        except KeyError:
            return False
        return True

    def never_met(self) -> list[str]:
        """Of a user's own names those that no cell had, as they were written."""
        last_parts = {name.rsplit(":", 1)[-1].strip() for name in self.asked}
        return [self.spelled.get(name, name) for name in sorted(self.given.keys() - self.asked - last_parts)]


def looks_like_a_class(name: str) -> bool:
    """Whether a name that isn't known is probably a class's in another language."""
    return _LOOKS_LIKE.fullmatch(name.strip().lower()) is not None


def meanings_in(options: Iterable[str]) -> dict[str, str]:
    """What texts such as "Neoplastic=nucleus" say: by the name what it stands for, neither of them checked."""
    return {name: meaning for name, _, meaning in (option.rpartition("=") for option in options)}


class UnknownClasses:
    """Names of classes that mean nothing, gathered over a file so that one error tells them all."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: tuple[str, str] | None = None

    def add(self, name: str, where: str) -> None:
        """A cell has that class; `where` names the file and the place in it."""
        self._counts[name] += 1
        self._first = self._first or (name, where)

    def refuse(self) -> None:
        """Raise an AnnotationError if there are any: it names the first place, and how many cells have each class."""
        if self._first is None:
            return
        name, where = self._first
        most = self._counts.most_common(_MOST_NAMED)
        listed = ", ".join(f"{count} {label!r}" for label, count in most)
        more = ", …" if len(self._counts) > len(most) else ""
        raise AnnotationError(
            f"has the class {name!r}, not one of {', '.join(kind.label for kind in CellClass)} (in all {listed}{more})",
            where=where,
            remedy=f"rename it, or say what it stands for (positive, negative, nucleus or ignore) by "
            f"--class '{name}=nucleus'; in a training's set by class_names",
        )
