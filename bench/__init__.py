"""Measurements beside stock batchspawner on the same Slurm: `./skiva bench NAME`."""
