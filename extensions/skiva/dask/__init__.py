"""Dask clusters whose workers are Slurm jobs on slices. People use `skiva.cluster` and `skiva.clusters`."""

__all__: list[str] = []
