#!/usr/bin/python3 -I
"""Does a handful of things as the user it runs as, for the hub, and nothing else.

The hub calls it as `sudo -n -u USER skiva-act` with one JSON object on standard input and
reads one from standard output. It uses the standard library alone, so that a copy that
belongs to root can be the whole of what the sudoers line allows. What it may run comes
from `etc/act.json` beside it, never from the hub.
"""

import contextlib
import grp
import json
import os
import pwd
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

_NONCE = re.compile(r"[0-9a-f]{16}")
_LIMIT = 1 << 20
_LOG_TAIL = 16 << 10
_TIMEOUT = 20.0
_LONGEST_MINUTES = 31 * 24 * 60
_RIGHTS = ("cluster", "defaultaccount", "account", "partition", "qos", "defaultqos", "maxsubmitjobs")


class Refused(Exception):
    """A request that is not carried out; its text goes back to the hub."""


def main() -> None:
    """Carry out the request on standard input."""
    os.umask(0o077)
    try:
        request = json.loads(sys.stdin.buffer.read(_LIMIT))
        config = json.loads(_config_path().read_bytes())
        action = request.pop("action")
        _check_role(action, config.get("operators", []))
        answer = _ACTIONS[action](config, **request)
    except Refused as problem:
        _answer({"error": str(problem)})
    except subprocess.TimeoutExpired:
        _answer({"unanswered": "Slurm did not answer in time"})
    except OSError as problem:
        _answer({"error": f"{problem.strerror or problem} ({problem.filename or 'no file'})"})
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        _answer({"error": f"not a request: {type(problem).__name__}"})
    _answer(answer)


def _check_role(action: str, operators: list[str]) -> None:
    """A Slurm operator's account lengthens jobs and does nothing else, or the hub could be anybody."""
    name = pwd.getpwuid(os.getuid()).pw_name
    if operators and (name in operators) != (action == "extend"):
        raise Refused(f"action: {name} may not do this here")


def _config_path() -> Path:
    return Path(__file__).resolve().parent.parent / "etc" / "act.json"


def _answer(answer: dict[str, Any]) -> NoReturn:
    json.dump(answer, sys.stdout)
    sys.stdout.flush()
    raise SystemExit(0)


def submit(
    config: dict[str, Any], *, nonce: str, options: list[str], script: str, server: str
) -> dict[str, Any]:
    """Write the session's private file and hand its job to Slurm."""
    home = pwd.getpwuid(os.getuid()).pw_dir
    if not Path(home).is_dir():
        raise Refused(f"No home directory ({home})")
    run_dir = _make_run_dir(Path(home), config["run_dirs"], nonce)
    _write_private(run_dir / "server.json", server)
    env = _environment(config, home) | {"SKIVA_RUN_DIR": str(run_dir)}
    done = _slurm(config, "sbatch", options, env, script)
    # An error may hide that Slurm has the job all the same, so its file stays until the hub forgets it.
    return {"submitted": [done.returncode, done.stdout[-1000:], done.stderr[-4000:]]}


def cancel(config: dict[str, Any], *, job_id: int) -> dict[str, Any]:
    """End a job of this user; a job that is gone already is no mistake."""
    done = _slurm(config, "scancel", [str(int(job_id))], _environment(config, "/"))
    if done.returncode and "Invalid job id" not in done.stderr:
        return {"refused": done.stderr[-4000:]}
    return {"cancelled": job_id}


def shown(config: dict[str, Any], *, job_id: int) -> dict[str, Any]:
    """The state of a job of this user, who may see it whatever others may; empty where Slurm has none."""
    arguments = ["--local", "--noheader", "--states=all", "--format=%T", f"--jobs={int(job_id)}"]
    done = _slurm(config, "squeue", arguments, _environment(config, "/"))
    if done.returncode and "Invalid job id" not in done.stderr:
        return {"unanswered": done.stderr[-1000:]}
    return {"shown": done.stdout.strip()[:40]}


def rights(config: dict[str, Any]) -> dict[str, Any]:
    """What Slurm's accounting lets this user use, in its own words, and the user's groups."""
    name, env = pwd.getpwuid(os.getuid()).pw_name, _environment(config, "/")
    question = ["user", f"name={name}", "withassoc", f"format={','.join(_RIGHTS)}"]
    told = _slurm(config, "sacctmgr", ["--noheader", "--parsable2", "show", *question], env)
    if told.returncode:
        return {"unanswered": told.stderr[-1000:]}
    rows = (line.split("|") for line in told.stdout.splitlines())
    accounts = {row[2] for row in rows if len(row) == len(_RIGHTS)}
    whose = [f"users={name}", f"accounts={','.join(sorted(accounts))}", "flags=assoc,qos"]
    limits = (
        _slurm(config, "scontrol", ["--oneliner", "show", "assoc_mgr", *whose], env) if accounts else None
    )
    return {
        "uid": os.getuid(),
        "groups": sorted({_group(gid) for gid in (os.getgid(), *os.getgroups())}),
        "rights": told.stdout[:_LIMIT],
        "limits": limits.stdout[:_LIMIT] if limits and not limits.returncode else "",
    }


def extend(config: dict[str, Any], *, job_id: int, minutes: int) -> dict[str, Any]:
    """Set a job's time limit; runs as a Slurm operator."""
    if not 1 <= int(minutes) <= _LONGEST_MINUTES:
        raise Refused(f"minutes: must be from 1 to {_LONGEST_MINUTES}")
    arguments = ["update", f"JobId={int(job_id)}", f"TimeLimit={int(minutes)}"]
    done = _slurm(config, "scontrol", arguments, _environment(config, "/"))
    return {"refused": done.stderr[-4000:]} if done.returncode else {"extended": job_id}


def log(config: dict[str, Any], *, nonce: str) -> dict[str, Any]:
    """The end of a session's log."""
    run_dir = _run_dir(Path(pwd.getpwuid(os.getuid()).pw_dir), config["run_dirs"], nonce)
    descriptor = os.open(run_dir / "log", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        file.seek(max(0, os.fstat(descriptor).st_size - _LOG_TAIL))
        return {"log": file.read(_LOG_TAIL).decode(errors="replace")}


def forget(config: dict[str, Any], *, nonce: str, with_log: bool = False) -> dict[str, Any]:
    """Remove the private file of a session that has ended; its log, if it got one, stays for its owner."""
    run_dir = _run_dir(Path(pwd.getpwuid(os.getuid()).pw_dir), config["run_dirs"], nonce)
    (run_dir / "server.json").unlink(missing_ok=True)
    if with_log:
        (run_dir / "log").unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        run_dir.rmdir()
    return {"forgotten": nonce}


_ACTIONS: dict[str, Callable[..., dict[str, Any]]] = {
    "submit": submit,
    "cancel": cancel,
    "shown": shown,
    "rights": rights,
    "extend": extend,
    "log": log,
    "forget": forget,
}


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _run_dir(home: Path, run_dirs: str, nonce: str) -> Path:
    if not _NONCE.fullmatch(nonce):
        raise Refused("nonce: must be 16 hexadecimal digits")
    return home / run_dirs / nonce


def _make_run_dir(home: Path, run_dirs: str, nonce: str) -> Path:
    run_dir = _run_dir(home, run_dirs, nonce)
    run_dir.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = run_dir.parent.stat()
    if owner.st_uid != os.getuid() or owner.st_mode & 0o022:
        raise Refused(f"{run_dir.parent} must belong to you and be writable by nobody else")
    run_dir.mkdir(mode=0o700)
    return run_dir


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)


def _environment(config: dict[str, Any], home: str) -> dict[str, str]:
    me = pwd.getpwuid(os.getuid())
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": home,
        "USER": me.pw_name,
        "LOGNAME": me.pw_name,
        "SHELL": me.pw_shell or "/bin/sh",
        **config["env"],
    }


def _slurm(
    config: dict[str, Any], command: str, arguments: list[str], env: dict[str, str], stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    argv = [f"{config['bin']}/{command}", *arguments]
    # Slurm gives the job the umask of its submission: the usual one, not that of our private files.
    os.umask(0o022)
    return subprocess.run(
        argv, check=False, env=env, input=stdin, capture_output=True, text=True, timeout=_TIMEOUT, cwd="/"
    )


if __name__ == "__main__":
    main()
