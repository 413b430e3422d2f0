"""Who may sign in to an embedded cluster, and with what."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from skiva_hub.embedded import accounts
from skiva_hub.embedded.accounts import Accounts
from skiva_hub.embedded.files import write
from skiva_hub.embedded.layout import Layout

_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aeiou"


@dataclass(frozen=True, slots=True)
class SigningIn:
    """Names, and the password that all of them have."""

    names: tuple[str, ...]
    password: str


def prepare(layout: Layout, people: Accounts | None) -> SigningIn:
    """Make the accounts of the people whom root serves, and the secrets that are not there yet.

    Raises:
        CannotStart: the accounts cannot be made.
    """
    password = _kept(layout.dir / "password", readable_password)
    _kept(layout.dir / "admin-token", lambda: secrets.token_hex(32))
    if people is None:
        return SigningIn((layout.owners.hub,), password)
    accounts.make(people)
    return SigningIn(people.people, password)


def readable_password() -> str:
    """Four groups of five letters that can be read out aloud; 66 bits."""
    kinds = (_CONSONANTS, _VOWELS, _CONSONANTS, _VOWELS, _CONSONANTS)
    return "-".join("".join(secrets.choice(kind) for kind in kinds) for _ in range(4))


def _kept(path: Path, make: Callable[[], str]) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        text = make()
        write(path, text + "\n", mode=0o600)
        return text
