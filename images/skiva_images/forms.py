"""The forms `oci` and `sif` in the store: built, tried out and kept like an env."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from skiva_images.definition import Definition
from skiva_images.env_form import build_env
from skiva_images.errors import BuildError
from skiva_images.launch import Launch, command_line
from skiva_images.locks import sha256_of
from skiva_images.oci_form import build_oci, recipe_files
from skiva_images.plan import Locks, Options, find_wheel, settle_locks
from skiva_images.record import Form, ImageRecord
from skiva_images.rootfs import PACKAGES, PYTHON_VERSION, SUITE
from skiva_images.say import Say, human_size, step
from skiva_images.sif_form import build_sif
from skiva_images.smoke import SmokeError, run_smoke, unprivileged
from skiva_images.store import Built, Store
from skiva_images.uv import find_uv

__all__ = ["build"]


def build(definition: Definition, form: Form, store: Store, options: Options, say: Say) -> tuple[Built, bool]:
    """This form of the environment, as the current version, and whether it had to be built.

    Raises `BuildError` where it cannot be built; the store is then as it was.
    """
    match form:
        case "env":
            return build_env(definition, store, options, say)
        case "oci":
            return _guarded(_build_oci, definition, store, options, say)
        case "sif":
            return _guarded(_build_sif, definition, store, options, say)


_Make = Callable[[Definition, Store, Options, Say], tuple[Built, bool]]


def _guarded(
    make: _Make, definition: Definition, store: Store, options: Options, say: Say
) -> tuple[Built, bool]:
    before = os.umask(0o022)
    try:
        return make(definition, store, options, say)
    except OSError as error:
        raise BuildError(
            f"{error.filename or store.root}: {error.strerror}; see that there is room."
        ) from error
    finally:
        os.umask(before)


def _build_oci(definition: Definition, store: Store, options: Options, say: Say) -> tuple[Built, bool]:
    wheel, uv = _wheel(definition, options), find_uv(options.uv)
    with store.locked(definition.name, lambda: say("Another build runs; waiting for it.")) as folder:
        locks = settle_locks(definition, uv, ("--python-version", PYTHON_VERSION), folder, options, say)
        recipe = _recipe(definition, locks, wheel)
        if not options.force and (found := _there(definition, "oci", store, recipe, say)):
            return found, False
        with store.work(definition.name, "oci") as place:
            place.rmdir()  # the builder makes it
            cache = store.root / ".cache"
            record = build_oci(definition, locks, wheel, place, say, uv=Path(uv), cache=cache, recipe=recipe)
            _try(definition, record, place / "rootfs", say)
            return _keep(store, place, record, say)


def _build_sif(definition: Definition, store: Store, options: Options, say: Say) -> tuple[Built, bool]:
    made, _ = _build_oci(definition, store, options, say)
    recipe = made.record().recipe
    with store.locked(definition.name, lambda: say("Another build runs; waiting for it.")):
        if not options.force and (found := _there(definition, "sif", store, recipe, say)):
            return found, False
        with store.work(definition.name, "sif") as place:
            file = place / "image.sif"
            with step(say, "Packing the single file"):
                record = build_sif(made.path, file, say)
            _try(definition, record, file, say)
            return _keep(store, place, record, say)


def _wheel(definition: Definition, options: Options) -> Path | None:
    if not definition.label.skiva:
        return None
    wheel = Path(find_wheel(options.wheel))
    if not wheel.is_absolute():
        raise BuildError("An image is built with Skiva's wheel; name it with --wheel ('pip download skiva').")
    return wheel


def _recipe(definition: Definition, locks: Locks, wheel: Path | None) -> str:
    """A hash over all that goes into an image, known before it is built, but for Debian's own changes."""
    said = [definition.name, SUITE, *PACKAGES, locks.main, locks.extra]
    found = hashlib.sha256(" ".join(said).encode())
    own = [definition.folder / "image.toml", definition.smoke, *recipe_files()]
    for file in [*own, *([wheel] if wheel else [])]:
        found.update(bytes.fromhex(sha256_of(file)))
    return found.hexdigest()


def _there(definition: Definition, form: Form, store: Store, recipe: str, say: Say) -> Built | None:
    for built in reversed(store.versions(definition.name)):
        if built.form == form and built.record().recipe == recipe:
            say(f"{definition.name} is up to date as {form}: {built.version}.")
            store.switch(built)
            return built._replace(current=True)
    return None


def _try(definition: Definition, record: ImageRecord, image: Path, say: Say) -> None:
    if not _may_enter():
        say("It is not tried out: this machine lets nobody enter images (no user namespaces).")
        return
    launch = Launch(launcher="namespace", python=record.python, image=str(image))
    with step(say, "Trying it out"):
        try:
            run_smoke(command_line(launch, []), definition.smoke)
        except SmokeError as error:
            raise BuildError(f"{definition.name} was built and does not work: {error}") from error


def _may_enter() -> bool:
    if not shutil.which("unshare"):
        return False
    command = ["unshare", "--user", "--map-root-user", "--mount", "true"]
    return (
        subprocess.run(command, capture_output=True, check=False, cwd="/", **unprivileged()).returncode == 0
    )


def _keep(store: Store, place: Path, record: ImageRecord, say: Say) -> tuple[Built, bool]:
    built = store.keep(place, record)
    store.switch(built)
    say(f"{built.name} {built.version} is there: {human_size(record.size)}, {record.digest}.")
    return built._replace(current=True), True
