"""What jupyter-scheduler's 3.x line, which is not released yet, finds by its entry points."""

from typing import Any

from skiva.scheduler.environments import SlurmEnvironments
from skiva.scheduler.features import SlurmFeatures
from skiva.scheduler.scheduler import SlurmScheduler

__all__ = ["SlurmBackend"]

try:
    from jupyter_scheduler import base_backend
except ImportError:  # 2.x, where lines of configuration do the same
    _Base: Any = object
else:
    _Base = base_backend.BaseBackend


class SlurmBackend(_Base):
    """Names the parts."""

    id = "skiva"
    name = "Slurm"
    description = "Runs notebooks as batch jobs on Slurm; they are in the panel of runs too."
    scheduler_class = SlurmScheduler
    execution_manager_class = SlurmFeatures
    environment_manager_class = SlurmEnvironments
    database_manager_class = None
    file_extensions = ("ipynb",)
    output_formats = ({"id": "ipynb", "label": "Notebook"}, {"id": "html", "label": "HTML"})
