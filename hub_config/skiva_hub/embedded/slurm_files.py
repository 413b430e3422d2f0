"""The text of slurm.conf, gres.conf and cgroup.conf of an embedded cluster."""

from collections.abc import Iterator

from skiva_hub.embedded.layout import GresPlan, Layout, NodePlan

LOW_PRIORITY = "lowprio"
"""A partition over all nodes whose jobs are requeued when somebody wants their place."""

# slurmctld looks at new batch jobs once a second, and nothing makes it look more often. Backfill could start
# some a little earlier, but does not save that it did: a crash of slurmctld would then cost running jobs.
_SCHEDULER = "batch_sched_delay=0,sched_min_interval=10000,sched_interval=10,bf_interval=10,bf_continue"


def slurm_conf(layout: Layout) -> str:
    """slurm.conf: one controller and several nodes, all on 127.0.0.1, tuned for a quick start."""
    fenced = layout.fenced
    lines = [
        f"ClusterName=skiva_{layout.id}",
        "SlurmctldHost=localhost(127.0.0.1)",
        f"SlurmctldPort={layout.controller_port}",
        "CommunicationParameters=NoInAddrAny,NoCtldInAddrAny",
        f"SlurmUser={layout.owners.slurm}",
        f"SlurmdUser={layout.owners.slurmd}",
        "AuthType=auth/munge",
        "CredType=cred/munge",
        # Slurm lets a requeued job wait for as long; its default is two minutes.
        f"AuthInfo=socket={layout.munge_socket},cred_expire=20",
        f"StateSaveLocation={layout.slurm}/state",
        f"SlurmdSpoolDir={layout.slurm}/spool/%n",
        f"SlurmctldPidFile={layout.slurm}/state/slurmctld.pid",
        f"SlurmdPidFile={layout.slurm}/spool/%n.pid",
        f"PlugStackConfig={layout.slurm}/plugstack.conf",
        "SlurmctldDebug=info",
        "SlurmdDebug=info",
        "LogTimeFormat=iso8601_ms",
        f"ProctrackType=proctrack/{'cgroup' if fenced else 'linuxproc'}",
        *(["TaskPlugin=task/cgroup", f"Epilog={layout.epilog}"] if fenced else []),
        "MpiDefault=none",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_CPU_Memory",
        f"GresTypes={','.join(_gres_names(layout)) or 'gpu'}",
        "SlurmdParameters=config_overrides",
        "SchedulerType=sched/backfill",
        f"SchedulerParameters={_SCHEDULER}",
        "PriorityType=priority/basic",
        "PreemptType=preempt/partition_prio",
        "PreemptMode=REQUEUE",
        "JobRequeue=1",
        "EnforcePartLimits=ALL",
        "PropagateResourceLimits=NONE",
        "ReturnToService=2",
        "SlurmdTimeout=120",
        "MinJobAge=600",
        "KillWait=10",
        "InactiveLimit=0",
        *(_node_line(node) for node in layout.nodes),
        *_partition_lines(layout),
    ]
    return "\n".join(lines) + "\n"


def gres_conf(layout: Layout) -> str:
    """gres.conf: each device file, on the node that has it."""
    lines = ["AutoDetect=off"]
    for node in layout.nodes:
        for gres in node.gres:
            lines += _gres_lines(node, gres)
    return "\n".join(lines) + "\n"


def cgroup_conf(layout: Layout) -> str:
    """cgroup.conf: devices and memory are fenced where the machine can; cores are shared out freely."""
    if not layout.fenced:
        # Before Slurm had a word for *none*, this plugin, which does nothing until it is asked, stood for it.
        return f"CgroupPlugin={'disabled' if layout.slurm_version >= (24, 5) else 'cgroup/v1'}\n"
    make_controllers = "EnableControllers" if layout.slurm_version >= (23, 11) else "CgroupAutomount"
    return (
        "CgroupPlugin=autodetect\n"
        # On cgroup v2 the nodes' cgroups are made by slurmd itself: the cluster is no systemd unit.
        "IgnoreSystemd=yes\n"
        f"{make_controllers}=yes\n"
        "ConstrainDevices=yes\n"
        "ConstrainRAMSpace=yes\n"
        "ConstrainCores=no\n"
    )


def _gres_names(layout: Layout) -> list[str]:
    plans = [gres for node in layout.nodes for gres in node.gres]
    return (["gpu"] if plans else []) + (["shard"] if any(g.shards for g in plans) else [])


def _node_line(node: NodePlan) -> str:
    gres = [f"gpu:{g.type}:{len(g.devices)}" for g in node.gres]
    gres += [f"shard:{g.shards * len(g.devices)}" for g in node.gres if g.shards]
    return (
        f"NodeName={node.name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={node.port} "
        f"CPUs={node.cores} RealMemory={node.memory_mb}" + (f" Gres={','.join(gres)}" if gres else "")
    )


def _partition_lines(layout: Layout) -> Iterator[str]:
    common = "State=UP MaxTime=1-00:00:00 DefaultTime=01:00:00 DefMemPerCPU=512"
    if layout.owners.people:  # another cluster on this machine has people of its own
        common += f" AllowGroups={layout.owners.people}"
    for name in dict.fromkeys(s.partition for s in layout.slices):
        nodes = ",".join(n.name for n in layout.nodes if name in n.partitions)
        yield f"PartitionName={name} Nodes={nodes} PriorityTier=10 PreemptMode=OFF {common}"
    everywhere = ",".join(n.name for n in layout.nodes)
    yield f"PartitionName={LOW_PRIORITY} Nodes={everywhere} PriorityTier=1 PreemptMode=REQUEUE {common}"


def _gres_lines(node: NodePlan, gres: GresPlan) -> Iterator[str]:
    for device in gres.devices:
        files = ",".join(str(f) for f in device.files)
        key = "MultipleFiles" if len(device.files) > 1 else "File"
        yield f"NodeName={node.name} Name=gpu Type={gres.type} {key}={files}"
    for device in gres.devices if gres.shards else ():
        yield f"NodeName={node.name} Name=shard Count={gres.shards} File={device.files[0]}"
