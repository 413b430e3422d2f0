# ruff: noqa: INP001
"""A stock batchspawner configuration with profiles, as `skiva migrate` reads it.

What comes out is `from-batchspawner.toml`, beside this file.
"""

c = get_config()  # type: ignore[name-defined]  # noqa: F821

c.JupyterHub.spawner_class = "wrapspawner.ProfilesSpawner"
c.JupyterHub.hub_connect_url = "https://jupyter.example.org:8081"

c.BatchSpawnerBase.req_partition = "gpu"
c.BatchSpawnerBase.req_account = "teaching"
c.BatchSpawnerBase.req_runtime = "8:00:00"
c.BatchSpawnerBase.req_prologue = "source /opt/jupyter/bin/activate"
c.SlurmSpawner.req_qos = "interactive"
c.SlurmSpawner.req_options = "--constraint=h100 --exclude=node13"
c.SlurmSpawner.exec_prefix = "sudo -E -u {username}"
c.SlurmSpawner.start_timeout = 600

c.ProfilesSpawner.profiles = [
    (
        "A seventh of an H100 (10 GB)",
        "mig",
        "batchspawner.SlurmSpawner",
        {"req_gres": "gpu:1g.10gb:1", "req_nprocs": "4", "req_memory": "32G"},
    ),
    (
        "One H100",
        "h100",
        "batchspawner.SlurmSpawner",
        {"req_gres": "gpu:h100", "req_nprocs": "16", "req_memory": "200G", "req_runtime": "4:00:00"},
    ),
    (
        "Cores only",
        "cpu",
        "batchspawner.SlurmSpawner",
        {"req_partition": "cpu", "req_options": "", "req_nprocs": "2", "req_memory": "8000"},
    ),
]
