"""uv's failures, as it words them, become one sentence that names the package and says what to do."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva_images.errors import BuildError
from skiva_images.uv import environment, explain, find_uv

HASH = """error: Failed to download `idna==3.10`
  cause: Hash mismatch for `idna==3.10`

         Expected:
           sha256:00
"""
NO_NETWORK = """error: Request failed after 3 retries in 10.0s
  cause: Failed to fetch: http://127.0.0.1:9/simple/idna/
  cause: error sending request for url (http://127.0.0.1:9/simple/idna/)
  cause: Connection refused (os error 111)
"""
MISSING = """error: No solution found when resolving dependencies
  cause: Because there is no version of idna==99.10 and you require idna==99.10, we can conclude that your
"""
FULL = """error: Failed to install: babel-2.18.0-py3-none-any.whl (babel==2.18.0)
  cause: failed to copy file from /c/a.dat to /s/.tmpiSnkoO: No space left on device (os error 28)
"""


@pytest.mark.parametrize(
    ("text", "package", "cure"),
    [
        (HASH, "idna==3.10", "hash differs"),
        (NO_NETWORK, "idna", "UV_DEFAULT_INDEX"),
        (MISSING, "idna==99.10", "right index"),
        (FULL, "babel==2.18.0", "Make room in /store and /cache"),
        ("error: Failed to download `a==1`\n cause: HTTP status client error (403 Forbidden)", "a==1", "403"),
        ("error: Failed to build `old==1`\n cause: gcc", "old==1", "--python"),
    ],
)
def test_failure_is_one_sentence_with_package_and_cure(text: str, package: str, cure: str) -> None:
    """Nobody needs to read uv's chain of causes."""
    told = explain(text, (Path("/store"), Path("/cache")))
    assert package in told
    assert cure in told


@given(st.text(max_size=300))
def test_unknown_failure_keeps_uvs_words(text: str) -> None:
    """Whatever it says, there is a sentence, and not an endless one."""
    assert 0 < len(explain(text)) < 1200


def test_missing_uv_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How to get it is part of the sentence."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    monkeypatch.delenv("SKIVA_UV", raising=False)
    with pytest.raises(BuildError, match="pip install uv"):
        find_uv()
    with pytest.raises(BuildError, match="is not a program"):
        find_uv(str(tmp_path))


def test_uv_never_hears_of_another_python() -> None:
    """An active environment of whoever builds has no part in what is built."""
    own = {"VIRTUAL_ENV": "/x", "PYTHONPATH": "/y", "CONDA_PREFIX": "/z", "PIP_TARGET": "/t", "UV_INDEX": "i"}
    env = environment(own)
    assert own.keys() & env.keys() == {"UV_INDEX"}
