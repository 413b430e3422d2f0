"""The site file's text, from what a configuration set. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pydantic import TypeAdapter, ValidationError

from skiva_hub.req_options import FOR_A_SLICE, Value, Wish, directives, wish
from skiva_hub.site_types import PlainPath
from skiva_hub.toml_text import table

Settings = Mapping[str, Any]
Fields = dict[str, Any]

_CLASSES = ("Spawner", "BatchSpawnerBase", "BatchSpawnerRegexStates", "UserEnvMixin", "SlurmSpawner")
_REPLACED = {
    "batch_script": "sessions have a script of their own; its plain #SBATCH lines were read",
    "batch_submit_cmd": "cluster.bin says where sbatch is",
    "batch_query_cmd": "one reader asks Slurm for everybody",
    "batch_cancel_cmd": "cluster.bin says where scancel is",
    "exec_prefix": "hub.helper is what acts as a user",
    "state_pending_re": "every state of Slurm is known",
    "state_running_re": "every state of Slurm is known",
    "state_unknown_re": "silence is never taken for the end of a job",
    "state_exechost_re": "the address comes from Slurm's NodeAddr",
    "batchspawner_singleuser_cmd": "the environment's own launcher starts the server",
    "cmd": "the environment's own launcher starts the server",
    "start_timeout": "waiting in the queue has no end; limits.start_seconds counts once the job runs",
    "poll_interval": "one reader asks Slurm for everybody; see cluster.idle_interval",
    "startup_poll_interval": "one reader asks Slurm for everybody; see cluster.busy_interval",
    "port": "hub.ports is the range in which servers listen",
    "ip": "hub.bind is the address on which servers listen",
}
_PYTHON: TypeAdapter[Path] = TypeAdapter(PlainPath)


def read(config: Mapping[str, Settings], missing: Sequence[str] = ()) -> tuple[str, list[str]]:
    """A site file's text, and a note for all that needs a look, from a loaded traitlets configuration.

    `missing` are the modules for which stubs stood in.
    """
    settings = _settings(config)
    notes = [
        f"{name} is not installed here, so what it sets by itself was not seen: look at its own settings."
        for name in missing
    ]
    text = "\n".join(_tables(config, settings, notes))
    notes += [
        f"{name} was not carried over, because {reason}."
        for name, reason in _REPLACED.items()
        if settings.get(name)
    ]
    return text, list(dict.fromkeys(notes))


def _settings(config: Mapping[str, Settings]) -> dict[str, Any]:
    """The spawner's settings, those of a class over those of the classes it is made from."""
    named = config.get("JupyterHub", {}).get("spawner_class", "")
    own = (named if isinstance(named, str) else getattr(named, "__name__", "")).rpartition(".")[2]
    merged: dict[str, Any] = {}
    for section in (*_CLASSES, own):
        merged.update(config.get(section, {}) if section else {})
    return merged


def _tables(config: Mapping[str, Settings], settings: Settings, notes: list[str]) -> Iterator[str]:
    yield "# Made by `skiva migrate` from a batchspawner configuration: read it, then run `skiva doctor`.\n"
    hub = config.get("JupyterHub", {})
    yield table("[hub]", _hub(hub, notes))
    slices = [_slice(*profile, notes) for profile in _profiles(config, settings, notes)]
    used = set[str]()
    for fields in slices:
        fields["id"] = _free_id(fields["id"] or fields["title"], used)
    for name in dict.fromkeys(fields["partition"] for fields in slices):
        yield table("[[partition]]", {"name": name})
    for fields in slices:
        yield table("[[slice]]", {"id": fields.pop("id"), **fields})
    python = _python(settings, notes)
    yield table("[[environment]]", {"id": "base", "title": "JupyterLab", "python": python})
    longest = max((fields["max_hours"] for fields in slices if "max_hours" in fields), default=8.0)
    yield table("[hours]", {"default": min(2.0, longest), "max": longest})


def _profiles(
    config: Mapping[str, Settings], settings: Settings, notes: list[str]
) -> list[tuple[str, str, Wish]]:
    """Each slice's key, title and what it asks for: wrapspawner's profiles, or the one that there is."""
    script = str(settings.get("batch_script") or "")
    plain = [line for line in script.splitlines() if line.startswith("#SBATCH") and "{" not in line]
    fixed = directives("\n".join(plain))
    notes += fixed.notes
    found: list[tuple[str, str, Wish]] = []

    def add(key: str, title: str, changes: Settings) -> None:
        wanted = wish({n: v for n, v in {**settings, **changes}.items() if n.startswith("req_")})
        notes.extend(wanted.notes)
        found.append((key, title, Wish({**fixed.fields, **wanted.fields})))

    for profile in config.get("ProfilesSpawner", {}).get("profiles") or ():
        match profile:
            case (str(title), str(key), _, Mapping() as changes):
                add(key, title, changes)
            case _:
                notes.append("A profile was not carried over, because it is not title, key, class, settings.")
    if not found:
        add("", "Notebook", {})
    return found


def _slice(key: str, title: str, wanted: Wish, notes: list[str]) -> Fields:
    title = "".join(c for c in title if c.isprintable()).strip()[:80].strip() or "Notebook"
    fields: dict[str, Value] = dict(wanted.fields)
    gres = str(fields.get("gres", ""))
    shared = gres.partition(":")[0] in {"shard", "mps"}
    if "partition" not in fields:
        notes.append("No partition is named: write the name of Slurm's default partition in place of main.")
    if "memory_mb" not in fields:
        notes.append(f'"{title}" names no memory, which a slice must: 4000 MB were written.')
    made: Fields = {
        "id": key,
        "title": title,
        "partition": fields.get("partition", "main"),
        "gres": fields.get("gres"),
        "isolation": "shared" if shared else "exclusive" if gres else "none",
        "cores": _within(fields, "cores", 1, 1024, 1, notes),
        "memory_mb": _within(fields, "memory_mb", 128, 16 * 1024 * 1024, 4000, notes),
        **{name: fields.get(name) for name in FOR_A_SLICE[1:]},
        "max_hours": _within(fields, "hours", 0, 24 * 30, None, notes),
    }
    return {name: value for name, value in made.items() if value is not None}


def _within(
    fields: Mapping[str, Any], name: str, least: int, most: int, default: int | None, notes: list[str]
) -> Any:
    value = fields.get(name, default)
    if value is None:
        return None
    if not least <= value <= most:
        notes.append(
            f"{name} = {value} is beyond what a slice may have, {least} to {most}: the limit was written."
        )
    return min(max(value, least), most)


def _free_id(title: str, used: set[str]) -> str:
    word = re.sub(r"[^a-z0-9.]+", "-", title.lower()).strip("-.")[:36].strip("-.") or "slice"
    free = next(name for name in (word, *(f"{word}-{n}" for n in range(2, 999))) if name not in used)
    used.add(free)
    return free


def _python(settings: Settings, notes: list[str]) -> str:
    """The Python beside the command that started servers, or where the prologue's environment is."""
    prologue = str(settings.get("req_prologue") or "")
    activated = re.search(r"(?:source|\.)\s+(/[^\s;&|\"']+)/activate\b", prologue)
    command = settings.get("cmd")
    command = command[0] if isinstance(command, (list, tuple)) and command else command
    wrapper = settings.get("batchspawner_singleuser_cmd")
    folders = [
        activated[1] if activated else "",
        *(str(PurePosixPath(str(c)).parent) for c in (command, wrapper)),
    ]
    for folder in folders:
        try:
            found = _PYTHON.validate_python(f"{folder}/python" if folder else "")
        except ValidationError:
            continue
        notes.append(f"{found} is taken as the environment: it must have skiva[notebook] and belong to root.")
        return str(found)
    notes.append("No environment was found: write the path of its Python, the same on every node.")
    return "/opt/skiva/base/bin/python"


def _hub(hub: Settings, notes: list[str]) -> Fields:
    base = f"/{str(hub.get('base_url') or '').strip('/')}/hub/api".replace("//", "/")
    scheme = "https" if hub.get("internal_ssl") else "http"
    host = next((str(hub[k]) for k in ("hub_connect_ip", "hub_ip") if _is_host(hub.get(k))), "")
    url = str(hub.get("hub_connect_url") or "")
    if not url and host:
        url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{hub.get('hub_port') or 8081}"
    try:
        parts = urlsplit(url)
        if (
            parts.scheme in {"http", "https"}
            and parts.hostname
            and parts.port != 0
            and not re.search(r"\s", url)
        ):
            made = urlunsplit((parts.scheme, parts.netloc, base, "", ""))
            local = parts.hostname in {"127.0.0.1", "localhost", "::1"}
            if parts.scheme == "https" or local:
                return {"api_url": made}
            notes.append("Nodes reach the hub by plain http: better give it a certificate and write https.")
            return {"api_url": made, "plain_http": True}
    except ValueError:
        pass
    notes.append("No address was found by which nodes reach the hub: write it as hub.api_url.")
    return {"api_url": f"https://hub.example.org{base}"}


def _is_host(value: object) -> bool:
    return (
        isinstance(value, str)
        and re.fullmatch(r"[A-Za-z0-9.:-]+", value) is not None
        and value
        not in {
            "0.0.0.0",  # noqa: S104 - the ones that name no machine
            "::",
        }
    )
