"""Runs as a table that fits a terminal. Pure."""

import time
import unicodedata
from collections.abc import Sequence

from skiva.runs.spec import Spec
from skiva.runs.status import Status

__all__ = ["HEADINGS", "cells", "clean", "fitted", "width_of"]

HEADINGS = ("RUN", "NAME", "SLICE", "SUBMITTED", "STATE", "")
_ID, _NAME, _SLICE, _WHEN, _STATE, _MORE = range(6)
_SHRINKS = (
    (_MORE, 16),
    (_NAME, 8),
    (_SLICE, 7),
    (_WHEN, 0),
    (_SLICE, 0),
    (_MORE, 0),
    (_NAME, 0),
    (_STATE, 0),
)
"""What gives way first where the terminal is narrow, and down to which width; at 0 it is left out."""
_GAP = 2


def clean(text: str) -> str:
    """The text without anything that a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def width_of(text: str) -> int:
    """Columns that it takes."""
    return sum(_letter_width(letter) for letter in text)


def _letter_width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def cells(spec: Spec, status: Status) -> tuple[str, ...]:
    """One run's line."""
    piece = f"{spec.slice} (simulated)" if spec.simulated else spec.slice
    when = time.strftime("%b %d %H:%M", time.localtime(spec.created))
    return tuple(map(clean, (spec.id, spec.name, piece, when, status.state, _more(status))))


def _more(status: Status) -> str:
    words = []
    if status.life == "running" and status.progress:
        words.append(_progress(status))
    elif status.sentence.rstrip(".").lower() not in {status.state, "running"}:
        words.append(status.sentence)
    if status.state == "queued" and status.expected:
        words.append(f"Expected {time.strftime('%b %d %H:%M', time.localtime(status.expected))}.")
    if status.state == "running" and status.seconds_left is not None:
        words.append(f"{_duration(status.seconds_left)} left")
    return " ".join(word for word in words if word)


def _progress(status: Status) -> str:
    told = status.progress or {}
    done, total, text = told.get("done"), told.get("total"), str(told.get("text") or "")
    counted = f"{done} of {total}" if total else f"{done}"
    return f"{counted}{', ' if text else ''}{text},"


def _duration(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


def fitted(rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """The lines of a table with headings, each at most `width` columns wide; else as wide as need be."""
    table = [HEADINGS, *rows]
    widths = [max(width_of(row[column]) for row in table) for column in range(len(HEADINGS))]
    if width is not None:
        _shrink(widths, max(1, width))
    return [_line(row, widths) for row in table]


def _shrink(widths: list[int], most: int) -> None:
    for column, least in _SHRINKS:
        over = _total(widths) - most
        if over > 0:
            widths[column] = least and max(min(least, widths[column]), widths[column] - over)
    widths[_ID] = min(widths[_ID], most)


def _total(widths: Sequence[int]) -> int:
    shown = [width for width in widths if width]
    return sum(shown) + _GAP * (len(shown) - 1)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    parts = [_padded(cell, width) for cell, width in zip(row, widths, strict=True) if width]
    return (" " * _GAP).join(parts).rstrip()


def _padded(text: str, width: int) -> str:
    if width_of(text) > width:
        kept = ""
        for letter in text:
            if width_of(kept + letter) > width - 1:
                break
            kept += letter
        text = kept + "…"
    return text + " " * (width - width_of(text))
