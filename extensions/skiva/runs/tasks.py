"""The tasks of a map as one. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from skiva.runs.status import Status

__all__ = ["combined"]


def combined(whole: Status, tasks: Sequence[Status]) -> Status:
    """A map as one: it runs while any task does, and is over when all are."""
    counts = Counter(one.state for one in tasks)
    lives = Counter(one.life for one in tasks)
    done = lives["ended"]
    started = [one.started for one in tasks if one.started]
    common: dict[str, Any] = {
        "tasks": dict(counts),
        "job_id": whole.job_id,
        "submitted": whole.submitted,
        "started": min(started, default=None),
        "expected": whole.expected,
        "trouble": whole.trouble,
        "progress": {"done": done, "total": len(tasks), "text": "", "unit": "tasks"},
        "restarts": max((one.restarts for one in tasks), default=0),
    }
    if done < len(tasks):
        if whole.over and not done:
            return Status(
                **common, state=whole.state, sentence=whole.sentence, action=whole.action, ended=whole.ended
            )
        running = lives["running"] > 0
        state = "running" if running or done else whole.state if not whole.over else "unknown"
        words = f"{done} of {len(tasks)} tasks ended." if running or done else whole.sentence
        left = max((one.seconds_left for one in tasks if one.seconds_left is not None), default=None)
        return Status(
            **common,
            state=state,
            sentence=words,
            action=whole.action if not running else "",
            seconds_left=left,
        )
    ended = max((one.ended for one in tasks if one.ended), default=None)
    bad = [one for one in tasks if one.state != "completed"]
    if not bad:
        return Status(**common, state="completed", sentence=f"All {len(tasks)} tasks completed.", ended=ended)
    state = bad[0].state if len({one.state for one in bad}) == 1 else "failed"
    words = f"{len(bad)} of {len(tasks)} tasks did not complete; the first: {bad[0].sentence}"
    action = "rerun() repeats those alone." if state != "cancelled" else ""
    return Status(**common, state=state, sentence=words, action=action, ended=ended)
