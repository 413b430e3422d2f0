"""Slurm, as both sides see it: pure builders and parsers, one runner, one watcher."""
