"""From a choice to an answering server: submission, the queue, the report, the proof."""

import asyncio
import pwd
import time
from dataclasses import replace
from typing import NoReturn

from tornado.httpclient import HTTPError as NoAnswer

from skiva_hub import metrics
from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_slurm.jobs import Job
from skiva_slurm.sbatch import sbatch_options, script
from skiva_slurm.states import Life
from skiva_spawners import decisions
from skiva_spawners.errors import ActingFailed, NotOurServer, SessionFailed
from skiva_spawners.failure import Failure
from skiva_spawners.lifecycle import Event, State
from skiva_spawners.offers import offer
from skiva_spawners.options import Choice
from skiva_spawners.report import Report
from skiva_spawners.request import job_request, server_file
from skiva_spawners.session import Session

_LOOK_AGAIN = 30.0
"""Seconds for which a job is looked for whose submission was not answered."""

_LATE = 4.0
"""Seconds for which a submission whose hub has died may still reach Slurm unnoticed."""

_UNANSWERED = Failure(
    "The scheduler did not answer, so your session was not started.",
    "Please try again in a minute. Should the job turn up after all, it is ended by itself.",
    cause="unanswered",
)

_MISNUMBERED = Failure(
    "The hub was told the number of a job that is not yours, so your session was not opened.",
    "Please start again; if it happens twice, tell the operators.",
    cause="helper",
)


async def submit(
    session: Session,
    choice: Choice,
    private_key: str,
    env: dict[str, str],
    defaults: dict[str, str],
    groups: frozenset[str],
) -> None:
    """Hand the job to Slurm. Whoever cancels this leaves a submission that still ends well.

    `env` and the `private_key` of its certificate go into the session's private file; `defaults` fill in what
    its slice leaves open. Which slices its runs may have depends on the hub's `groups` that its owner is in.

    Raises:
        SessionFailed: Slurm refused, or did not answer and no job was found.
    """
    session.update()
    session.log.info("clicked", slice=choice.slice.id, environment=choice.environment.id, hours=choice.hours)
    session.submission = session.state.background(
        _submit(session, choice, private_key, env, defaults, groups)
    )
    await asyncio.shield(session.submission)


async def _submit(
    session: Session,
    choice: Choice,
    private_key: str,
    env: dict[str, str],
    defaults: dict[str, str],
    groups: frozenset[str],
) -> None:
    state, record = session.state, session.record
    try:
        home = (await asyncio.to_thread(pwd.getpwnam, record.account)).pw_dir
        user = session.tag.user
        await state.entitlements.learn(user)
        allowed = state.allowed(user)
        pays = choice.account or allowed.account(choice.slice, None)
        request = job_request(state.site, choice, session.tag, home, defaults, pays)
        offered = offer(allowed, user, groups, choice.environment, defaults, pays)
        job_id = await state.actor.submit(
            record.account,
            nonce=record.nonce,
            options=sbatch_options(request),
            script=script(request),
            server=server_file(state.site, choice, record, private_key, env, state.stream_url, offered),
        )
    except (Refused, ActingFailed) as problem:
        cause = "refused" if isinstance(problem, Refused) else "helper"
        raise SessionFailed(Failure(str(problem), cause=cause)) from None
    except KeyError:
        raise SessionFailed(
            Failure(f"There is no account {record.account} on this hub.", cause="account")
        ) from None
    except ValueError as problem:
        raise SessionFailed(
            Failure(f"This slice cannot be asked of Slurm: {problem}", cause="site")
        ) from None
    except SlurmUnanswered:
        job_id = await _find_job(session)
    session.happened(Event.SUBMITTED, job_id=job_id)
    _reached("submitted", session)


def _reached(phase: str, session: Session) -> None:
    seconds = max(0.0, time.time() - session.record.clicked)
    metrics.observe_phase(phase, seconds)
    session.log.info(phase, job=session.record.job_id, seconds=round(seconds, 3))


async def _find_job(session: Session) -> int:
    """The job of a submission that was not answered: it may well have been accepted."""
    deadline = session.state.clock() + _LOOK_AGAIN
    while session.state.clock() < deadline and session.phase is not State.OVER:
        try:
            job = session.tagged(await session.state.watcher.refresh())
        except SlurmUnanswered:
            job = None
        if job:
            return job.id
        await asyncio.sleep(1)
    raise SessionFailed(_UNANSWERED)


async def was_submitted(session: Session) -> bool:
    """Whether Slurm has the job of a session whose hub died before it was told; waits until Slurm answers.

    The helper may still have been at work when the hub died, so it is looked for more than once.
    """
    job_id, clock = session.record.job_id, session.state.clock
    deadline = clock() + _LATE
    while job_id is None:
        try:
            job = session.tagged(await session.state.watcher.refresh())
        except SlurmUnanswered:
            deadline = clock() + _LATE
        else:
            if job:
                job_id = job.id
            elif clock() > deadline:
                return False
        await asyncio.sleep(0.5)
    session.happened(Event.SUBMITTED, job_id=job_id)
    return True


async def until_answering(session: Session) -> str:
    """Wait for the job's turn, its report and its proof; the server's address.

    There is no time limit while the job waits in the queue.

    Raises:
        SessionFailed: the job ended, can never start, or its server did not answer.
    """
    with session.state.watcher.attention():
        report = await _until_heard(session)
        await _check_proof(session, report)
        session.tell("proved")
        _reached("proved", session)
        url = await _until_it_answers(session)
        session.tell("answering")
        _reached("ready", session)
    return url


async def _until_heard(session: Session) -> Report:
    patience = session.state.site.limits.start_seconds
    running_since: float | None = None
    while session.heard is None:
        await _give_up_if_over(session)
        running = session.job is not None and session.job.life is Life.RUNNING
        if running and running_since is None:
            _reached("running", session)
        now = session.state.clock()
        running_since = (running_since or now) if running else None
        if running_since and now - running_since > patience:
            sentence = f"Your job ran for {patience} seconds, but its server did not report to the hub."
            action = (
                "The last lines of its log may say why; `skiva doctor` checks the node for the operators."
            )
            await _fail(session, Failure(sentence, action, cause="silent"))
        await session.news(5)
    return session.heard


async def _give_up_if_over(session: Session) -> None:
    if session.is_misnumbered:
        await _find_again(session)
    over: Job | None = session.ended_job()
    if over is not None:
        session.end()
        raise SessionFailed(session.failure(over, await session.log_tail()))
    if (why := decisions.hopeless(session.job)) is not None:
        await _fail(session, why)


async def _find_again(session: Session) -> None:
    """The helper named a job that is not this session's: take the one that is, or none."""
    try:
        # The last reading may be from before its job was there.
        job = session.tagged(await session.state.watcher.refresh())
    except SlurmUnanswered:
        return
    session.log.warning("misnumbered", job=session.record.job_id)
    session.update(job_id=job.id if job else None)
    if job is None:
        session.end()
        raise SessionFailed(_MISNUMBERED)


async def _fail(session: Session, failure: Failure) -> NoReturn:
    """End the job, because nobody will ever use it, and say why."""
    tail = await session.log_tail()
    await session.cancel()
    raise SessionFailed(replace(failure, log_tail=tail, job_id=session.record.job_id))


async def _check_proof(session: Session, report: Report) -> None:
    site = session.state.site
    picked = next((s for s in site.slice if s.id == session.record.slice), None)
    claimed = picked is not None and picked.isolation == "exclusive" and site.cluster.fenced
    if claimed and not report.proof.exclusive:
        sentence = (
            f"Your session was not opened, because its slice is not yours alone. {report.proof.sentence}"
        )
        await _fail(
            session, Failure(sentence, "Please tell the operators; another slice may do.", cause="not_fenced")
        )


async def _until_it_answers(session: Session) -> str:
    patience, clock = session.state.site.limits.start_seconds, session.state.clock
    deadline = clock() + patience
    while True:
        report = await _until_heard(session)
        await _give_up_if_over(session)
        host = f"[{session.record.address}]" if ":" in session.record.address else session.record.address
        url = f"https://{host}:{report.port}"
        try:
            await session.state.verify(f"{url}{session.base_path}", session.record.certificate, 20)
        except NotOurServer as problem:
            if await _is_still_running(session, report):
                await _fail(session, Failure(str(problem), "Please start again.", cause="not_ours"))
            await asyncio.sleep(1)
        except (OSError, NoAnswer) as problem:
            if _may_be_silent(session, report):
                deadline = clock() + patience
            if clock() > deadline:
                sentence = f"The hub cannot reach your session at {session.record.address}: {problem}."
                action = "Please tell the operators: `skiva doctor` checks the way from the hub to the nodes."
                await _fail(session, Failure(sentence, action, cause="unreachable"))
            await asyncio.sleep(0.1)
        else:
            session.happened(Event.ANSWERED, restarts=report.restarts, url=url)
            return url


def _may_be_silent(session: Session, report: Report) -> bool:
    """Whether silence is no sign of death: the server has been used before, or its job is suspended."""
    used = bool(session.record.url) and report.restarts == session.record.restarts
    return used or (session.job is not None and session.job.life is not Life.RUNNING)


async def _is_still_running(session: Session, report: Report) -> bool:
    """Whether Slurm, asked now, says that it is this run of the job that should answer."""
    try:
        await session.state.watcher.refresh()
    except SlurmUnanswered:
        return False
    job = session.job
    return job is not None and job.life is Life.RUNNING and job.restarts == report.restarts
