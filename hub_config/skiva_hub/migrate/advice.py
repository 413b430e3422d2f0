"""Why a setting is not in the site file, and what to do instead. Pure."""

_COPY = "copy it into /etc/skiva/jupyterhub_config.py, below the lines that are there"
_HUBS_OWN = f"it is JupyterHub's and not the site file's: {_COPY}"
_OURS = "Skiva sets it itself"
_ADDRESS = "the hub listens where hub_bind_url of /etc/skiva/jupyterhub_config.py says"
_PUBLIC = "SKIVA_PUBLIC_URL in /etc/skiva/environment says where the proxy listens"
_PROXY = "Skiva starts a proxy of its own, traefik"
_NO_LIMIT = "a slice says what a session has: cores and memory_mb"
_ONE_READER = "one reader asks Slurm for everybody"
_STATES = "every state of Slurm is known"
_LAUNCHER = "the environment's own launcher starts the server"
_HOOK = (
    f"it is JupyterHub's: {_COPY}, if it is still needed; it runs as the hub's unprivileged account, and of"
    " what it sets on the spawner only req_account, req_qos, req_reservation and req_options reach the job"
)
_OF_ANOTHER = (
    "SliceSpawner does not read it; if it is a choice that people had, write a [[slice]] for each answer"
)
_FORM = "the page is Skiva's own, with a card for each slice; write a [[slice]] for each choice of the form"

_OF_THE_HUB = {
    "active_server_limit": f"it is JupyterHub's: {_COPY}; it counts sessions that wait in Slurm's queue, too",
    "allow_named_servers": "limits.servers says how many servers a person may have",
    "base_url": f"it is JupyterHub's: {_COPY}; hub.api_url has it already",
    "bind_url": _PUBLIC,
    "cleanup_proxy": _OURS,
    "cleanup_servers": "sessions live in Slurm, and a hub that ends leaves them alone",
    "concurrent_spawn_limit": "who waits in Slurm's queue must not keep others from it; see limits.starting",
    "cookie_secret": "secrets stand in files: see cookie_secret_file in /etc/skiva/jupyterhub_config.py",
    "cookie_secret_file": "Skiva keeps it in its private directory, SKIVA_STATE",
    "db_url": "SKIVA_DB_URL in /etc/skiva/environment names the database",
    "hub_bind_url": _ADDRESS,
    "hub_connect_ip": "hub.api_url says how nodes reach the hub",
    "hub_connect_port": "hub.api_url says how nodes reach the hub",
    "hub_connect_url": "hub.api_url says how nodes reach the hub",
    "hub_ip": _ADDRESS,
    "hub_port": _ADDRESS,
    "inactive_server_timeout": "idle.minutes says after how long an unused server ends",
    "internal_ssl": "sessions speak TLS with hub and proxy, each by a certificate of its own",
    "ip": _PUBLIC,
    "load_roles": f"Skiva has roles of its own: add yours by c.JupyterHub.load_roles.extend; {_COPY}",
    "named_server_limit_per_user": "limits.servers says how many servers a person may have",
    "port": _PUBLIC,
    "proxy_class": _PROXY,
    "services": f"Skiva has services of its own: add yours by c.JupyterHub.services.extend; {_COPY}",
    "spawner_class": "Skiva's SliceSpawner takes its place",
    "ssl_cert": "your web server has the certificate, and forwards to Skiva's proxy",
    "ssl_key": "your web server has the certificate, and forwards to Skiva's proxy",
    "template_paths": f"Skiva has pages of its own: add yours by c.JupyterHub.template_paths.extend; {_COPY}",
    "template_vars": f"Skiva has some of its own: add yours by c.JupyterHub.template_vars.update; {_COPY}",
    "tornado_settings": f"Skiva has its own: add yours by c.JupyterHub.tornado_settings.update; {_COPY}",
    "trusted_downstream_ips": f"Skiva trusts this machine's proxy: extend it; {_COPY}",
}
_OF_A_SPAWNER = {
    "args": "a session's server takes no arguments; write settings into the environment's etc/jupyter",
    "auth_state_hook": _HOOK,
    "batch_cancel_cmd": "cluster.bin says where scancel is",
    "batch_query_cmd": _ONE_READER,
    "batch_script": "sessions have a script of their own; its plain #SBATCH lines were read",
    "batch_submit_cmd": "cluster.bin says where sbatch is",
    "batchspawner_singleuser_cmd": _LAUNCHER,
    "cmd": _LAUNCHER,
    "cpu_guarantee": _NO_LIMIT,
    "cpu_limit": _NO_LIMIT,
    "default_url": "a session opens JupyterLab",
    "disable_user_config": "what starts a server is the operator's, always",
    "env_keep": "a job gets only the variables that it needs",
    "environment": "a job gets only the variables that it needs; put others into the environment's kernels"
    " (env in kernel.json)",
    "exec_prefix": "hub.helper is what acts as a user",
    "form_template": _FORM,
    "http_timeout": "limits.start_seconds says how long a server may take to answer",
    "hub_connect_url": "hub.api_url says how nodes reach the hub",
    "ip": "hub.bind is the address on which servers listen",
    "mem_guarantee": _NO_LIMIT,
    "mem_limit": _NO_LIMIT,
    "notebook_dir": "a session opens its owner's home",
    "options_form": _FORM,
    "options_from_form": _FORM,
    "poll_interval": f"{_ONE_READER}; see cluster.idle_interval",
    "port": "hub.ports is the range in which servers listen",
    "post_stop_hook": _HOOK,
    "pre_spawn_hook": _HOOK,
    "profile_form_template": _FORM,
    "profiles": "a slice is a job in Slurm, and these are no list of titles, keys, classes and settings",
    "progress_ready_hook": _HOOK,
    "start_timeout": "waiting in the queue has no end; limits.start_seconds counts once the job runs",
    "startup_poll_interval": f"{_ONE_READER}; see cluster.busy_interval",
    "state_exechost_exp": "the address comes from Slurm's NodeAddr",
    "state_exechost_re": "the address comes from Slurm's NodeAddr",
    "state_pending_re": _STATES,
    "state_running_re": _STATES,
    "state_unknown_re": "silence is never taken for the end of a job",
}


def advice(section: str, name: str, spawners: frozenset[str]) -> str:
    """The reason why `section.name` is not in the site file, for settings of which the site file has none.

    `spawners` are the classes that the configuration's spawners are made from.
    """
    if section == "JupyterHub":
        return _OF_THE_HUB.get(name, _HUBS_OWN)
    if section in spawners or section.endswith("Spawner"):
        return _OF_A_SPAWNER.get(name, _OF_ANOTHER)
    if section.endswith("Proxy"):
        return _PROXY
    return f"the site file has nothing of {section or name}; if your hub still uses it, {_COPY}"
