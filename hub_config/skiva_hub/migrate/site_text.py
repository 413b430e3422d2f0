"""The site file's text, from what a configuration set. Pure.

Nothing gets lost by being forgotten here: `Configuration` knows what was read, and the rest is told.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import TypeAdapter, ValidationError

from skiva_hub.migrate.advice import advice
from skiva_hub.migrate.hub_address import hub_table
from skiva_hub.migrate.notes import Notes
from skiva_hub.migrate.profiles import Profile, free_id, profiles, slice_fields
from skiva_hub.migrate.settings import Configuration, SpawnerClass, spawner_class
from skiva_hub.req_options import left
from skiva_hub.site_types import PlainPath
from skiva_hub.toml_text import table

_MOST_SERVERS = 50
_MOST_IDLE = 14 * 24 * 60
_PYTHON: TypeAdapter[Path] = TypeAdapter(PlainPath)
_ACTIVATED = re.compile(
    r"(?:source|\.|conda\s+activate)\s+(/[^\s;&|\"']+?)(?:/bin/activate(?:[ \t]+([\w./-]+))?)?(?=[\s;&|]|$)"
)
_SINGLEUSER = re.compile(r"(/[^\s;&|\"'=]+)/(?:batchspawner|jupyterhub|jupyter)-(?:singleuser|labhub)\b")


def read(config: Mapping[str, Any], missing: Sequence[str] = ()) -> tuple[str, list[str]]:
    """A site file's text, and a note for all that needs a look, from a loaded traitlets configuration.

    `missing` are the modules for which stubs stood in.
    """
    found, notes = Configuration(config), Notes()
    for name in missing:
        notes.add(f"{name} is not installed here: what it sets or does by itself was not seen.")
    main = spawner_class(found.get("JupyterHub.spawner_class"))
    offered = profiles(found, main, notes)
    text = "\n".join(_tables(found, offered, notes))
    _tell_the_rest(found, (main, *(profile.spawner for profile in offered)), notes)
    return text, list(notes.lines(len(offered)))


def _tables(config: Configuration, offered: Sequence[Profile], notes: Notes) -> Iterator[str]:
    yield "# Made by `skiva migrate` from a batchspawner configuration: read it, then run `skiva doctor`.\n"
    prefix = next((p.settings["exec_prefix"].value for p in offered if "exec_prefix" in p.settings), None)
    yield table("[hub]", hub_table(config, exec_prefix=prefix, notes=notes))
    slices = [slice_fields(profile, config, notes) for profile in offered]
    used = set[str]()
    for fields in slices:
        fields["id"] = free_id(fields["id"] or fields["title"], used)
    for name in dict.fromkeys(name for fields in slices for name in fields["partition"].split(",")):
        yield table("[[partition]]", {"name": name})
    for fields in slices:
        yield table("[[slice]]", fields)
    python = _python(offered, notes)
    yield table("[[environment]]", {"id": "base", "title": "JupyterLab", "python": python})
    yield table("[hours]", _hours(slices, notes))
    if servers := _servers(config):
        yield table("[limits]", {"servers": servers})
    if minutes := _idle_minutes(config):
        notes.add("idle.minutes is from the --timeout of a service that ends unused servers.")
        yield table("[idle]", {"minutes": minutes})


def _tell_the_rest(config: Configuration, spawners: Sequence[SpawnerClass], notes: Notes) -> None:
    """Note every setting that nobody has read."""
    sections = frozenset(name for spawner in spawners for name in spawner.sections)
    for spawner in spawners:
        if spawner.code:
            code = ", ".join(spawner.code)
            notes.add(left(f"What {spawner.name} does itself ({code})", "SliceSpawner takes its place"))
        if not spawner.is_known:
            notes.add(
                f"{spawner.name} is not part of batchspawner, and what it is and does was not looked into."
            )
    for origin, winner in config.rest():
        name, _, section = origin.partition(" of class ")
        if not section:
            section, _, name = origin.rpartition(".")
        reason = f"{winner} has the last word" if winner else advice(section, name, sections)
        notes.add(left(_printable(origin), reason))


def _hours(slices: Sequence[Mapping[str, Any]], notes: Notes) -> dict[str, Any]:
    named = [fields["max_hours"] for fields in slices if "max_hours" in fields]
    if not named:
        notes.add("No length of time is named: hours.max was set to 8 hours.")
    longest = max(named, default=8.0)
    return {"default": min(2.0, longest), "max": longest}


def _servers(config: Configuration) -> int | None:
    """A person's servers: JupyterHub's limit counts those with a name, beside the one without."""
    allowed, most = "JupyterHub.allow_named_servers", "JupyterHub.named_server_limit_per_user"
    number = config.get(most)
    if config.get(allowed) is not True or not isinstance(number, int) or not 0 < number < _MOST_SERVERS:
        return None
    config.read(allowed, most)
    return number + 1


def _idle_minutes(config: Configuration) -> int | None:
    """After how long the usual service ended unused servers."""
    services = config.get("JupyterHub.services")
    for service in services if isinstance(services, (list, tuple)) else ():
        command = service.get("command") if isinstance(service, Mapping) else None
        words = " ".join(str(w) for w in command) if isinstance(command, (list, tuple)) else str(command)
        found = re.search(r"cull.*--timeout[= ]([0-9]{2,8})\b", words, re.DOTALL)
        if found and 1 <= int(found[1]) // 60 <= _MOST_IDLE:
            return int(found[1]) // 60
    return None


def _python(offered: Sequence[Profile], notes: Notes) -> str:
    """The Python beside the command that started servers, or where an environment was activated."""
    found = dict.fromkeys(python for profile in offered for python in _pythons(profile))
    if not found:
        notes.add("No environment was found: write the path of its Python, the same on every node.")
        return "/opt/skiva/base/bin/python"
    first, *others = found
    notes.add(f"{first} is taken as the environment: it must have skiva[notebook] and belong to root.")
    for other in others:
        notes.add(f"{other} may be another environment: if so, add an [[environment]].")
    return first


def _pythons(profile: Profile) -> Iterator[str]:
    def text(name: str) -> str:
        value = profile.settings[name].value if name in profile.settings else ""
        return " ".join(str(v) for v in value) if isinstance(value, (list, tuple)) else str(value or "")

    folders: list[str] = []
    for name in ("req_prologue", "batch_script"):
        for prefix, inner in _ACTIVATED.findall(text(name)):
            folders.append(f"{_environment(prefix, inner)}/bin")
    for name in ("cmd", "batchspawner_singleuser_cmd", "batch_script"):
        folders += _SINGLEUSER.findall(text(name))
    for folder in folders:
        try:
            yield str(_PYTHON.validate_python(f"{folder}/python"))
        except ValidationError:
            continue


def _environment(prefix: str, inner: str) -> str:
    """Where an environment is: itself, or by its name below the conda that activates it."""
    if not inner:
        return prefix
    return inner if inner.startswith("/") else str(PurePosixPath(prefix) / "envs" / inner)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
