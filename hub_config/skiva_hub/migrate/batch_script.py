"""What a site's own `batch_script` has beside the stock one: fixed options, and commands. Pure."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from skiva_hub.req_options import VARIABLES, left, short

_STATEMENT = re.compile(r"\{%.*?%\}")
_VARIABLE = re.compile(r"\{\{?-?\s*(\w+)\s*-?\}?\}")
_TEMPLATED = re.compile(r"(?:--?[A-Za-z][\w-]*[ =])?\S*\{[^{}]*\}\S*")
_OF_THE_STOCK_SCRIPT = re.compile(
    r"#.*|set -\S+( pipefail)?|trap 'echo SIGTERM received' TERM|which \S+-singleuser"
    r'|echo "\S+-singleuser ended gracefully"'
)
_ENTERS_AN_IMAGE = re.compile(r"\b(?:apptainer|singularity|enroot|podman|--container-image)\b")
_AT_MOST, _WORDS = 6, 3
"""How many commands of a script are shown, and how much of each."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script's parts that say something which the settings do not."""

    directives: str = ""
    """Its #SBATCH lines that are the same at each start."""
    notes: tuple[str, ...] = ()
    filled: frozenset[str] = frozenset()
    """Settings of the site's own, `req_…`, that stand in these lines with their values."""


def read_script(text: str, own: Mapping[str, str]) -> Script:
    """Read a template, jinja's or Python's; `own` are the values of the site's own `req_…` settings."""
    lines, commands, notes = list[str](), list[str](), list[str]()
    filled, depth = set[str](), 0
    for line in text.splitlines():
        is_conditional = depth > 0 or "{%" in line
        depth += len(re.findall(r"\{%-?\s*(?:if|for)\b", line)) - len(re.findall(r"\{%-?\s*end", line))
        plain = _VARIABLE.sub(r"{\1}", _STATEMENT.sub("", line)).strip()
        if not plain.startswith("#SBATCH"):
            commands += [plain] if _says_something(plain) else []
            continue
        names = {name for name in _VARIABLE.findall(plain) if own.get(f"req_{name}")}
        for name in names:
            plain = plain.replace(f"{{{name}}}", shlex.quote(own[f"req_{name}"]))
        filled.update(f"req_{name}" for name in names)
        fixed, changing = _without_variables(plain)
        if is_conditional and not names and fixed.removeprefix("#SBATCH").strip():
            changing.append(fixed)
            fixed = ""
        lines.append(fixed)
        notes += [left(f"{short(c)} of batch_script", _CHANGES) for c in changing]
    if commands:
        notes.append(_ran(commands))
    return Script("\n".join(lines), tuple(notes), frozenset(filled))


_CHANGES = "it differs from start to start; write a [[slice]] for each choice that people have"


def _without_variables(line: str) -> tuple[str, list[str]]:
    """A line without its options that are filled in, and those of them that no stock setting fills in."""
    changing = [m[0] for m in _TEMPLATED.finditer(line) if not _is_filled_by_a_setting(m[0])]
    return _TEMPLATED.sub("", line), changing


def _is_filled_by_a_setting(option: str) -> bool:
    names = set(_VARIABLE.findall(option))
    return bool(names) and names <= VARIABLES


def _says_something(command: str) -> bool:
    if _OF_THE_STOCK_SCRIPT.fullmatch(command):
        return False
    rest = _VARIABLE.sub(lambda found: "" if found[1] in VARIABLES else found[0], command)
    return rest.strip() not in {"", "srun", "exec"}


def _ran(commands: list[str]) -> str:
    # What follows may be a secret, and a site file is for everybody.
    shown = [short(" ".join(re.sub(r"=.*", "=...", c).split()[:_WORDS])) for c in commands[:_AT_MOST]]
    more = len(commands) - len(shown)
    listed = "; ".join(shown) + (f"; and {more} more" if more else "")
    reason = "no text of a configuration runs in a job; put what it sets up into the environment"
    if _ENTERS_AN_IMAGE.search(" ".join(commands)):
        reason += ", and name an image by its launcher and image"
    return left(f"What batch_script runs ({listed})", reason)
