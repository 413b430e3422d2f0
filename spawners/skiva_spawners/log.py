"""Structured log lines, `key=value`, that carry one id from the click to the job.

The id is the session's nonce: it is in the hub's log, in the job's comment in Slurm, in the name
of the run directory and in the job's own log.
"""

import logging

import structlog

__all__ = ["session_log"]


def session_log(nonce: str, user: str, server: str) -> structlog.stdlib.BoundLogger:
    """A logger whose lines name the session; they go to the hub's log."""
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger("JupyterHub.skiva"),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.LogfmtRenderer(key_order=["event"]),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        session=nonce,
        user=user,
        server=server,
    )
    return logger
