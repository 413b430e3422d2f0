"""What an operator is told about a migration, line by line, with the profiles that a line is about. Pure."""

from collections.abc import Iterator


class Notes:
    """Sentences, each for some profiles or for the whole configuration, in the order in which they came."""

    def __init__(self) -> None:
        self._about: dict[str, dict[str, None]] = {}

    def add(self, sentence: str, about: str = "") -> None:
        """Note a sentence, about the profile of this title if it is about one."""
        self._about.setdefault(sentence, {})[about] = None

    def lines(self, profiles: int) -> Iterator[str]:
        """Each sentence once, of `profiles` in all; what is said of all of them need not name them."""
        for sentence, titles in self._about.items():
            if "" in titles or len(titles) == profiles > 1:
                yield sentence if "" in titles else f"Every profile: {sentence}"
            else:
                yield ", ".join(f'"{title}"' for title in titles) + f": {sentence}"
