"""Starts notebook servers in Slurm jobs, for JupyterHub."""

from skiva_spawners.spawner import SliceSpawner

__all__ = ["SliceSpawner"]
