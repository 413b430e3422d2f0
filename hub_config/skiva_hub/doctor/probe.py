"""One short job for each slice: does it start, is it fenced, does it reach the hub, is it reached."""

import asyncio
import json
import pwd
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from skiva_hub.doctor import on_node
from skiva_hub.doctor.facts import Facts, environment
from skiva_hub.doctor.finding import Finding, Group, error, listed, ok, warning
from skiva_hub.doctor.helper import Way
from skiva_hub.doctor.verdict import Seen, verdict
from skiva_hub.launches import launch
from skiva_hub.site import Site, Slice
from skiva_images.launch import command_line
from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_slurm.jobs import Job, Snapshot
from skiva_slurm.reader import SlurmReader
from skiva_slurm.sbatch import JobRequest, sbatch_options
from skiva_slurm.states import Life
from skiva_slurm.tags import Tag
from skiva_slurm.watcher import Watcher
from skiva_spawners.acting import Actor
from skiva_spawners.errors import ActingFailed

_G = Group.PROBES
_MINUTES = 5
_ANSWER_SECONDS = 120.0
"""How long a job that runs may take for its answers."""
_LOG_SECONDS = 15.0
"""How long a shared file system may take to show the log of a job that ended."""
_LAST_SECONDS = 3.0
"""How long it may take to show the end of a log that it has shown in part."""
_LOG_LINES = 10_000

Tell = Callable[[str], None]


@dataclass(slots=True)
class _Probe:
    """One slice's job while it is followed."""

    picked: Slice
    tag: Tag
    submitting: asyncio.Task[int] | None = None
    job_id: int | None = None
    seen: Seen = field(default_factory=Seen)


@dataclass(slots=True)
class _Probing:
    """What all probes have in common."""

    site: Site
    facts: Facts
    way: Way
    actor: Actor
    home: PurePath
    reader: SlurmReader
    watcher: Watcher
    patience: float
    tell: Tell
    extended: Finding | None = None
    """What came of lengthening a job; tried once."""
    extending: bool = False


async def probe(site: Site, facts: Facts, way: Way, *, patience: float, tell: Tell) -> list[Finding]:
    """Submit, follow and judge a job for each slice; whatever was submitted is cancelled at the end.

    Args:
        way: as whom the jobs are submitted, through the helper as sessions are.
        patience: seconds that a job may wait in the queue.
        tell: gets a line whenever something happens.
    """
    if way.person == "root" and facts.said("DisableRootJobs") == "yes":
        cure = "Run the doctor as somebody who may use the slices."
        return [warning(_G, "Slurm takes no jobs of root, so nothing was proved.", cure)]
    reader = SlurmReader(site.cluster.bin, environment(site), site.cluster.command_timeout)
    watcher = Watcher(reader, idle_interval=1.0, busy_interval=1.0)
    home = PurePath(pwd.getpwnam(way.person).pw_dir)
    every = _Probing(site, facts, way, Actor(way.command), home, reader, watcher, patience, tell)
    probes = [_Probe(picked, _tag(way.person)) for picked in site.slice]
    watcher.start()
    try:
        failed = await asyncio.gather(*(_examine(every, p) for p in probes))
        followed = [(p.picked, p.seen) for p, finding in zip(probes, failed, strict=True) if finding is None]
        found = [*dict.fromkeys(filter(None, failed)), *verdict(site, followed)]
        return [*found, every.extended] if every.extended else found
    finally:
        await _clean_up(every, probes)
        await watcher.stop()


def _tag(person: str) -> Tag:
    return Tag(hub="doctor", user=person, server="", nonce=secrets.token_hex(8))


def job_request(site: Site, picked: Slice, tag: Tag, home: PurePath) -> JobRequest:
    """What is asked of Slurm: the same as for a session on this slice, for a few minutes."""
    return JobRequest(
        name="skiva-doctor",
        tag=tag.text,
        partition=picked.partition,
        gres=picked.gres,
        extra_gres=picked.extra_gres,
        cores=picked.cores,
        memory_mb=picked.memory_mb,
        minutes=_MINUTES,
        account=picked.account,
        qos=picked.qos,
        constraint=picked.constraint,
        reservation=picked.reservation,
        licenses=picked.licenses,
        exclude=picked.exclude,
        output=str(home / site.hub.run_dirs / tag.nonce / "log"),
        chdir=str(home),
        warn_seconds=1,
        command=(str(runner(site)), "-I", "-"),
    )


def orders(site: Site, picked: Slice, word: str, epilogs: Iterable[str] = ()) -> dict[str, Any]:
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
        "epilogs": list(epilogs),
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


async def _submit(every: _Probing, probe: _Probe) -> Finding | None:
    """Hand the job to Slurm as a session is; a finding where it is not taken."""
    site, picked, person = every.site, probe.picked, every.way.person
    told = orders(site, picked, probe.tag.nonce, every.facts.epilogs)
    probe.seen.submitted = time.time()
    probe.submitting = asyncio.create_task(
        every.actor.submit(
            person,
            nonce=probe.tag.nonce,
            options=sbatch_options(job_request(site, picked, probe.tag, every.home)),
            script=script(runner(site)),
            server=json.dumps(told),
        )
    )
    try:
        # Whoever is interrupted now has to know the number later, to cancel it.
        probe.job_id = await asyncio.shield(probe.submitting)
    except ActingFailed as problem:
        cure = "No session of theirs would start either; mend this, or name somebody else with --user."
        return error(_G, f"Nothing was proved as {person}: {problem}", cure)
    except Refused as no:
        return _refused(site, picked, person, str(no))
    return None


def _refused(site: Site, picked: Slice, person: str, words: str) -> Finding:
    sentence = f"Slice {picked.id}: {words}"
    if picked not in site.slices_for(person, frozenset()):
        kept = listed([*picked.users, *picked.groups]) or "the people of its partition"
        cure = f"It is for {kept} alone: run the doctor with --user and one of them."
        return warning(_G, f"{sentence} So it was not proved as {person}.", cure)
    cure = f"Correct the slice, or give {person} the right to use it, and run the doctor again."
    return error(_G, sentence, cure)


async def _examine(every: _Probing, probe: _Probe) -> Finding | None:
    """Submit and follow one job; a finding where that failed."""
    try:
        refused = await _submit(every, probe)
        if refused:
            return refused
        every.tell(f"Slice {probe.picked.id}: job {probe.job_id} submitted as {every.way.person}")
        await _extend(every, probe.job_id or 0)
        await _follow(every, probe)
    except SlurmUnanswered as problem:
        return error(_G, f"Slice {probe.picked.id}: {problem}.", "See that Slurm answers, then try again.")
    return None


async def _extend(every: _Probing, job_id: int) -> None:
    """Lengthen the first job by a minute, as *Extend* lengthens a session."""
    hours = every.site.hours
    if every.extending or not (every.way.as_hub and hours.extend_by and hours.extend_as):
        return
    every.extending = True
    try:
        await every.actor.extend(hours.extend_as, job_id, _MINUTES + 1)
    except (ActingFailed, Refused, SlurmUnanswered) as problem:
        cure = (
            f"{hours.extend_as} (extend_as in [hours]) must be a Slurm operator that the helper may act as."
        )
        every.extended = error(_G, f"A session cannot be extended: {problem}", cure)
    else:
        every.extended = ok(_G, f"{hours.extend_as} could extend a job of {every.way.person}.")


async def _follow(every: _Probing, probe: _Probe) -> None:
    """Look at the job and its log until it has answered, has ended without, or time is up."""
    seen = probe.seen
    deadline = time.monotonic() + every.patience
    snapshot: Snapshot | None = None
    call: asyncio.Task[str] | None = None
    try:
        while "ended" not in seen.answers and time.monotonic() < deadline:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.1, deadline - time.monotonic())):
                    snapshot = await every.watcher.changed(snapshot)
            job = snapshot.jobs.get(probe.job_id or 0) if snapshot else None
            deadline = await _look(every, probe, job, deadline)
            if call is None and "port" in seen.answers and job and job.nodes and snapshot:
                node = snapshot.nodes.get(job.nodes[0])
                seen.address = node.address if node else job.nodes[0]
                call = asyncio.create_task(_call(seen.address, int(seen.answers["port"]), probe.tag.nonce))
        if call:
            seen.call = await call
    finally:
        if call:
            call.cancel()


async def _look(every: _Probing, probe: _Probe, job: Job | None, deadline: float) -> float:
    """Take in the job's state and log; the new deadline."""
    seen, now = probe.seen, time.monotonic()
    life = job.life if job else None
    had_begun = "begun" in seen.answers
    if job is None or life is not Life.QUEUED:
        nonce = probe.tag.nonce
        read_log(await every.actor.log_tail(every.way.person, nonce, _LOG_LINES), nonce, seen)
    if "begun" in seen.answers and not had_begun:
        seen.noticed = time.time()
        every.tell(f"Slice {probe.picked.id}: runs on {seen.answers.get('node') or seen.answers.get('host')}")
    if job:
        seen.reason, seen.node = job.reason, job.nodes[0] if job.nodes else seen.node
    if life in {Life.RUNNING, Life.ENDING} and not seen.ran:
        seen.ran = True
        return now + _ANSWER_SECONDS
    if life is Life.ENDED and not seen.over:
        seen.ran = seen.over = True
        return now + (_LAST_SECONDS if "begun" in seen.answers or seen.last_line else _LOG_SECONDS)
    return deadline


def read_log(lines: Iterable[str], word: str, seen: Seen) -> None:
    """Take in what a job has printed so far: its own lines, and the last of any others."""
    for line in lines:
        if not line.startswith(f"{word} "):
            seen.last_line = line.strip()[:300] or seen.last_line
            continue
        # The last line may not be whole yet.
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


async def _clean_up(every: _Probing, probes: Iterable[_Probe]) -> None:
    """Cancel every job that was submitted, also one whose number sbatch never told, and remove its files."""
    await asyncio.gather(*(_number(probe) for probe in probes))
    unknown = {p.tag.text: p for p in probes if p.job_id is None and p.submitting}
    if unknown:
        with suppress(SlurmUnanswered):
            for job in (await every.reader.jobs()).values():
                if job.tag in unknown and job.user == every.way.person:
                    unknown[job.tag].job_id = job.id
    await asyncio.gather(*(_remove(every, probe) for probe in probes if probe.submitting))


async def _number(probe: _Probe) -> None:
    """Wait for the answer to a submission that was on its way when the doctor was interrupted."""
    if probe.submitting:
        with suppress(ActingFailed, Refused, SlurmUnanswered):
            probe.job_id = await probe.submitting


async def _remove(every: _Probing, probe: _Probe) -> None:
    person = every.way.person
    if probe.job_id is not None:
        with suppress(ActingFailed, Refused, SlurmUnanswered):
            await every.actor.cancel(person, probe.job_id)
    with suppress(ActingFailed, SlurmUnanswered):
        await every.actor.forget(person, probe.tag.nonce, with_log=True)
