"""The tokens of sessions in the hub's database."""

from pathlib import Path

import pytest
from tests.fakes.hub import FakeCluster, FakeHub

from skiva_spawners.sealing import Seal, SealBroken

SESSION = {"nonce": "n", "api_token": "canary-token", "job_id": 7}


def test_what_is_closed_is_opened_with_the_same_key_alone(tmp_path: Path) -> None:
    """The rest is as it was; each time it looks another; a key is made once, for its owner alone."""
    seal = Seal(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    kept = seal.close(SESSION)
    assert "canary" not in str(kept)
    assert (kept["nonce"], kept["job_id"]) == ("n", 7)
    assert seal.close(SESSION)["api_token"] != kept["api_token"]
    assert Seal(tmp_path / "key").open(kept) == SESSION
    other = Seal(tmp_path / "other")
    for odd in (kept, SESSION, {}, kept | {"api_token": kept["api_token"][:-4]}):
        with pytest.raises(SealBroken):
            (other if odd is kept else seal).open(odd)


def test_a_dump_of_the_database_opens_no_session(hub: FakeHub, cluster: FakeCluster) -> None:
    """The token is in it closed, and the key of its certificate not at all, at any time of its life."""
    number = hub.submit()
    assert hub.session is not None
    secrets = {hub.session.record.api_token, cluster.private[number]["private_key"]}
    assert all(secrets)
    assert not [one for one in secrets if one in str(hub.kept)]
    cluster.run(number)
    hub.tell(number)
    hub.pass_time(5)
    assert not [one for one in secrets if one in str(hub.kept)]
    hub = hub.restarted()
    hub.pass_time(5)
    assert hub.is_open(number)
    assert hub.session is not None
    assert hub.session.record.api_token in secrets


def test_a_hub_without_the_key_ends_no_session(hub: FakeHub, cluster: FakeCluster) -> None:
    """Whoever restores the database alone has lost its sessions, and their owners nothing of their work."""
    number = hub.open()
    hub.crash()
    (cluster.state_dir / "session-key").unlink()
    hub = FakeHub(cluster, hub.database)
    hub.pass_time(3600)
    assert hub.session is None
    assert cluster.cancelled == []
    assert cluster.living == [number]
