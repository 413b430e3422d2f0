"""`skiva doctor`: compares a site file with what its Slurm really has, and says how to mend what differs."""

from skiva_hub.doctor.command import main
from skiva_hub.doctor.finding import Finding, Level

__all__ = ["Finding", "Level", "main"]
