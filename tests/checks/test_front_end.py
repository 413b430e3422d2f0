"""The browser's side, looked at by its own tools: ESLint, Prettier and node's test runner."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAB = Path("extensions/labextension")
HUB_PAGES = Path("hub_config/skiva_hub/static")
FROM_PACKAGES = shutil.ignore_patterns("node_modules", "lib", ".stryker-tmp", "reports")

pytestmark = pytest.mark.skipif(
    "SKIVA_TEST_DIR" not in os.environ, reason="needs Node.js: start the tests with ./skiva test"
)


def npm(folder: Path, *argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run npm as it comes with what builds the wheel: the machine needs no Node.js of its own."""
    path = f"{os.environ['SKIVA_TEST_DIR']}/venv/boot/bin{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["npm", *argv],
        cwd=folder,
        env=os.environ | {"PATH": path} | env,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def packages() -> Path:
    """Install what the lock names, once for each lock; returns the folder `node_modules`."""
    state_dir = Path(os.environ["SKIVA_TEST_DIR"])
    lock = (ROOT / LAB / "package-lock.json").read_bytes()
    kept = state_dir / f"front-end-{hashlib.sha256(lock).hexdigest()[:16]}"
    with (state_dir / ".front-end.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not kept.is_dir():
            for old in state_dir.glob("front-end-*"):
                shutil.rmtree(old)
            work = state_dir / "front-end-new"
            work.mkdir()
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(ROOT / LAB / name, work)
            done = npm(work, "ci", "--include=dev", "--prefer-offline")
            assert done.returncode == 0, done.stdout + done.stderr
            work.rename(kept)
    return kept / "node_modules"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the sources beside their packages, so that the checkout may be read-only and stays as it is."""
    copy = tmp_path_factory.mktemp("front-end")
    for folder in (LAB, HUB_PAGES):
        shutil.copytree(ROOT / folder, copy / folder, ignore=FROM_PACKAGES)
    (copy / LAB / "node_modules").symlink_to(packages())
    return copy / LAB


def said(done: subprocess.CompletedProcess[str]) -> None:
    """Fail with what a tool complains about."""
    if done.returncode:
        pytest.fail(f"{done.stdout}{done.stderr}", pytrace=False)


def test_typescript_is_in_eslints_rules(lab: Path) -> None:
    """ESLint finds nothing in the extension, with the types known, nor in the scripts of the hub's pages."""
    said(npm(lab, "run", "lint"))


def test_typescript_is_laid_out_by_prettier(lab: Path) -> None:
    """Nobody discusses where a line breaks."""
    said(npm(lab, "run", "format:check"))


def test_typescript_behaves(lab: Path, tmp_path: Path) -> None:
    """Every test of every file passes, and none of them was left out."""
    report = tmp_path / "report.xml"
    options = f"--test-reporter=junit --test-reporter-destination={report}"
    done = npm(lab, "test", NODE_OPTIONS=options)
    cases = list(ET.parse(report).iter("testcase"))  # noqa: S314 - written by node a moment ago
    failed = [ET.tostring(case, encoding="unicode") for case in cases if list(case)]
    assert failed == [], "\n".join(failed)
    assert done.returncode == 0, done.stdout + done.stderr
    ran = {Path(case.attrib["file"]).name for case in cases}
    assert ran == {path.name for path in (ROOT / LAB / "test").glob("*.test.mjs")} != set()
