"""An environment as an OCI image, built by buildah, and unpacked for the namespace launcher."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from skiva_images.definition import Definition
from skiva_images.describe import describe
from skiva_images.errors import BuildError
from skiva_images.locks import pinned
from skiva_images.plan import Locks
from skiva_images.record import FILE, ImageRecord
from skiva_images.rootfs import base_tar, missing_tools, run
from skiva_images.say import Say

__all__ = ["PREFIX", "build_oci", "recipe_files"]

PREFIX = "/opt/skiva"
"""Where the environment is in every image."""
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_NOT_FOR_THE_BUILD = (
    "UV_CACHE_DIR",
    "UV_CONFIG_FILE",
    "UV_PYTHON",
    "UV_PROJECT",
    "UV_TOOL",
    "UV_WORKING",
    "UV_SYSTEM_PYTHON",
)
_SECRETS = "/run/build"
_ARCHIVES = f"{_SECRETS}/archives"


def build_oci(
    definition: Definition,
    locks: Locks,
    wheel: Path | None,
    target: Path,
    say: Say,
    *,
    uv: Path,
    cache: Path,
    recipe: str = "",
) -> ImageRecord:
    """Build `definition` into the new folder `target`: `image.tar`, `rootfs/` and `image.json`.

    Args:
        locks: what is installed.
        wheel: Skiva's; none where the definition does without.
        uv: the program.
        cache: a folder for what the next build can use again.
        recipe: what identifies all that went into the build.

    Raises:
        BuildError: with one sentence for whoever builds.
    """
    if os.geteuid() != 0:
        raise BuildError("Only root can build an image here: its files belong to several accounts.")
    missing_tools({"buildah": "buildah"})
    base = base_tar(cache, say)
    target.mkdir(mode=0o755)
    log = target / "build.log"
    with _storage(target) as buildah:
        run([*buildah, "from", "--name=base", "scratch"], log=log, what="Beginning the base")
        run([*buildah, "add", "base", str(base), "/"], log=log, what="Unpacking the base")
        run([*buildah, "commit", "--quiet", "--rm", "base", "skiva-base"], log=log, what="Keeping the base")
        count = len(pinned(locks.main + locks.extra))
        say(f"{count} packages by the lock of {definition.name}, into {PREFIX}.")
        context = _context(definition, locks, wheel, uv, target / "context")
        downloads = run([str(uv), "cache", "dir"], log=log, what="Finding uv's cache").strip()
        Path(downloads).mkdir(parents=True, exist_ok=True)
        argv = [
            *buildah,
            "bud",
            *_options(definition, context),
            f"--volume={downloads}:{_SECRETS}/cache",
            *(f"--volume={folder}:{_ARCHIVES}:ro" for folder in _local_archives(locks)),
            str(context),
        ]
        run(argv, log=log, what=f"Installing {definition.name}")
        shutil.rmtree(context)
        return _take_out(buildah, definition, locks, target, recipe, say)


def recipe_files() -> list[Path]:
    """The files, besides a definition and the wheel, that say how an image is made."""
    return [_file(name) for name in ("Containerfile", "install.sh", "entry.sh")]


def _file(name: str) -> Path:
    """A file of the build: beside this package in a checkout, else installed with it."""
    places = (Path(__file__).resolve().parents[1], Path(sys.prefix) / "share" / "skiva" / "images")
    for place in places:
        if (place / name).is_file():
            return place / name
    raise BuildError(f"The file {name} of Skiva's images is not installed here.")


def _local_archives(locks: Locks) -> list[str]:
    """The directory that the second lock's archives are in, where it is not an index."""
    return [text for text in locks.source if text.startswith("/")]


def _source_inside(locks: Locks) -> list[str]:
    local = _local_archives(locks)
    return [_ARCHIVES if text in local else text for text in locks.source]


@contextmanager
def _storage(target: Path) -> Iterator[list[str]]:
    """buildah with a storage of its own, so that nothing of a build is left on the machine."""
    place = target / "storage"
    options = [f"--root={place}/root", f"--runroot={place}/run", "--storage-driver=overlay"]
    buildah = ["buildah", *options]
    try:
        yield buildah
    finally:
        subprocess.run([*buildah, "umount", "--all"], capture_output=True, check=False)
        subprocess.run(["umount", f"{place}/root/overlay"], capture_output=True, check=False)
        shutil.rmtree(place, ignore_errors=True)


def _context(definition: Definition, locks: Locks, wheel: Path | None, uv: Path, context: Path) -> Path:
    """The folder that the build sees."""
    build, secrets = context / "build", context / "secrets"
    for folder in (build / "definition", build / "wheel", secrets):
        folder.mkdir(parents=True)
    for file in recipe_files():
        shutil.copy(file, build if file.name == "install.sh" else context)
    (build / "definition" / "requirements.txt").write_text(locks.main)
    (build / "definition" / "extra.txt").write_text(locks.extra)
    (build / "definition" / "source").write_text("\n".join(_source_inside(locks)))
    if wheel is not None and definition.label.skiva:
        shutil.copy(wheel, build / "wheel")
    shutil.copy(uv, build / "uv")
    (context / ".containerignore").write_text("secrets\n")
    secrets.chmod(0o700)
    (secrets / "settings").write_text(_settings(os.environ))
    for name, source in _secret_files(os.environ).items():
        shutil.copy(source, secrets / name) if source else (secrets / name).touch()
    return context


def _settings(env: Mapping[str, str]) -> str:
    """A script with what says here where packages come from; it is given to one step of the build."""
    chosen = {
        name: value
        for name, value in env.items()
        if name.upper() in _PROXIES or (name.startswith("UV_") and not name.startswith(_NOT_FOR_THE_BUILD))
    }
    chosen |= {"UV_CONFIG_FILE": f"{_SECRETS}/uv.toml", "NETRC": f"{_SECRETS}/netrc"}
    chosen |= {
        "SSL_CERT_FILE": f"{_SECRETS}/certificates",
        "UV_SYSTEM_CERTS": "true",
        "UV_CACHE_DIR": f"{_SECRETS}/cache",
    }
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(chosen.items()))


def _secret_files(env: Mapping[str, str]) -> dict[str, Path | None]:
    """This machine's files for the build, by the secret's name; None where it has none."""
    home = Path(env.get("HOME", "/root"))
    places = {
        "certificates": (env.get("SSL_CERT_FILE", ""), _CERTIFICATES),
        "uv": (
            env.get("UV_CONFIG_FILE", ""),
            str(Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "uv" / "uv.toml"),
            "/etc/uv/uv.toml",
        ),
        "netrc": (env.get("NETRC", ""), str(home / ".netrc")),
    }
    return {
        name: next((Path(place) for place in candidates if place and Path(place).is_file()), None)
        for name, candidates in places.items()
    }


def _options(definition: Definition, context: Path) -> list[str]:
    names = ("settings", "certificates", "uv", "netrc")
    label = definition.label
    said = {
        "NAME": definition.name,
        "TITLE": label.title,
        "DESCRIPTION": label.description,
        "BASE": "skiva-base",
    }
    return [
        "--isolation=chroot",
        "--pull-never",
        "--layers=false",
        "--format=oci",
        "--http-proxy=false",
        *(f"--secret=id={name},src={context}/secrets/{name}" for name in names),
        *(f"--build-arg={name}={value}" for name, value in said.items()),
        f"--file={context}/Containerfile",
        "--tag=skiva-image",
    ]


def _take_out(
    buildah: Sequence[str], definition: Definition, locks: Locks, target: Path, recipe: str, say: Say
) -> ImageRecord:
    """From buildah's storage into `target`, with the record."""
    log = target / "build.log"
    run([*buildah, "from", "--name=image", "--pull-never", "skiva-image"], log=log, what="Opening the image")
    mounted = Path(run([*buildah, "mount", "image"], log=log, what="Opening the image").strip())
    shutil.rmtree(mounted / _SECRETS.lstrip("/"), ignore_errors=True)  # where they were mounted
    record = describe(
        mounted / PREFIX.lstrip("/"),
        name=definition.name,
        label=definition.label,
        form="oci",
        python=f"{PREFIX}/bin/python",
        hashes=locks.hashes,
        recipe=recipe,
        root=mounted,
    )
    (mounted / PREFIX.lstrip("/") / FILE).write_text(record.text())
    say("Unpacking it for the namespace launcher.")
    run(
        ["cp", "-a", "--reflink=auto", f"{mounted}/.", str(target / "rootfs")],
        log=log,
        what="Unpacking the image",
    )
    say("Packing it as an OCI archive.")
    noted = {
        "org.opencontainers.image.created": record.built,
        "org.opencontainers.image.version": record.skiva,
    }
    noted["io.skiva.digest"] = record.digest
    labels = [f"--label={name}={value}" for name, value in noted.items() if value]
    run([*buildah, "config", *labels, "image"], log=log, what="Labelling the image")
    archive = f"oci-archive:{target}/image.tar:{definition.name}"
    run(
        [*buildah, "commit", "--quiet", "--rm", "--format=oci", "image", archive],
        log=log,
        what="Packing the image",
    )
    (target / FILE).write_text(record.text())
    log.unlink()
    return record
