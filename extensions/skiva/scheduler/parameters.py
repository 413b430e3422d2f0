"""What people type into the form's parameters, as values."""

import ast

__all__ = ["typed"]


def typed(text: str) -> object:
    """A parameter's value: a number, True, False or None, or what Python would make of quotes and brackets.

    Anything else is the text itself, as for papermill.
    """
    if text in {"True", "False", "None"}:
        return {"True": True, "False": False, "None": None}[text]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    if text[:1] in {"'", '"', "[", "{", "("}:
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text
    return text
