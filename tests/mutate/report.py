"""Tells how many mutants were noticed, and shows those that were not."""

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path

from tests.mutate.loop import Result
from tests.mutate.mutants import Mutant


class Fate(StrEnum):
    """What became of a mutant."""

    NOTICED = "noticed"
    TIMED_OUT = "timed out"
    SURVIVED = "survived"
    UNTESTED = "untested"  # no test calls the function


def share(mutants: Sequence[Mutant], result: Result) -> float:
    """How many tests noticed, in per cent."""
    return _per_cent(Counter(_fates(mutants, result).values()))


def text(mutants: Sequence[Mutant], result: Result, *, floor: float) -> str:
    """A table of modules, what survived, and the verdict."""
    fates = _fates(mutants, result)
    modules: dict[Path, Counter[Fate]] = {}
    for mutant in mutants:
        modules.setdefault(mutant.file, Counter())[fates[mutant]] += 1
    together = Counter(fates.values())
    width = max(map(len, map(str, modules)), default=0)
    lines = [f"{'':{width}}" + "".join(f"{word:>10}" for word in ("mutants", *Fate, "per cent"))]
    lines += [_row(f"{file!s:{width}}", counted) for file, counted in sorted(modules.items())]
    lines += [_row(f"{'together':{width}}", together), ""]
    lines += [
        f"{name} fails without any mutant, and was left out:\n{why}\n"
        for name, why in result["failing"].items()
    ]
    lines += list(_survivors(fates))
    lines.append(
        f"{_per_cent(together):.1f} % of {together.total()} mutants were noticed; {floor:g} % must be."
    )
    return "\n".join(lines)


def _fates(mutants: Iterable[Mutant], result: Result) -> dict[Mutant, Fate]:
    told = dict.fromkeys(result["survived"], Fate.SURVIVED)
    told |= dict.fromkeys(result["untested"], Fate.UNTESTED)
    told |= dict.fromkeys(result["timed_out"], Fate.TIMED_OUT)
    return {mutant: told.get(mutant.name, Fate.NOTICED) for mutant in mutants}


def _survivors(fates: dict[Mutant, Fate]) -> Iterable[str]:
    untested = Counter((one.file, one.function) for one, fate in fates.items() if fate is Fate.UNTESTED)
    for (file, function), count in untested.items():
        yield f"{file}: no test calls {function} ({count} mutants)"
    for mutant in sorted(fates, key=lambda one: (one.file, one.line)):
        if fates[mutant] is Fate.SURVIVED:
            yield f"{mutant.file}:{mutant.line} in {mutant.function}\n{mutant.diff}\n"


def _row(name: str, fates: Counter[Fate]) -> str:
    numbers = [fates.total(), *(fates[fate] for fate in Fate)]
    return name + "".join(f"{number:>10}" for number in numbers) + f"{_per_cent(fates):>10.1f}"


def _per_cent(fates: Counter[Fate]) -> float:
    """Where there is nothing to try, nothing is amiss."""
    return 100 * (fates[Fate.NOTICED] + fates[Fate.TIMED_OUT]) / fates.total() if fates else 100.0
