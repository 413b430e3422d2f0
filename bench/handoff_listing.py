"""Lists many runs: `python handoff_listing.py make|jobs|index ROOT`, as the person whose runs they are.

`make` copies one of their functions' runs as often as wanted; the others print the seconds of one
listing as JSON. It is copied to where that account can read it, so nothing of the other modules is used here.
"""

import json
import os
import shutil
import sys
import time
from pathlib import Path

MANY, SHOWN = 1000, 200


def make(root: Path) -> dict[str, float]:
    """Copy a function's run that has a result, each copy under its own name and day."""
    pattern = next((Path.home() / "skiva-runs").glob("*/result.pkl")).parent
    spec = json.loads((pattern / "spec.json").read_text())
    root.mkdir(mode=0o700)
    for number in range(MANY):
        name = f"26{number % 12 + 1:02}{number % 28 + 1:02}-{number:08}"
        shutil.copytree(pattern, root / name)
        (root / name / "spec.json").write_text(json.dumps(spec | {"id": name}))
    return {"made": float(MANY)}


def jobs() -> dict[str, float]:
    """What `skiva.jobs(limit=200)` takes until its table is there, in a kernel that knows skiva."""
    import skiva

    _ = skiva.Run
    begun = time.monotonic()
    found = skiva.jobs(limit=SHOWN)
    found._repr_mimebundle_()
    seconds = time.monotonic() - begun
    if len(found) != SHOWN:
        raise ValueError(f"{len(found)} runs")
    return {"seconds": seconds}


def index(root: Path) -> dict[str, float]:
    """What the server takes for its first answer to the panel, and for the next."""
    from skiva.server.runs.index import Index

    listing = Index(root)
    begun = time.monotonic()
    told = listing.answer(None, limit=SHOWN)
    first = time.monotonic()
    runs = list(told["runs"])
    while len(runs) < SHOWN and told["more"]:  # an answer does not wait for all of them
        told = listing.answer(None, limit=SHOWN - len(runs), before=runs[-1]["id"])
        runs += told["runs"]
    then = time.monotonic()
    listing.answer(None, told["version"])
    if len({run["id"] for run in runs}) != SHOWN:
        raise ValueError(f"{len(runs)} runs")
    return {"seconds": then - begun, "first": first - begun, "again": time.monotonic() - then}


def main(what: str, root: Path) -> None:
    """One of the three."""
    os.environ["SKIVA_RUNS"] = str(root)
    told = jobs() if what == "jobs" else {"make": make, "index": index}[what](root)
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
