"""From a stock batchspawner configuration to a site file; what does not carry over is told, all of it."""

from skiva_hub.migrate.command import main

__all__ = ["main"]
