"""Why an environment cannot be built."""

__all__ = ["BuildError"]


class BuildError(Exception):
    """A build cannot go on; the text says in one sentence why, and what to do."""
