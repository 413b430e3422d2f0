"""The form `env`: a directory of the machine, installed by uv from a lock, compiled, read-only."""

import os
import subprocess
from pathlib import Path

from skiva_images.definition import Definition
from skiva_images.describe import describe, disk_use
from skiva_images.errors import BuildError
from skiva_images.locks import blocks
from skiva_images.plan import Options, Plan, make_plan
from skiva_images.record import FILE, ImageRecord
from skiva_images.say import Say, human_size, step
from skiva_images.smoke import SmokeError, run_smoke
from skiva_images.store import Built, Store, make_read_only, version_name
from skiva_images.uv import run_uv

__all__ = ["build_env", "compile_byte_code"]


def build_env(definition: Definition, store: Store, options: Options, say: Say) -> tuple[Built, bool]:
    """The environment, as the current version of its form, and whether it had to be built.

    Raises `BuildError` where it cannot be built; the store is then as it was.
    """
    before = os.umask(0o022)
    try:
        store.root.mkdir(mode=0o755, parents=True, exist_ok=True)
        plan = make_plan(definition, store.root, options, say)
        waiting = f"Another build of {definition.name} runs; waiting for it."
        with store.locked(definition.name, lambda: say(waiting)):
            if not options.force and (found := _there(definition, store, plan)):
                say(f"{definition.name} is up to date: {found.version} has {found.record().digest}.")
                store.switch(found)
                return found._replace(current=True), False
            return _build(definition, store, plan, say)
    except OSError as error:
        what = f"{error.filename or store.root}: {error.strerror}."
        raise BuildError(f"{what} See that there is room, and who may write there.") from error
    finally:
        os.umask(before)


def _there(definition: Definition, store: Store, plan: Plan) -> Built | None:
    for built in reversed(store.versions(definition.name)):
        if built.form == "env" and built.record().recipe == plan.recipe:
            return built
    return None


def _build(definition: Definition, store: Store, plan: Plan, say: Say) -> tuple[Built, bool]:
    with store.work(definition.name, "env") as prefix:
        _install(prefix, plan, say)
        record = describe(
            prefix,
            name=definition.name,
            label=definition.label,
            form="env",
            python_version=plan.python_version,
            hashes=plan.locks.hashes,
            recipe=plan.recipe,
        )
        final = prefix.with_name(f"{version_name(record)}.env")
        with step(say, "Compiling byte code"):
            compile_byte_code(prefix, final)
        record = _finish(prefix, final, record, plan)
        with step(say, "Trying it out"):
            try:
                run_smoke([str(prefix / "bin" / "python")], definition.smoke)
            except SmokeError as error:
                raise BuildError(f"{definition.name} was installed and does not work: {error}") from error
        built = store.keep(prefix, record)
        store.switch(built)
    say(
        f"{definition.name} {built.version} is there: {len(record.packages)} packages, "
        f"{human_size(record.size)}, {record.digest}."
    )
    return built._replace(current=True), True


def _install(prefix: Path, plan: Plan, say: Say) -> None:
    def uv(*arguments: str) -> None:
        run_uv(plan.uv, arguments, say=say, folder=prefix.parent, places=(prefix.parent.parent, _cache()))

    # Relocatable, because it is renamed when it is done, and so that a node may have it elsewhere.
    uv("venv", "--no-project", "--relocatable", "--clear", "--python", plan.python, str(prefix))
    # Copied, because what shares its bytes with a cache is changed by whoever may write to the cache.
    into = ("--python", str(prefix), "--link-mode", "copy")
    locks, lock = plan.locks, prefix.with_name(f"{prefix.name}.lock")
    try:
        lock.write_text(locks.main)
        count = sum(1 for _ in blocks(locks.main))
        with step(say, f"Installing {count} packages"):
            uv("pip", "sync", *into, "--require-hashes", "--allow-empty-requirements", str(lock))
        if locks.extra:
            lock.write_text(locks.extra)
            with step(say, f"Installing {', '.join(locks.hashes)} for CPUs"):
                uv("pip", "install", *into, "--no-deps", "--require-hashes", *locks.source, "-r", str(lock))
    finally:
        lock.unlink(missing_ok=True)
    if plan.skiva:
        with step(say, f"Installing {Path(plan.skiva).name}"):
            uv("pip", "install", *into, "--no-deps", "--no-cache", plan.skiva)


def compile_byte_code(prefix: Path, final: Path) -> None:
    """Compile every module below `prefix`, which is going to be `final`.

    The byte code is never compared with its source again: a version never changes, and times do not survive
    every way of copying it. Raises `BuildError` where there is no room.
    """
    options = ["-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "-s", str(prefix), "-p", str(final)]
    command = [str(prefix / "bin" / "python"), "-I", "-m", "compileall", *options, str(prefix / "lib")]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if "No space left" in done.stdout + done.stderr:
        raise BuildError(
            f"There is no space left for byte code in {prefix.parent.parent}; make room, start again."
        )


def _finish(prefix: Path, final: Path, record: ImageRecord, plan: Plan) -> ImageRecord:
    (prefix / "requirements.txt").write_text(plan.locks.main + plan.locks.extra)
    size = disk_use(prefix)
    record = record.model_copy(update={"python": str(final / "bin" / "python"), "size": size})
    (prefix / FILE).write_text(record.text())
    make_read_only(prefix)
    return record


def _cache() -> Path:
    return Path(os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv")
