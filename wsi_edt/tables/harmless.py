"""Texts in tables that spreadsheets would execute: names of files and regions come from anywhere."""

from __future__ import annotations

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def harmless(text: str) -> str:
    """The text, behind an apostrophe if spreadsheets would take it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def as_it_was(text: str) -> str:
    """The text that `harmless` made this of."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text
