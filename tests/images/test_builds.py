"""Environments built for real by uv, from small packages that are made here and need no network."""

import contextlib
import importlib.util
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from tests.support import tiny_images

from skiva_images.check import check
from skiva_images.definition import load
from skiva_images.env_form import build_env
from skiva_images.errors import BuildError
from skiva_images.launch import Launch, command_line
from skiva_images.locks import sha256_of
from skiva_images.plan import Options
from skiva_images.store import Built, Store

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
CPU = tiny_images.LABEL + 'gpu = "helps"\n[cpu]\nreplace = ["heavy"]\nomit = ["cuda-*"]\nneeds = "Cores."\n'


@dataclass
class Workshop:
    """A place to build in: packages, definitions, a store.

    Attributes:
        top: readable by every account, as a store must be.
        said: what a person would have read.
    """

    top: Path
    said: list[str] = field(default_factory=list)

    @property
    def store(self) -> Store:
        """Where versions end up."""
        return Store(self.top / "store")

    @property
    def wheels(self) -> Path:
        """What uv finds packages in."""
        return self.top / "wheels"

    def lock(self, *packages: tuple[str, str]) -> str:
        """A lock of packages, which are made."""
        return "".join(tiny_images.lock_line(tiny_images.wheel(self.wheels, *each)) for each in packages)

    def define(self, lock: str, **more: str) -> Path:
        """The definition `tiny`, made anew."""
        return tiny_images.definition(self.top / "definitions" / "tiny", lock, **more)

    def build(self, folder: Path, **options: object) -> Built:
        """The version that is there afterwards."""
        chosen = Options.model_validate(options)
        return build_env(load(folder), self.store, chosen, self.said.append)[0]

    def refusal(self, folder: Path, **options: object) -> str:
        """Why it is not built; the store is as it was."""
        before = self.store.versions()
        with pytest.raises(BuildError) as told:
            self.build(folder, **options)
        assert self.store.versions() == before
        assert not list(self.store.root.glob("*/.new-*"))
        return str(told.value)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    """A workshop whose uv knows nothing but the packages made in it."""
    top = Path(tempfile.mkdtemp(prefix="skiva-builds-", dir="/var/tmp"))
    top.chmod(0o755)
    (top / "wheels").mkdir()
    monkeypatch.setenv("UV_FIND_LINKS", str(top / "wheels"))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(top / "cache"))
    yield Workshop(top)
    subprocess.run(["chmod", "-R", "u+w", top], check=True)
    shutil.rmtree(top)


def as_nobody(argv: Sequence[str | Path], **more: str) -> subprocess.CompletedProcess[str]:
    """Run something as an account without rights."""
    account = {"user": 65534, "group": 65534, "extra_groups": list[int]()} if os.geteuid() == 0 else {}
    return subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/", env=more, **account)  # type: ignore[call-overload,no-any-return]


def test_environment_is_read_only_and_everybodys_to_run(shop: Workshop) -> None:
    """Job accounts run it and cannot change it, not even its byte code, wherever a link leads them in."""
    built = shop.build(shop.define(shop.lock(("tiny", "1.0"))))
    python = built.path.with_name("current.env") / "bin/python"
    assert as_nobody([python, "-I", "-c", "import tiny; print(tiny.VERSION)"]).stdout == "1.0\n"
    files = [path for path in built.path.rglob("*") if not path.is_symlink()]
    assert [path for path in files if path.stat().st_mode & 0o222] == []
    assert as_nobody([built.path / "bin/tiny"]).stderr.startswith("Traceback")  # its script finds its Python
    record = built.record()
    assert (record.packages, record.form) == ({"tiny": "1.0"}, "env")
    assert record.python == str(built.path / "bin/python")
    assert record.digest[7:19] in built.version


def test_byte_code_needs_no_times(shop: Workshop) -> None:
    """A copy whose files all have another time still starts from byte code, without ever comparing."""
    built = shop.build(shop.define(shop.lock(("tiny", "1.0"))))
    (module,) = built.path.glob("lib/python3*/site-packages/tiny/__init__.py")
    compiled = Path(importlib.util.cache_from_source(str(module)))
    flags = struct.unpack("<I", compiled.read_bytes()[4:8])[0]
    assert flags == 0b01  # by hash, and never checked
    os.utime(module, (0, 0))
    traced = as_nobody([built.path / "bin/python", "-I", "-v", "-c", "import tiny"]).stderr
    assert f"matches {module}" in traced


def test_same_build_is_made_once(shop: Workshop) -> None:
    """The second time it says that it is there, whatever happened to the definition's times."""
    folder = shop.define(shop.lock(("tiny", "1.0")))
    first = shop.build(folder)
    os.utime(folder / "requirements.txt", (0, 0))
    assert shop.build(folder) == first
    assert "up to date" in shop.said[-1]
    assert len(shop.store.versions()) == 1
    other = shop.build(folder, force=True)
    assert other.record().digest == first.record().digest


def test_new_lock_is_a_new_version_and_the_old_one_stays(shop: Workshop) -> None:
    """What runs goes on with what it was started from; the way back is a link."""
    old = shop.build(shop.define(shop.lock(("tiny", "1.0"))))
    new = shop.build(shop.define(shop.lock(("tiny", "2.0"))))
    current = {built.version: built.current for built in shop.store.versions()}  # both of one second, perhaps
    assert current == {old.version: False, new.version: True}
    assert old.record().digest != new.record().digest
    program = "import tiny; print(tiny.VERSION)"
    assert as_nobody([old.path / "bin/python", "-I", "-c", program]).stdout == "1.0\n"
    again = shop.build(shop.define(shop.lock(("tiny", "1.0"))))
    assert again.version == old.version
    assert again.current


def test_program_keeps_the_version_that_it_was_started_from(shop: Workshop) -> None:
    """A session that imports a module late must not get it from the version that became current since."""
    built = shop.build(shop.define(shop.lock(("tiny", "1.0"))))
    python = built.path.with_name("current.env") / "bin/python"
    command = command_line(Launch(python=str(python)), ["-I", "-c", "import sys; print(sys.prefix)"])
    assert as_nobody(command, PATH="/usr/bin:/bin").stdout.strip() == str(built.path)
    gone = command_line(Launch(python=str(shop.top / "none/current.env/bin/python")), ["-V"])
    assert as_nobody(gone, PATH="/usr/bin:/bin").returncode


@pytest.mark.parametrize("moment", ["Installing", "Compiling", "Trying"])
def test_killed_build_leaves_nothing_that_looks_finished(shop: Workshop, moment: str) -> None:
    """At whatever step: what was current is current, nothing new is seen, and the next build clears up."""
    first = shop.build(shop.define(shop.lock(("tiny", "1.0"))))
    folder = shop.define(shop.lock(("tiny", "2.0")))
    command = [sys.executable, "-m", "skiva_images.command", "build", "tiny"]
    options = [f"--store={shop.store.root}", f"--definitions={folder.parent}"]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if moment in line:
                process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert list(shop.store.root.glob("tiny/.new-*"))
    assert shop.store.versions() == [first]
    second = shop.build(folder)
    assert {built.version for built in shop.store.versions()} == {first.version, second.version}
    assert not list(shop.store.root.glob("tiny/.new-*"))


def test_build_that_does_not_work_is_not_kept(shop: Workshop) -> None:
    """The smoke test's last words are told, and the current version stays."""
    shop.build(shop.define(shop.lock(("tiny", "1.0"))))
    told = shop.refusal(shop.define(shop.lock(("tiny", "2.0")), smoke="raise SystemExit('no luck today')"))
    assert "does not work" in told
    assert "no luck today" in told


@NEEDS_ROOT
def test_smoke_test_has_no_rights(shop: Workshop) -> None:
    """What is tried out runs as an account that owns nothing."""
    smoke = "import os, pathlib\nassert os.getuid() == 65534 and not os.getgroups()\n"
    smoke += "assert list(pathlib.Path.home().iterdir()) == []\n"
    shop.build(shop.define(shop.lock(("tiny", "1.0")), smoke=smoke))


def test_other_archive_than_the_locked_one_is_refused(shop: Workshop) -> None:
    """Whoever exchanges a package in the index is noticed, and the package is named."""
    file = tiny_images.wheel(shop.wheels, "tiny", "1.0")
    told = shop.refusal(shop.define(tiny_images.lock_line(file, sha256="0" * 64)))
    assert "tiny==1.0" in told
    assert "hash differs" in told


def test_missing_package_is_named(shop: Workshop) -> None:
    """So that one sees whether the index or the lock is wrong."""
    lock = shop.lock(("tiny", "1.0"))
    (shop.wheels / "tiny-1.0-py3-none-any.whl").unlink()
    assert "tiny==1.0" in shop.refusal(shop.define(lock))


def test_no_network_is_told(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to look at: the network, uv's index, the proxy."""
    monkeypatch.delenv("UV_NO_INDEX")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    lock = shop.lock(("tiny", "1.0"))
    (shop.wheels / "tiny-1.0-py3-none-any.whl").unlink()
    told = shop.refusal(shop.define(lock))
    assert "cannot be reached for tiny" in told
    assert "UV_DEFAULT_INDEX" in told


@NEEDS_ROOT
def test_full_disk_is_told_with_the_package(shop: Workshop) -> None:
    """And where to make room; nothing half is left."""
    file = tiny_images.wheel(shop.wheels, "tiny", "1.0", {"tiny/data": "x" * 3_000_000})
    folder = shop.define(tiny_images.lock_line(file))
    (shop.top / "store").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1M,mode=755", "tmpfs"]
    subprocess.run([*mount, shop.top / "store"], check=True)
    try:
        told = shop.refusal(folder)
    finally:
        subprocess.run(["umount", shop.top / "store"], check=True)
    assert "no space left while installing tiny==1.0" in told
    assert str(shop.top / "store") in told


def test_missing_uv_and_unusable_python_are_told(shop: Workshop) -> None:
    """Before anything is begun."""
    folder = shop.define(shop.lock(("tiny", "1.0")))
    assert "--uv" in shop.refusal(folder, uv="/nowhere/uv")
    for python in ("/bin/false", "3.99", "/nowhere/python"):
        assert "--python" in shop.refusal(folder, python=python)
    if os.geteuid() == 0:
        secret = shop.top / "secret"
        secret.mkdir(mode=0o700)
        shutil.copy(os.path.realpath(sys.executable), secret / "python3")
        assert "other accounts" in shop.refusal(folder, python=str(secret / "python3"))


@contextlib.contextmanager
def _index(folder: Path) -> Iterator[str]:
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/simple"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def _directory(folder: Path) -> Iterator[str]:
    yield str(folder / "simple" / "heavy")


@pytest.mark.parametrize("where", [_index, _directory])
def test_build_for_cpus_takes_its_archives_from_elsewhere(
    shop: Workshop, where: Callable[[Path], contextlib.AbstractContextManager[str]]
) -> None:
    """CUDA's packages stay away, and the record has the hash of what was installed instead."""
    lock = shop.lock(("tiny", "1.0"), ("heavy", "2.0"), ("cuda_runtime", "13.0"))
    archive = tiny_images.wheel(shop.top / "cpu/simple/heavy", "heavy", "2.0+cpu")
    link = f"{archive.name}#sha256={sha256_of(archive)}"
    (archive.parent / "index.html").write_text(f'<a href="{link}">{archive.name}</a>')
    folder = shop.define(lock, label=CPU)
    with where(shop.top / "cpu") as place:
        record = shop.build(folder, accelerator="cpu", cpu_wheels=place).record()
    assert record.packages == {"heavy": "2.0+cpu", "tiny": "1.0"}
    assert record.hashes == {"heavy": f"sha256:{sha256_of(archive)}"}
    assert (record.gpu, record.needs) == ("unused", "Cores.")
    cuda = shop.build(folder, accelerator="cuda").record()
    assert cuda.packages == {"cuda-runtime": "13.0", "heavy": "2.0", "tiny": "1.0"}
    assert (cuda.gpu, cuda.hashes) == ("helps", {})


def test_good_version_passes_every_check(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, closed to others, working."""
    built = shop.build(shop.define(shop.lock(("tiny", "1.0"))))
    monkeypatch.setenv("SKIVA_DEFINITIONS", str(shop.top / "definitions"))
    assert list(check(built)) == []


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        ("echo x >> {site}/tiny/__init__.py", "not what was installed"),
        ("rm {site}/tiny/__init__.py", "missing"),
        ("echo 'import os' > {site}/zz.pth", "came with no package: zz.pth"),
        ("chmod g+w {site}/tiny/__init__.py", "files that other accounts can change"),
        ("chmod o+w {prefix}", "can be changed by other accounts"),
        ("rm -rf {site}/tiny-1.0.dist-info", "is not what was built"),
        ("ln -sf /nowhere/python {prefix}/bin/python", "leads nowhere"),
        ("echo '{{' > {prefix}/image.json", "is not the record"),
    ],
)
def test_check_finds_harm(shop: Workshop, monkeypatch: pytest.MonkeyPatch, harm: str, says: str) -> None:
    """Whatever was changed since the build, and by what it can be changed."""
    built = shop.build(shop.define(shop.lock(("tiny", "1.0"))))
    monkeypatch.setenv("SKIVA_DEFINITIONS", str(shop.top / "definitions"))
    (site,) = built.path.glob("lib/python3*/site-packages")
    subprocess.run(["chmod", "-R", "u+w", built.path], check=True)
    subprocess.run(["sh", "-c", harm.format(site=site, prefix=built.path)], check=True)
    assert says in "\n".join(check(built))
