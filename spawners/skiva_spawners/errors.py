"""What can go wrong between a click and a notebook.

SkivaSpawnError
├── BadOption       a wish that the site does not grant; names the field
├── ActingFailed    the helper could not do something as the user
├── NotOurServer    what answers at the address is not the server we started
└── SessionFailed   a start that came to nothing; carries the words for the pages
"""

from skiva_spawners.failure import Failure


class SkivaSpawnError(Exception):
    """Base class; its text is one sentence for the user."""


class BadOption(SkivaSpawnError):
    """A wish that the site does not grant."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}.")
        self.field = field


class ActingFailed(SkivaSpawnError):
    """The helper could not do something as the user."""


class NotOurServer(SkivaSpawnError):
    """What answers at the address is not the server that the hub started."""


class SessionFailed(SkivaSpawnError):
    """A start that came to nothing."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.sentence)
        self.failure = failure
