"""What an embedded cluster says when it cannot do what it was asked."""


class CannotStart(Exception):
    """The cluster cannot be started; the text is one sentence for the person who asked."""
