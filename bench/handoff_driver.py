"""What a person does who hands work to the queue, by either side's means: a line asks, a line answers.

`python handoff_driver.py FOLDER OPTIONS` runs in the person's account, in an environment that has both sides'
packages. Each request is a JSON object on standard input, `{"do": …, "side": …}`; each answer one on standard
output. It is copied to where that account can read it, so nothing of the other modules is used here.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import submitit

import skiva

_PATIENCE = 120.0
_LINES = 20


def trivial() -> int:
    """The function whose result is waited for."""
    return 42


def number(item: int) -> int:
    """The function of the map."""
    return item


def speak() -> None:
    """Prints when it prints."""
    for _ in range(_LINES):
        print(f"said {time.time():.4f}", flush=True)
        time.sleep(0.37)


class Driver:
    """Both sides, with the same options for Slurm.

    Args:
        folder: the person's, for what is written.
        options: `slice`, `partition`, `cores`, `memory_mb`, `gres`, `minutes`, `runs`.
    """

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self._folder = folder
        self._options = options
        self._asked = {"slice": options["slice"], "hours": options["minutes"] / 60}
        self._executor, self._hurried = self._submitit(), self._submitit()
        self._hurried._throttling = 0.0  # noqa: SLF001 - its pauses have no public name

    def _submitit(self) -> submitit.SlurmExecutor:
        options = self._options
        executor = submitit.SlurmExecutor(self._folder / "submitit")
        executor.update_parameters(
            partition=options["partition"],
            cpus_per_task=options["cores"],
            mem=f"{options['memory_mb']}M",
            time=options["minutes"],
            **({"gres": options["gres"]} if options.get("gres") else {}),
        )
        return executor

    def result(self, side: str) -> dict[str, float]:
        """Submit a function and wait for what it returns."""
        begun = time.monotonic()
        if side == "skiva":
            run = skiva.submit(trivial, **self._asked)
            submitted = time.monotonic()
            there = _appears(run.directory / "result.pkl")
            value = run.result(_PATIENCE)
        else:
            job = self._executor.submit(trivial)
            submitted = time.monotonic()
            there = _appears(job.paths.result_pickle)
            value = job.result()
        ended = time.monotonic()
        if value != trivial():
            raise ValueError(f"{side} gave {value!r}")
        return {"submit": submitted - begun, "file": there() - begun, "result": ended - begun}

    def notebook(self, side: str) -> dict[str, float]:
        """Run a notebook, and wait until its outputs are whole."""
        source = self._folder / "small.ipynb"
        if side == "skiva":
            begun = time.monotonic()
            run = skiva.submit_notebook(source, **self._asked)
            submitted = time.monotonic()
            status = run.wait(_PATIENCE)
            ended, output = time.monotonic(), run.directory / "out.ipynb"
            if status.state != "completed":
                raise ValueError(f"{status.state}: {status.sentence}")
        else:
            output = self._folder / f"out-{time.monotonic_ns()}.ipynb"
            end = output.with_suffix(".end")
            begun = time.monotonic()
            self._papermill(source, output, end)
            submitted = time.monotonic()
            _until(end.exists)
            ended = time.monotonic()
            if end.read_text().strip() != "0":
                raise ValueError((self._folder / "papermill.log").read_text()[-2000:])
        if "4950" not in output.read_text():
            raise ValueError(f"{side}: the notebook has not its outputs")
        return {"submit": submitted - begun, "result": ended - begun}

    def _papermill(self, source: Path, output: Path, end: Path) -> None:
        """The job script that one writes by hand; its last line tells whoever waits for the file."""
        one = self._options
        gres = f"#SBATCH --gres={one['gres']}\n" if one.get("gres") else ""
        script = (
            f"#!/bin/sh\n#SBATCH --partition={one['partition']}\n"
            f"#SBATCH --cpus-per-task={one['cores']}\n{gres}"
            f"#SBATCH --mem={one['memory_mb']}M\n#SBATCH --time={one['minutes']}\n"
            f"#SBATCH --output={self._folder}/papermill.log\n"
            f"{sys.executable} -m papermill {source} {output}\n"
            f"echo $? >{end}.new\nmv {end}.new {end}\n"
        )
        subprocess.run(["sbatch"], input=script, text=True, check=True, stdout=subprocess.DEVNULL)

    def map(self, side: str) -> dict[str, float]:
        """Submit a map; nobody waits for it."""
        items = list(range(self._options["items"]))
        begun = time.monotonic()
        if side == "skiva":
            skiva.map(number, items, **self._asked)
        elif side == "submitit, map_array":
            self._executor.map_array(number, items)
        else:
            executor = self._hurried if "without" in side else self._executor
            for item in items:
                executor.submit(number, item)
        return {"submit": time.monotonic() - begun}

    def speak(self, _: str) -> dict[str, Any]:
        """Start a run that prints when it prints; its id."""
        return {"id": skiva.submit(speak, **self._asked).id}

    def heard(self, run: str) -> dict[str, Any]:
        """Follow its log as `logs(follow=True)` does; how late each line was."""
        return {"late": late(skiva.run(run))}

    def wait(self, run: str) -> dict[str, Any]:
        """Wait for the end of a run."""
        return {"state": skiva.run(run).wait(_PATIENCE).state}


class _Clock:
    """A standard output that notes how late each line is."""

    def __init__(self) -> None:
        self.late: list[float] = []

    def write(self, text: str) -> int:
        now = time.time()
        self.late += [now - float(line.split()[1]) for line in text.splitlines() if line.startswith("said ")]
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""


def late(run: skiva.Run) -> list[float]:
    """Seconds from each print to its being shown by `logs(follow=True)`."""
    clock, shown = _Clock(), sys.stdout
    sys.stdout = clock
    try:
        run.logs(follow=True)
    finally:
        sys.stdout = shown
    return clock.late


def _appears(path: Path) -> Callable[[], float]:
    """Watch for a file beside whatever else happens; the answer is when it was there."""
    found: list[float] = []

    def watch() -> None:
        _until(path.exists)
        found.append(time.monotonic())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()

    def moment() -> float:
        thread.join()
        return found[0]

    return moment


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("a job has not ended")
        time.sleep(0.02)


def main(folder: Path, options: dict[str, Any]) -> None:
    """Answer requests until there are no more."""
    os.chdir(folder)
    driver = Driver(folder, options)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is not an answer
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            told = getattr(driver, asked["do"])(asked["side"])
        except Exception as problem:  # noqa: BLE001 - whatever it is, it is told
            told = {"problem": f"{asked['do']} of {asked['side']}: {type(problem).__name__}: {problem}"}
        print(json.dumps(told), file=answers)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
