"""The hub's groups of somebody who signs in, where their authenticator tells none."""

import asyncio
import grp
import os
import pwd
from contextlib import suppress
from typing import Any


async def unix_groups(authenticator: object, handler: object, signed_in: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001 - JupyterHub gives them
    """Give somebody who signs in the Unix groups of their account; a hook, `Authenticator.post_auth_hook`."""
    # A directory behind the accounts may be slow, and everybody else waits for the hub's loop.
    return signed_in | {"groups": await asyncio.to_thread(_groups_of, signed_in["name"])}


def _groups_of(name: str) -> list[str]:
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        return []  # who has no account here may sign in, and is told of it at a start
    names = []
    for number in os.getgrouplist(name, account.pw_gid):
        with suppress(KeyError):  # some numbers have no name on this machine
            names.append(grp.getgrgid(number).gr_name)
    return names
