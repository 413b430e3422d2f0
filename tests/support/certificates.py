"""Certificates of servers that tests start."""

import subprocess
from pathlib import Path

__all__ = ["certificate"]


def certificate(here: Path) -> Path:
    """Make `hub.example.org.pem` and `.key` in a directory, for 127.0.0.1; gives what to trust."""
    key, made = here / "hub.example.org.key", here / "hub.example.org.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    name = ["-subj", "/CN=hub", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(made)]
    argv = ["openssl", "req", "-x509", "-days", "2", *kind, *name, *files]
    subprocess.run(argv, check=True, capture_output=True)
    return made
