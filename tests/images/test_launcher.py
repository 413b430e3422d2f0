"""Programs in an image: signals reach them, nothing outlives them, what is wrong is one sentence."""

import os
import pwd
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.support.images import Images, enter
from tests.support.waiting import wait_until

FORMS = ("directory", "file")
_WAIT = """
import pathlib, signal, sys, time
told = pathlib.Path(sys.argv[1])
def note(number, frame):
    with told.open("a") as file:
        file.write(signal.Signals(number).name + "\\n")
    if number == signal.SIGTERM:
        sys.exit(7)
for number in (signal.SIGUSR1, signal.SIGTERM):
    signal.signal(number, note)
told.write_text("ready\\n")
while True:
    time.sleep(0.1)
"""


@pytest.fixture(params=FORMS)
def image(request: pytest.FixtureRequest, images: Images) -> Path:
    """Either form of the image."""
    return images.rootfs if request.param == "directory" else images.sif.path


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(cluster: Any) -> Run:
    """`run(image, command)`: as researcher1, without a job."""

    def entered(image: Path, command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        binds = options.pop("binds", ())
        done: subprocess.CompletedProcess[str] = cluster.run_as(
            "researcher1", enter(image, command, binds), timeout=60, **options
        )
        return done

    return entered


def _traces(image: Path) -> list[str]:
    """Processes that serve an image file or are in an image's namespace."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(image).encode() in (entry / "cmdline").read_bytes():
                found.append((entry / "cmdline").read_text())
            if " overlay skiva " in (entry / "mountinfo").read_text():
                found.append(f"{entry.name} is in an image")
    return found


def _files_of(home: Path) -> set[Path]:
    """What home's owner has where all may write."""
    owner, found = home.stat().st_uid, set()
    for folder in map(Path, ("/tmp", "/var/tmp", "/dev/shm", "/run")):  # noqa: S108
        for path in folder.iterdir():
            with suppress(OSError):
                if path.lstat().st_uid == owner:
                    found.add(path)
    return found


def _start(image: Path, command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
    person = pwd.getpwnam("researcher1")
    return subprocess.Popen(
        enter(image, command),
        user=person.pw_uid,
        group=person.pw_gid,
        extra_groups=[],
        cwd=person.pw_dir,
        env={"PATH": "/usr/bin:/bin", "HOME": person.pw_dir},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **options,
    )


def test_the_persons_files_are_there_and_their_own(run: Run, image: Path, home: Path) -> None:
    """Home, /tmp and the working directory are the node's; what is made inside is the person's outside."""
    (home / "project").mkdir()
    shutil.chown(home / "project", "researcher1", "researcher1")
    (home / "project" / "data.txt").write_text("mine")
    script = "cat data.txt; pwd; whoami; echo $HOME; echo new >new.txt"
    script += "; test -w /tmp -a -w /var/tmp && echo writable"
    done = run(image, ["/bin/sh", "-c", f"cd project && {script}"])
    person = pwd.getpwnam("researcher1")
    expected = ["mine" + str(home / "project"), "researcher1", str(home), "writable"]
    assert done.stdout.splitlines() == expected, done.stderr
    assert (home / "project/new.txt").stat().st_uid == person.pw_uid


def test_slurm_answers_inside(run: Run, image: Path, cluster: Any) -> None:
    """Slurm's commands of the image speak to the cluster with the person's name."""
    binds = [cluster.dir / "slurm", Path(f"{cluster.dir}/munge")]
    done = run(image, ["/usr/bin/sinfo", "--noheader", "--format=%P"], binds=binds)
    assert "slices" in done.stdout, done.stderr


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_slurms_signals_reach_the_program(
    cluster: Any, images: Images, home: Path, number: signal.Signals
) -> None:
    """What `scancel --batch --signal` sends arrives at the program itself; afterwards nothing is left."""
    told = home / "told"
    image = images.sif.path
    script = f"exec {shlex.join(enter(image, ['/opt/skiva/bin/python', '-c', _WAIT, str(told)]))}"
    job = cluster.submit("researcher1", "--partition=cpu", "--mem=300", f"--output={home}/log", script=script)
    try:
        wait_until(lambda: told.exists() and told.read_text(), 60, (home / "log").read_text)
        cluster.run_as("researcher1", ["/usr/bin/scancel", "--batch", f"--signal={number.name}", str(job)])
        wait_until(lambda: number.name in told.read_text(), 20, "the signal")
    finally:
        cluster.run_as("root", ["/usr/bin/scancel", str(job)])
    cluster.wait_state(job, "CANCELLED", "FAILED", seconds=60)
    wait_until(lambda: not _traces(image), 20, lambda: str(_traces(image)))


def test_killing_the_program_leaves_nothing(image: Path, home: Path) -> None:
    """A program that cannot tidy up leaves no process, no mount and no file outside the person's own."""
    before = _files_of(home)
    told = home / "told"
    process = _start(image, ["/opt/skiva/bin/python", "-c", _WAIT, str(told)])
    try:
        wait_until(told.exists, 30, "it runs")
        assert _traces(image)
        assert "overlay skiva" not in Path("/proc/self/mountinfo").read_text()
    finally:
        process.kill()
        process.communicate()
    wait_until(lambda: not _traces(image), 20, lambda: str(_traces(image)))
    assert _files_of(home) == before


def test_an_image_can_be_replaced_while_programs_run(images: Images, cluster: Any, home: Path) -> None:
    """A switch to another version, even the removal of the old one, changes nothing for who is inside."""
    old, link = cluster.dir / "old.sif", cluster.dir / "current.sif"
    shutil.copy(images.sif.path, old)
    old.chmod(0o444)
    link.symlink_to(old)
    script = (
        "import sys; print('in', flush=True); input(); import jupyterlab, decimal; print(jupyterlab.__name__)"
    )
    process = _start(link, ["/opt/skiva/bin/python", "-Ic", script], stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "in\n"
    link.unlink()
    link.symlink_to(images.sif.path)
    old.unlink()
    printed, _ = process.communicate("go on\n", timeout=60)
    assert printed == "jupyterlab\n"
    link.unlink()


def test_many_enter_at_once(image: Path) -> None:
    """A dozen programs of one person on one node do not meet."""
    processes = [_start(image, ["/bin/sh", "-c", f"sleep 0.2; echo {n}"]) for n in range(12)]
    assert [process.communicate(timeout=60)[0] for process in processes] == [f"{n}\n" for n in range(12)]


def test_a_home_with_a_space(image: Path, home: Path) -> None:
    """Whatever the home is called; also where the person stands in a directory that is not inside."""
    place = home / "a b: c"
    place.mkdir()
    shutil.chown(place, "researcher1")
    script = "import os, pathlib; pathlib.Path('~/x').expanduser().touch(); print(os.getcwd())"
    argv = ["/usr/bin/env", "--chdir=/usr/share", *enter(image, ["/opt/skiva/bin/python", "-Ic", script])]
    person = pwd.getpwnam("researcher1")
    done = subprocess.run(
        argv,
        user=person.pw_uid,
        group=person.pw_gid,
        extra_groups=[],
        env={"PATH": "/usr/bin:/bin", "HOME": str(place)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout.strip(), done.stderr) == ("/usr/share", "")
    assert (place / "x").exists()


_PRIVATELY = """
set -e
mount -t tmpfs none "$1"
mknod "$1/fuse" c 10 229
chmod 600 "$1/fuse"
[ "$2" != fuse ] || mount --bind "$1/fuse" /dev/fuse
if [ "$2" = full ]; then
    mount -t tmpfs -o size=64k none /tmp
    head -c 1M /dev/zero >/tmp/ballast 2>/dev/null || :
fi
shift 2
exec "$@"
"""


@pytest.fixture
def privately(tmp_path: Path) -> Run:
    """`privately("full", argv)`: as researcher1 where /tmp is full, or (`"fuse"`) /dev/fuse is closed."""

    def entered(trouble: str, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        person = pwd.getpwnam("researcher1")
        switch = [f"--reuid={person.pw_uid}", f"--regid={person.pw_gid}", "--clear-groups"]
        outer = ["unshare", "--mount", "sh", "-c", _PRIVATELY, "sh", str(tmp_path), trouble]
        return subprocess.run(
            [*outer, "setpriv", *switch, "--", *argv],
            cwd=person.pw_dir,
            env={"PATH": "/usr/sbin:/usr/bin:/bin", "HOME": person.pw_dir},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return entered


def test_a_full_tmp_keeps_nobody_out(privately: Any, image: Path) -> None:
    """Entering an image needs no room on the node."""
    done = privately("full", enter(image, ["/bin/bash", "-c", "echo in; echo >/tmp/x || echo full"]))
    assert done.stdout == "in\nfull\n"


def _sentence(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 66
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("skiva: ")
    return lines[0].removeprefix("skiva: ")


def test_a_closed_fuse_is_said(privately: Any, images: Images) -> None:
    """A node where an image file cannot be opened names the device and the mode."""
    told = _sentence(privately("fuse", enter(images.sif.path, ["/bin/true"])))
    assert told.startswith("/dev/fuse of ")
    assert "mode 0666" in told


def test_a_missing_image_is_said(run: Run) -> None:
    """An image that is not on the node."""
    assert _sentence(run(Path("/nowhere/x.sif"), ["/bin/true"])).startswith(
        "The image /nowhere/x.sif is not on "
    )


@pytest.mark.parametrize("damage", ["empty", "noise", "truncated"])
def test_a_damaged_image_is_said(run: Run, images: Images, cluster: Any, damage: str) -> None:
    """A file that is no image, or is only the beginning of one."""
    file = cluster.dir / f"{damage}.sif"
    content = images.sif.path.read_bytes()
    file.write_bytes(
        {"empty": b"", "noise": os.urandom(1 << 20), "truncated": content[: len(content) // 2]}[damage]
    )
    file.chmod(0o644)
    told = _sentence(run(file, ["/bin/true"]))
    assert told.startswith(f"The image {file} is damaged or cannot be read on ")
    file.unlink()


def test_a_program_that_is_not_in_the_image_is_said(run: Run, image: Path) -> None:
    """A site file whose `python` is wrong."""
    assert _sentence(run(image, ["/opt/other/bin/python"])).endswith(" has no /opt/other/bin/python.")


def test_a_missing_bind_is_said(run: Run, image: Path) -> None:
    """A path of the site file's that this node lacks."""
    told = _sentence(run(image, ["/bin/true"], binds=[Path("/project/gone")]))
    assert told.startswith("/project/gone, which this environment is to have, is not on ")


def test_a_missing_home_is_said(run: Run, image: Path) -> None:
    """A node without the person's home."""
    done = run(image, ["/bin/true"], env={"HOME": "/home/gone"})
    assert _sentence(done).startswith("The home directory /home/gone is not on ")
