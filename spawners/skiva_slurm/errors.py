"""What can go wrong between us and Slurm.

    SkivaSlurmError
    ├── SlurmUnanswered      no answer: says nothing about any job, least of all that it ended
    │   ├── CommandMissing   the program is not there, or may not be run
    │   ├── CommandTimeout   it did not end in time and was killed
    │   ├── CommandTooLong   it wrote more than anybody would read, and was killed
    │   └── Unreadable       it answered, but not in words that we can trust
    └── Refused              sbatch or scancel said no, and why

`str(error)` is one sentence for people.
"""

__all__ = [
    "CommandMissing",
    "CommandTimeout",
    "CommandTooLong",
    "Refused",
    "SkivaSlurmError",
    "SlurmUnanswered",
    "Unreadable",
]


class SkivaSlurmError(Exception):
    """The root of this package's errors."""


class SlurmUnanswered(SkivaSlurmError):
    """Slurm gave no usable answer; whatever was known before still holds."""


class CommandMissing(SlurmUnanswered):
    """A Slurm command is not installed where the site says, or may not be run."""


class CommandTimeout(SlurmUnanswered):
    """A Slurm command did not end in time and was killed with its children."""


class CommandTooLong(SlurmUnanswered):
    """A Slurm command wrote more than the limit and was killed with its children."""


class Unreadable(SlurmUnanswered):
    """An answer was empty without cause, cut off or garbled."""


class Refused(SkivaSlurmError):
    """Slurm refused a request; `sentence` says why, in Slurm's own words where they are clear."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
