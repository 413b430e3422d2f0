"""The hub's groups of who signs in."""

import grp
import os
import pwd

import pytest

from skiva_hub.sign_in import unix_groups


async def test_who_signs_in_is_in_the_unix_groups_of_their_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that have a name here; all else that the authenticator told stays."""
    me = pwd.getpwuid(os.getuid())
    own = grp.getgrgid(me.pw_gid)
    monkeypatch.setattr(
        os, "getgrouplist", lambda name, gid: [gid, 3_999_999_999] if name == me.pw_name else []
    )
    told = await unix_groups(None, None, {"name": me.pw_name, "admin": True})
    assert told == {"name": me.pw_name, "admin": True, "groups": [own.gr_name]}


async def test_who_has_no_account_is_in_no_group() -> None:
    """They may sign in, and a start says what is wrong."""
    assert await unix_groups(None, None, {"name": "nobody-of-this-name"}) == {
        "name": "nobody-of-this-name",
        "groups": [],
    }
