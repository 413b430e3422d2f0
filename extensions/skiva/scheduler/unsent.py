"""What was due and could not be sent: a run that was refused, so that it is seen where runs are seen."""

import json
import shutil
import time
from pathlib import Path

from skiva.runs.files import write_json, write_whole
from skiva.runs.ids import new_run_id
from skiva.runs.paths import RunDir
from skiva.runs.spec import Spec
from skiva.scheduler.card import CARD, Card
from skiva.scheduler.compute import parse_compute_type
from skiva.scheduler.sending import Staged, title

__all__ = ["note_unsent"]


def note_unsent(root: Path, card: Card, staged: Staged, key: str, sentence: str) -> RunDir:
    """Write down that a notebook was not sent, and why. Raises OSError."""
    now = time.time()
    slice_id, hours = parse_compute_type(card.compute_type)
    spec = Spec(
        id=new_run_id(now),
        name=title(card.name),
        kind="notebook",
        created=now,
        slice=slice_id or "",
        hours=hours or 0.0,
        cwd=str(staged.path.parent),
        source={"notebook": str(staged.path)},
        key=key,
    )
    draft = root / f".new-{spec.id}"
    draft.mkdir(mode=0o700)
    try:
        write_whole(draft / "input.ipynb", staged.content, sync=False)
        write_whole(draft / CARD, json.dumps(card.model_dump()).encode(), sync=False)
        write_json(draft / "refused.json", {"sentence": sentence, "at": now}, sync=False)
        write_json(draft / "spec.json", spec.to_json())
        draft.rename(root / spec.id)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return RunDir(root / spec.id)
