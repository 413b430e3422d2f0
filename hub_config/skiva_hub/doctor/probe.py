"""One short job for each slice: does it start, is it fenced, does it reach the hub, is it reached."""

import asyncio
import json
import os
import pwd
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skiva_hub.doctor import on_node
from skiva_hub.doctor.facts import Facts, environment
from skiva_hub.doctor.finding import Finding, Group, error, warning
from skiva_hub.doctor.verdict import Seen, verdict
from skiva_hub.launches import launch
from skiva_hub.site import Site, Slice
from skiva_images.launch import command_line
from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_slurm.jobs import Job, Snapshot
from skiva_slurm.reader import SlurmReader
from skiva_slurm.refusal import submitted
from skiva_slurm.runner import run
from skiva_slurm.sbatch import JobRequest, sbatch_options
from skiva_slurm.states import Life
from skiva_slurm.tags import Tag
from skiva_slurm.watcher import Watcher

_G = Group.PROBES
_MINUTES = 5
_ANSWER_SECONDS = 120.0
"""How long a job that runs may take for its answers."""
_LOG_SECONDS = 15.0
"""How long a shared file system may take to show the log of a job that ended."""
_LAST_SECONDS = 3.0
"""How long it may take to show the end of a log that it has shown in part."""
_LOG_LIMIT = 1 << 20

Tell = Callable[[str], None]


@dataclass(slots=True)
class _Probe:
    """One slice's job while it is followed."""

    picked: Slice
    tag: str
    word: str
    log: Path
    job_id: int | None = None
    seen: Seen = field(default_factory=Seen)


async def probe(site: Site, facts: Facts, *, patience: float, tell: Tell) -> list[Finding]:
    """Submit, follow and judge a job for each slice; whatever was submitted is cancelled at the end.

    Args:
        patience: seconds that a job may wait in the queue.
        tell: gets a line whenever something happens.
    """
    me = pwd.getpwuid(os.geteuid())
    if me.pw_uid == 0 and facts.said("DisableRootJobs") == "yes":
        cure = "Run the doctor as somebody who may use the slices."
        return [warning(_G, "Slurm takes no jobs of root, so nothing was proved.", cure)]
    folder = Path(me.pw_dir) / ".local/state/skiva" / f"doctor-{secrets.token_hex(8)}"
    try:
        folder.mkdir(mode=0o700, parents=True)
    except OSError as problem:
        cure = f"Make the home of {me.pw_name} writable, or run the doctor as somebody else."
        return [error(_G, f"{folder} cannot be made: {problem.strerror}.", cure)]
    probes = [_prepare(picked, me.pw_name, folder) for picked in site.slice]
    reader = SlurmReader(site.cluster.bin, environment(site), site.cluster.command_timeout)
    watcher = Watcher(reader, idle_interval=1.0, busy_interval=1.0)
    watcher.start()
    try:
        failed = await asyncio.gather(*(_examine(site, p, watcher, patience, tell) for p in probes))
        followed = [(p.picked, p.seen) for p, finding in zip(probes, failed, strict=True) if finding is None]
        return [*filter(None, failed), *verdict(site, followed)]
    finally:
        await _clean_up(site, probes, reader, me.pw_name)
        await watcher.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(picked: Slice, user: str, folder: Path) -> _Probe:
    word = secrets.token_hex(12)
    tag = Tag(hub="doctor", user=user, server="", nonce=word)
    return _Probe(picked, tag.text, word, folder / f"{picked.id}.log")


def job_request(site: Site, picked: Slice, tag: str, log: Path) -> JobRequest:
    """What is asked of Slurm: the same as for a session on this slice, for a few minutes."""
    return JobRequest(
        name="skiva-doctor",
        tag=tag,
        partition=picked.partition,
        gres=picked.gres,
        cores=picked.cores,
        memory_mb=picked.memory_mb,
        minutes=_MINUTES,
        account=picked.account,
        qos=picked.qos,
        constraint=picked.constraint,
        reservation=picked.reservation,
        output=str(log),
        chdir=str(log.parent),
        warn_seconds=1,
        command=(str(runner(site)), "-I", "-"),
    )


def orders(site: Site, picked: Slice, word: str) -> dict[str, Any]:
    """What the job is told to do; see `on_node`."""
    proof = [f"--device={pattern}" for pattern in site.cluster.devices]
    proof += [f"--always-open={pattern}" for pattern in site.cluster.always_open]
    proof += [] if picked.devices_wanted is None else [f"--allowed={picked.devices_wanted}"]
    return {
        "word": word,
        "bind": site.hub.bind,
        "ports": list(site.hub.ports),
        "api_url": site.hub.api_url,
        "environments": {e.id: command_line(launch(site, e), []) for e in site.environment},
        "squeue": str(site.cluster.bin / "squeue"),
        "proof": proof,
        "patience": 30,
    }


def runner(site: Site) -> Path:
    """The Python that runs the probe on the node itself, from where it enters images."""
    plain = (e.python for e in site.environment if e.image is None)
    return next(plain, Path("/usr/bin/python3"))


def script(python: Path) -> str:
    """The job's script; nothing in it but the Python differs from site to site."""
    source = Path(on_node.__file__).read_text(encoding="utf-8")
    return f"#!/bin/sh\nexec {python} -I - <<'END-OF-PROBE'\n{source}\nEND-OF-PROBE\n"


async def _submit(site: Site, probe: _Probe) -> Finding | None:
    """Hand the job to Slurm; a finding where it is not taken."""
    request = job_request(site, probe.picked, probe.tag, probe.log)
    me = pwd.getpwuid(os.geteuid())
    env = environment(site) | {"HOME": me.pw_dir, "USER": me.pw_name, "LOGNAME": me.pw_name}
    env["SKIVA_PROBE"] = json.dumps(orders(site, probe.picked, probe.word))
    argv = [str(site.cluster.bin / "sbatch"), *sbatch_options(request)]
    probe.seen.submitted = time.time()
    text = script(runner(site)).encode()
    done = await run(argv, env=env, stdin=text, timeout=site.cluster.command_timeout)
    try:
        probe.job_id = submitted(done.returncode, done.stdout, done.stderr)
    except Refused as no:
        cure = f"Correct the slice, or give {me.pw_name} the right to use it, and run the doctor again."
        return error(_G, f"Slice {probe.picked.id}: {no.sentence}", cure)
    return None


async def _examine(
    site: Site, probe: _Probe, watcher: Watcher, patience: float, tell: Tell
) -> Finding | None:
    """Submit and follow one job; a finding where that failed."""
    try:
        refused = await _submit(site, probe)
        if refused:
            return refused
        tell(f"Slice {probe.picked.id}: job {probe.job_id} submitted")
        await _follow(probe, watcher, patience, tell)
    except SlurmUnanswered as problem:
        return error(_G, f"Slice {probe.picked.id}: {problem}.", "See that Slurm answers, then try again.")
    return None


async def _follow(probe: _Probe, watcher: Watcher, patience: float, tell: Tell) -> None:
    """Look at the job and its log until it has answered, has ended without, or time is up."""
    seen = probe.seen
    deadline = time.monotonic() + patience
    snapshot: Snapshot | None = None
    call: asyncio.Task[str] | None = None
    try:
        while "ended" not in seen.answers and time.monotonic() < deadline:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.1, deadline - time.monotonic())):
                    snapshot = await watcher.changed(snapshot)
            job = snapshot.jobs.get(probe.job_id or 0) if snapshot else None
            deadline = _look(probe, job, deadline, tell)
            if call is None and "port" in seen.answers and job and job.nodes and snapshot:
                node = snapshot.nodes.get(job.nodes[0])
                seen.address = node.address if node else job.nodes[0]
                call = asyncio.create_task(_call(seen.address, int(seen.answers["port"]), probe.word))
        if call:
            seen.call = await call
    finally:
        if call:
            call.cancel()


def _look(probe: _Probe, job: Job | None, deadline: float, tell: Tell) -> float:
    """Take in the job's state and log; the new deadline."""
    seen, now = probe.seen, time.monotonic()
    life = job.life if job else None
    had_begun = "begun" in seen.answers
    read_log(probe.log, probe.word, seen)
    if "begun" in seen.answers and not had_begun:
        seen.noticed = time.time()
        tell(f"Slice {probe.picked.id}: runs on {seen.answers.get('node') or seen.answers.get('host')}")
    if job:
        seen.reason, seen.node = job.reason, job.nodes[0] if job.nodes else seen.node
    if life in {Life.RUNNING, Life.ENDING} and not seen.ran:
        seen.ran = True
        return now + _ANSWER_SECONDS
    if life is Life.ENDED and not seen.over:
        seen.ran = seen.over = True
        return now + (_LAST_SECONDS if seen.has_log else _LOG_SECONDS)
    return deadline


def read_log(path: Path, word: str, seen: Seen) -> None:
    """Take in what a job has printed so far: its own lines, and the last of any others."""
    try:
        with path.open("rb") as file:
            text = file.read(_LOG_LIMIT).decode(errors="replace")
    except OSError:
        return
    seen.has_log = True
    for line in text.split("\n")[:-1]:
        if not line.startswith(f"{word} "):
            seen.last_line = line.strip()[:300] or seen.last_line
            continue
        with suppress(ValueError, TypeError):
            said = dict(json.loads(line[len(word) :]))
            if "environment" in said:
                seen.environments[str(said["environment"])] = said
            else:
                seen.answers.update(said)


async def _call(address: str, port: int, word: str) -> str:
    """Connect to the job as the hub will connect to servers; empty where that works, else why not."""
    try:
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection(address, port)
            heard = await reader.read(len(word))
            writer.close()
            return "" if heard.decode(errors="replace") == word else "somebody else answered"
    except OSError as problem:
        return problem.strerror or str(problem) or "no answer within 10 s"


async def _clean_up(site: Site, probes: Sequence[_Probe], reader: SlurmReader, me: str) -> None:
    """Cancel every job that was submitted, also one whose number sbatch never told."""
    jobs = {p.job_id for p in probes if p.job_id is not None}
    tags = {p.tag for p in probes if p.job_id is None}
    if tags:
        with suppress(SlurmUnanswered):
            jobs |= {j.id for j in (await reader.jobs()).values() if j.tag in tags and j.user == me}
    if jobs:
        argv = [str(site.cluster.bin / "scancel"), *map(str, sorted(jobs))]
        with suppress(SlurmUnanswered):
            await run(argv, env=environment(site), timeout=site.cluster.command_timeout)
