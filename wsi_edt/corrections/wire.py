"""Corrections as JSON: in corrections.json, and as a page sends them. What isn't exactly as it must be is refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from wsi_edt.corrections.kinds import Correction, Name
from wsi_edt.corrections.record import Entry, Record
from wsi_edt.errors import UsageError

FORMAT = 1
_ADAPTER: TypeAdapter[Correction] = TypeAdapter(Annotated[Correction, Field(discriminator="what")])
_NAME: TypeAdapter[str] = TypeAdapter(Name)
_BY_FILE = "by_file"  # true, or not there
_OWN = ("id", "who", "when", _BY_FILE)  # of an entry, beside its correction's


def parsed_change(body: bytes) -> tuple[int, Correction]:
    """The revision that a caller saw, and its correction: of ``{"revision": 3, "entry": {"what": "undo", "entry": 2}}``.

    Raises
    ------
    UsageError
        If it is anything else; the sentence says what.
    """
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"a correction isn't JSON ({error})") from error
    if not isinstance(fields, dict) or fields.keys() != {"revision", "entry"}:
        raise UsageError("a correction has a revision and an entry, and nothing else")
    revision, entry = fields["revision"], fields["entry"]
    if type(revision) is not int or revision < 0:
        raise UsageError("a correction's revision is a whole number")
    if not isinstance(entry, dict):
        raise UsageError("a correction's entry is an object")
    try:
        return revision, _correction(entry)
    except ValueError as error:
        raise UsageError(f"a correction can't be understood: {error}") from error


def record_to_json(record: Record) -> bytes:
    """The content of corrections.json."""
    entries = [
        {
            "id": entry.id,
            "who": entry.who,
            "when": entry.when.isoformat(),
            **({_BY_FILE: True} if entry.by_file else {}),
            **_ADAPTER.dump_python(entry.correction, by_alias=True),
        }
        for entry in record.entries
    ]
    fields = {"format": FORMAT, "revision": record.revision, "entries": entries}
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)


def record_from_json(content: bytes) -> Record:
    """The record that `record_to_json` gave this content; ValueError if it is anything else."""
    fields = orjson.loads(content)
    if not isinstance(fields, dict):
        raise ValueError("it isn't an object")
    if fields.get("format") != FORMAT:
        raise ValueError(f"its format is {fields.get('format')!r}, and this version reads {FORMAT}")
    listed = fields.get("entries")
    if not isinstance(listed, list) or fields.get("revision") != len(listed):
        raise ValueError("it hasn't as many entries as it says")
    entries = []
    for number, entry in enumerate(listed, start=1):
        if not isinstance(entry, dict) or entry.get("id") != number:
            raise ValueError(f"its entry {number} isn't there")
        when = datetime.fromisoformat(str(entry.get("when")))
        who = _NAME.validate_python(entry.get("who"))
        own = {name: value for name, value in entry.items() if name not in _OWN}
        entries.append(Entry(number, who, when, _correction(own), entry.get(_BY_FILE) is True))
    return Record(tuple(entries))


def _correction(fields: Mapping[str, Any]) -> Correction:
    """The correction of these fields; ValueError, in one clause, if there is none."""
    try:
        return _ADAPTER.validate_json(orjson.dumps(fields), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        why = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{place}: {why}" if place else why) from error
