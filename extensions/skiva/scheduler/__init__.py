"""jupyter-scheduler's forms and schedules on Slurm: its jobs are Skiva's runs. An extra: `scheduler`."""

from skiva.scheduler.environments import SlurmEnvironments
from skiva.scheduler.results import RunFiles
from skiva.scheduler.scheduler import SlurmScheduler

__all__ = ["RunFiles", "SlurmEnvironments", "SlurmScheduler"]
