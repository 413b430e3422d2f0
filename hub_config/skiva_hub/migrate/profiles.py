"""The slices that a configuration's profiles amount to. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from skiva_hub.migrate.advice import advice
from skiva_hub.migrate.batch_script import read_script
from skiva_hub.migrate.notes import Notes
from skiva_hub.migrate.settings import Configuration, Setting, SpawnerClass, spawner_class
from skiva_hub.req_options import FOR_A_SLICE, VARIABLES, Value, Wish, left, wish
from skiva_hub.site_types import DEVICES

_MB_PER_CORE = 4000
"""What is written where a configuration leaves the memory to Slurm's own default."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One choice that people had: wrapspawner's, or the one of a spawner without profiles."""

    key: str
    title: str
    about: str
    """The title for notes; empty where there is nothing to tell it from."""
    spawner: SpawnerClass
    settings: Mapping[str, Setting]
    own: frozenset[str] = frozenset()
    """Names of settings that stand in the profile itself."""


def profiles(config: Configuration, main: SpawnerClass, notes: Notes) -> tuple[Profile, ...]:
    """The profiles that are jobs in Slurm; the others are noted."""
    found = tuple(_listed(config, main, notes))
    if found:
        return found
    if not main.is_slurms and config.get("JupyterHub.spawner_class"):
        notes.add(
            f"{main.name} is not known to start jobs in Slurm: write a [[slice]] for each choice people had."
        )
    return (Profile("", "Notebook", "", main, config.of(main)),)


def _listed(config: Configuration, main: SpawnerClass, notes: Notes) -> Iterator[Profile]:
    listed = config.of(main).get("profiles") or Setting(
        "ProfilesSpawner.profiles", config.get("ProfilesSpawner.profiles")
    )
    if not isinstance(listed.value, (list, tuple)):
        return
    config.read(listed.origin)
    for number, profile in enumerate(listed.value, 1):
        match profile:
            case (str(title), str(key), kind, Mapping() as changes):
                child = spawner_class(kind)
                title = _title(title)
                if child.is_slurms:
                    yield _with_changes(config, Profile(key, title, title, child, config.of(child)), changes)
                else:
                    reason = f"it starts {child.name}, which is not known to start jobs in Slurm"
                    notes.add(left(f'Profile "{title}"', reason))
            case _:
                notes.add(left(f"Profile {number}", "it is not title, key, class, settings"))


def _with_changes(config: Configuration, profile: Profile, changes: Mapping[Any, Any]) -> Profile:
    settings = dict(profile.settings)
    for name, value in changes.items():
        if str(name) in settings:
            config.beaten(settings[str(name)].origin, f"{name} of the profiles")
        settings[str(name)] = Setting(str(name), value)
    own = frozenset(str(name) for name in changes)
    return Profile(profile.key, profile.title, profile.about, profile.spawner, settings, own)


def slice_fields(profile: Profile, config: Configuration, notes: Notes) -> dict[str, Any]:
    """The fields of a profile's slice; what of the profile is not in them is noted."""
    for name in sorted(profile.own):
        if not _asks(name):
            notes.add(left(name, advice("Spawner", name, frozenset())), profile.about)
    for setting in (s for name, s in profile.settings.items() if _asks(name)):
        config.read(setting.origin)
    wanted = _wish(profile, notes)
    for note in wanted.notes:
        notes.add(note, profile.about)
    return _fields(profile, wanted, lambda note: notes.add(note, profile.about))


def _asks(name: str) -> bool:
    return name.startswith("req_") or name == "batch_script"


def _wish(profile: Profile, notes: Notes) -> Wish:
    """What the settings and the script of a profile ask for."""
    req = {name: s.value for name, s in profile.settings.items() if name.startswith("req_")}
    own = {name: str(v) for name, v in req.items() if v and name.removeprefix("req_") not in VARIABLES}
    given = profile.settings.get("batch_script")
    if given is None or not given.value:
        return wish(req)
    script = read_script(str(given.value), own)
    notes.add(
        left(given.origin.rpartition(".")[2], advice("Spawner", "batch_script", frozenset())), profile.about
    )
    for note in script.notes:
        notes.add(note, profile.about)
    return wish({n: v for n, v in req.items() if n not in script.filled}, script.directives)


def _fields(profile: Profile, wanted: Wish, note: Callable[[str], None]) -> dict[str, Any]:
    fields: dict[str, Value] = dict(wanted.fields)
    gres = str(fields.get("gres", ""))
    if "partition" not in fields:
        note("No partition is named: write the name of Slurm's default partition in place of main.")
    cores = _within(fields, "cores", 1, 1024, 1, note)
    made = {
        "id": profile.key,
        "title": profile.title,
        "description": f"Without the device that was asked for: {wanted.no_device}"
        if wanted.no_device
        else None,
        "partition": fields.get("partition", "main"),
        "gres": fields.get("gres"),
        "extra_gres": tuple(filter(None, str(fields.get("extra_gres", "")).split(","))) or None,
        "isolation": _isolation(gres, note),
        "cores": cores,
        "memory_mb": _memory(fields, gres, cores, note),
        **{name: fields.get(name) for name in FOR_A_SLICE[1:]},
        "max_hours": _within(fields, "hours", 0, 24 * 30, None, note),
    }
    return {name: value for name, value in made.items() if value is not None}


def _isolation(gres: str, note: Callable[[str], None]) -> str:
    name = gres.partition(":")[0]
    if name and name not in DEVICES:
        note(f"{gres} is no GPU, so nothing is proved of it: isolation = none was written.")
    return {"": "none", "gpu": "exclusive"}.get(name, "shared" if name in DEVICES else "none")


def _memory(fields: dict[str, Value], gres: str, cores: int, note: Callable[[str], None]) -> Any:
    """The memory of a session as a whole; where Slurm's default was meant, a guess that says so."""
    gpus = int(gres.rpartition(":")[2]) if gres else 0
    for name, per, count in (("memory_per_core", "core", cores), ("memory_per_gpu", "GPU", gpus)):
        if name not in fields:
            continue
        if "memory_mb" in fields:
            note(left(f"{fields[name]} MB for each {per}", "the memory is named as a whole"))
        elif not count:
            note(left(f"{fields[name]} MB for each {per}", "there is no GPU"))
        else:
            fields["memory_mb"] = int(fields[name]) * count
    if "memory_mb" not in fields:
        note(
            f"No memory is named, which a slice must: {_MB_PER_CORE} MB for each core were written; Slurm's"
            " own default is DefMemPerCPU or DefMemPerNode of `scontrol show partition`."
        )
    return _within(fields, "memory_mb", 128, 16 * 1024 * 1024, _MB_PER_CORE * cores, note)


def _within(
    fields: Mapping[str, Any],
    name: str,
    least: int,
    most: int,
    default: int | None,
    note: Callable[[str], None],
) -> Any:
    value = fields.get(name, default)
    if value is None:
        return None
    if not least <= value <= most:
        note(f"{name} = {value} is beyond what a slice may have, {least} to {most}: the limit was written.")
    return min(max(value, least), most)


def _title(text: str) -> str:
    return "".join(c for c in text if c.isprintable()).strip()[:80].strip() or "Notebook"


def free_id(title: str, used: set[str]) -> str:
    """A name for a slice made from its key or its title, which is none of those in use."""
    word = re.sub(r"[^a-z0-9.]+", "-", title.lower()).strip("-.")[:36].strip("-.") or "slice"
    free = next(name for name in (word, *(f"{word}-{n}" for n in range(2, 999))) if name not in used)
    used.add(free)
    return free
