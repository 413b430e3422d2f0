"""Which variables of a kernel go along with its runs: chosen by name, so that no secret does by accident."""

import os
import re
from collections.abc import Iterable, Mapping

__all__ = ["for_slurm", "travelling"]

_ALONG = re.compile(
    r"PATH|LANG|LC_[A-Z]+|TZ|VIRTUAL_ENV|CONDA_(PREFIX|DEFAULT_ENV)|PIXI_[A-Z_]+|LD_LIBRARY_PATH"
    r"|(OMP|MKL|OPENBLAS|NUMEXPR|BLIS|VECLIB|NUMBA|KMP|GOMP)_[A-Z0-9_]+"
    r"|(CUDA|NCCL|UCX|RMM|CUPY|XLA|JAX|TF|TORCH|PYTORCH|TRITON|KERAS|DASK|RAY)_[A-Z0-9_]+"
    r"|HF_(HOME|DATASETS_CACHE|HUB_CACHE|HUB_OFFLINE)|TRANSFORMERS_(CACHE|OFFLINE)|MPLBACKEND|MPLCONFIGDIR"
    r"|XDG_(CACHE|CONFIG|DATA)_HOME|SCRATCH|WORK|PROJECT|DATA|TMPDIR"
    r"|MODULEPATH|LOADEDMODULES|_LMFILES_|LMOD_[A-Z_]+|(http|https|no)_proxy|(HTTP|HTTPS|NO)_PROXY"
    r"|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|PYTHON(HASHSEED|WARNINGS)"
)
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|PRIVATE", re.IGNORECASE)
# Slurm decides in the job which devices and how many cores there are; no session leads to pages on its node.
_JOBS_OWN = frozenset(
    {"CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "DASK_DISTRIBUTED__DASHBOARD__LINK", "TMPDIR"}
)
_SLURM = re.compile(r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_[A-Z]+|TZ|SLURM_CONF")


def travelling(
    environ: Mapping[str, str],
    wanted: Mapping[str, str] | Iterable[str] | None = None,
    sites: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The variables that a run starts with: the usual harmless ones, and those that its owner names.

    Args:
        sites: what the site sets in the environment; what became of it here goes along.

    Raises:
        ValueError: a variable that was named is not set, or cannot be.
    """
    found = {
        name: value
        for name, value in environ.items()
        if _ALONG.fullmatch(name) and name not in _JOBS_OWN and not _SECRET.search(name)
    }
    found |= {name: environ.get(name, value) for name, value in (sites or {}).items()}
    found["PYTHONUNBUFFERED"] = "1"
    return found | _named(environ, wanted)


def _named(environ: Mapping[str, str], wanted: Mapping[str, str] | Iterable[str] | None) -> dict[str, str]:
    if isinstance(wanted, Mapping):
        named = {str(name): str(value) for name, value in wanted.items()}
    else:
        names = [wanted] if isinstance(wanted, str) else list(wanted or ())
        for name in names:
            if name not in environ:
                raise ValueError(
                    f"env: {name!r:.60} is not set here; name it with a value, as in {{name: …}}"
                )
        named = {name: environ[name] for name in names}
    for name, value in named.items():
        if not _can_be_set(name, value):
            raise ValueError(f"env: {name!r:.60} cannot be set as a variable")
    return named


def _can_be_set(name: str, value: str) -> bool:
    try:
        return bool(name) and "=" not in name and b"\0" not in os.fsencode(name) + os.fsencode(value)
    except UnicodeEncodeError:
        return False


def for_slurm(environ: Mapping[str, str], conf: str | None) -> dict[str, str]:
    """What Slurm's own commands get: nothing of a session or of another job, and no secret."""
    found = {name: value for name, value in environ.items() if _SLURM.fullmatch(name)}
    found.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin")
    return found | ({"SLURM_CONF": conf} if conf else {})
