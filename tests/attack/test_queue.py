"""The hub's readings of the queue, before the eyes of an ordinary account of the same machine."""

import json
from typing import Any

_WATCH = """
import json, re, sys, time
from pathlib import Path

seen, refused = [], 0
end = time.monotonic() + 60
while len(seen) < 3 and time.monotonic() < end:
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().decode(errors="replace").split("\\0")
            # Others on this machine ask squeue too.
            if not words[0].endswith("/squeue") or words[1:3] != ["--local", "--all"]:
                continue
            seen.append(words)
            (place / "environ").read_bytes()
        except PermissionError:
            refused += 1
        except OSError:
            pass
print(json.dumps([seen, refused]))
"""


def test_nobody_learns_where_a_row_of_the_queue_ends(cluster: Any) -> None:
    """Whoever knew the word between rows could add rows about anybody's jobs to a comment of their own."""
    done = cluster.run_as("researcher2", ["/usr/bin/python3", "-c", _WATCH], timeout=90)
    assert done.returncode == 0, done.stderr
    seen, refused = json.loads(done.stdout)
    assert seen, "the hub did not read the queue within a minute"
    for words in seen:
        assert words[1:] == ["--local", "--all", "--states=all", "--sort=i", ""]
    assert refused
