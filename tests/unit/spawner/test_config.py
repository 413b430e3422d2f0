"""What a hub's own configuration means for the site's slices."""

from traitlets.config import Config

from skiva_hub.config import own_defaults


def test_the_nearest_class_decides_what_slices_leave_open() -> None:
    """batchspawner's settings count under its names and under ours; a partition is no default."""
    c = Config()
    c.Spawner.cmd = ["jupyterhub-singleuser"]
    c.BatchSpawnerBase.req_account = "physics"
    c.BatchSpawnerBase.req_qos = "long"
    c.SlurmSpawner.req_reservation = "course"
    c.SlurmSpawner.req_partition = "gpu"
    c.SlurmSpawner.req_options = "--constraint=h100"
    c.SliceSpawner.req_account = "chem"
    assert own_defaults(c) == {
        "account": "chem",
        "qos": "long",
        "reservation": "course",
        "constraint": "h100",
    }
    assert own_defaults(Config()) == {}
