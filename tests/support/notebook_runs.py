"""Notebooks run by the job's side of a run, in a directory laid out by hand and without a Slurm."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from tests.support.waiting import wait_until

from skiva.runs.spec import Spec

__all__ = ["NotebookRun", "notebook_of", "text_of"]

_PROGRAM = """
import json, sys
from pathlib import Path
from skiva.runs.spec import Spec
from skiva.runs.notebook.runner import main
directory = Path(sys.argv[1])
sys.exit(main(directory, Spec.from_json(json.loads((directory / "spec.json").read_text()))))
"""


def notebook_of(*cells: str, tags: Mapping[int, Sequence[str]] | None = None) -> NotebookNode:
    """A notebook for Python of these cells; what begins with `#md` is text."""
    made = [new_markdown_cell(text) if text.startswith("#md") else new_code_cell(text) for text in cells]
    for index, names in (tags or {}).items():
        made[index].metadata["tags"] = list(names)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return NotebookNode(new_notebook(cells=made, metadata={"kernelspec": kernel}))


def text_of(cell: NotebookNode) -> str:
    """All that a cell printed or shows, as text."""
    parts = []
    for output in cell.outputs:
        if output.output_type == "stream":
            parts.append(output.text)
        elif output.output_type == "error":
            parts.append(f"{output.ename}: {output.evalue}")
        else:
            parts.append(output.data.get("text/plain", ""))
    return "\n".join(parts)


@dataclass
class NotebookRun:
    """One run's directory, and the process that works on it."""

    directory: Path
    notebook: NotebookNode
    spec: Mapping[str, Any] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        self.directory.mkdir(mode=0o700)
        nbformat.write(self.notebook, self.directory / "input.ipynb")
        facts = {
            "id": "261122-abcdefgh",
            "name": "a notebook",
            "kind": "notebook",
            "created": 0.0,
            "slice": "cpu",
            "hours": 1.0,
            "cwd": str(self.directory),
            **self.spec,
        }
        (self.directory / "spec.json").write_text(json.dumps(Spec(**facts).to_json()))

    def start(self, restarts: int = 0) -> None:
        """Begin a job."""
        env = {**os.environ, "SLURM_RESTART_COUNT": str(restarts), "PYTHONWARNINGS": "default"}
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(self.directory)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                cwd=self.directory,
                start_new_session=True,
            )

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal, as the job's main process does."""
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, seconds: float = 60.0) -> int:
        """Its exit status."""
        assert self.process is not None
        return self.process.wait(seconds)

    def run(self, restarts: int = 0) -> int:
        """A whole job; its exit status."""
        self.start(restarts)
        return self.wait()

    def end(self) -> None:
        """Leave nothing running."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def log(self) -> str:
        """All that it printed."""
        return (self.directory / "log").read_text(errors="replace")

    @property
    def out(self) -> NotebookNode:
        """The notebook that it wrote."""
        return NotebookNode(nbformat.read(self.directory / "out.ipynb", as_version=4))

    def json(self, name: str) -> dict[str, Any]:
        """One of its JSON files."""
        return dict(json.loads((self.directory / name).read_text()))

    def number(self, name: str) -> int:
        """The number in one of its files, 0 where there is none yet."""
        path = self.directory / name
        return int(path.read_text() or 0) if path.exists() else 0

    def states(self) -> list[str]:
        """What is said of each cell."""
        return [cell.metadata.get("skiva", {}).get("state", "") for cell in self.out.cells]

    def wait_for_output(self, text: str, cell: int, seconds: float = 30.0) -> None:
        """Wait until a cell's output on disk has this text."""
        path = self.directory / "out.ipynb"
        wait_until(
            lambda: path.exists() and text in text_of(self.out.cells[cell]),
            seconds,
            f"{text!r} in the notebook",
        )
