"""The life of a session: its states, and what takes it from one to another. Pure.

A start goes SUBMITTING → WAITING → READY. A requeue takes READY to RETURNING and back. A restart of the hub
makes UNPROVED of what had a route, which is READY again once its server has proved itself, and INTERRUPTED
of all else, which begins anew at SUBMITTING with the job that it has. OVER follows from each.
"""

from enum import StrEnum


class State(StrEnum):
    """Where a session is in its life."""

    SUBMITTING = "submitting"
    """Slurm has not told the number of its job yet."""
    WAITING = "waiting"
    """Its job is known, its server has not answered yet."""
    READY = "ready"
    """Its server has proved to be ours, and has a route."""
    RETURNING = "returning"
    """It was usable; its job was requeued, and it is on its way back."""
    INTERRUPTED = "interrupted"
    """Its way to READY was cut off by the end of the hub; the keeper takes it up again."""
    UNPROVED = "unproved"
    """Its route is from before a restart of the hub, and its server has not proved itself since."""
    OVER = "over"
    """Nothing of it is to be kept."""


class Event(StrEnum):
    """What happens to a session."""

    SUBMITTED = "submitted"
    """The number of its job is known."""
    ANSWERED = "answered"
    """The server of its job's present run has proved to be ours."""
    REQUEUED = "requeued"
    """Slurm has put its job back into the queue, or runs it anew."""
    ROUTED = "routed"
    """Its new address has replaced the old one."""
    BROKEN_OFF = "broken off"
    """Its way back was cancelled."""
    PROVED = "proved"
    """The server from before the restart is there, and ours."""
    SILENT = "silent"
    """The server from before the restart did not prove that."""
    TAKEN_UP = "taken up"
    """The keeper goes on where an earlier hub left off."""
    ENDED = "ended"


_NEXT: dict[State, dict[Event, State]] = {
    State.SUBMITTING: {Event.SUBMITTED: State.WAITING},
    State.WAITING: {Event.ANSWERED: State.READY},
    State.READY: {Event.REQUEUED: State.RETURNING},
    State.RETURNING: {Event.ROUTED: State.READY, Event.BROKEN_OFF: State.WAITING},
    State.INTERRUPTED: {Event.TAKEN_UP: State.SUBMITTING},
    State.UNPROVED: {
        Event.PROVED: State.READY,
        Event.SILENT: State.INTERRUPTED,
        Event.REQUEUED: State.RETURNING,
    },
    State.OVER: {},
}


def after(state: State, event: Event) -> State:
    """The state that `event` leads to. Total: an event that comes too late for a state leaves it as it is."""
    return State.OVER if event is Event.ENDED else _NEXT[state].get(event, state)


def restored(state: State) -> State:
    """The state of a session whose record comes from the database of a hub that has ended."""
    if state is State.OVER:
        return state
    usable = state in {State.READY, State.UNPROVED}
    return State.UNPROVED if usable else State.INTERRUPTED
