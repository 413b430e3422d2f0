"""Keeps a kernel's variables and brings them back. Its text is run inside kernels, of any environment.

So it needs Python >= 3.8, the standard library and cloudpickle, whose place it is told where the
environment has none. Variables are written one by one, and yet share what they shared: a model and its
optimizer stay a pair. Functions written in the notebook find the new kernel's variables as their own.
"""

from __future__ import annotations

import dis
import importlib.util
import io
import json
import os
import pickle
import pickletools
import re
import sys
import time
import types
from pathlib import Path
from typing import Any

_NAMELESS = re.compile(r"_+|_i+|_i?\d+|_[iod]h|In|Out|exit|quit|open|get_ipython|__\w+__")
_MAGIC = b"skiva-variables\n"
_KNOWN = (
    ("generator", "a generator that has begun cannot be copied; make it a list"),
    ("coroutine", "a coroutine that has begun cannot be copied"),
    ("socket", "a network connection lives in one process"),
    ("sqlite3", "a connection to a database lives in one process"),
    ("_thread", "it holds a lock or a thread, which live in one process"),
    ("lock", "it holds a lock, which lives in one process"),
    ("weakref", "it refers to something that only this process has"),
)


def answer(request: dict[str, Any]) -> None:
    """Carry out one request in the kernel's own variables."""
    _find_cloudpickle(request.get("cloudpickle", ""))
    namespace = sys.modules["__main__"].__dict__
    path = Path(request["path"])
    if request["do"] == "save":
        end = time.monotonic() + request["seconds"]
        told = keep(path, namespace, names_of(namespace), end, request["facts"])
    else:
        told = {"lost": restore(path, namespace)}
    _replace(Path(request["answer"]), json.dumps(told).encode())


def names_of(namespace: dict[str, Any]) -> list[str]:
    """What a person has put into a notebook's namespace."""
    shell = namespace.get("get_ipython")
    hidden = set(getattr(shell(), "user_ns_hidden", ())) if callable(shell) else set()
    return [
        name
        for name, value in list(namespace.items())
        if name not in hidden and not _NAMELESS.fullmatch(name) and not _is_spent(value)
    ]


def _is_spent(value: Any) -> bool:
    """Whether nobody would miss it: a file that is closed."""
    return isinstance(value, io.IOBase) and value.closed


def keep(
    path: Path, namespace: dict[str, Any], names: list[str], end: float, facts: dict[str, Any]
) -> dict[str, Any]:
    """Write the named variables, with those that functions of theirs read; the file appears whole.

    Args:
        path: of the file.
        namespace: the notebook's variables.
        names: of those to keep.
        end: when no other is begun (monotonic).
        facts: what else shall lie in the file.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(".%s.%d" % (path.name, os.getpid()))
    kept, lost = [], []
    with temporary.open("wb") as file:
        pickler = None
        used: set[str] = set()
        waiting = sorted(names, key=lambda name: _rough_size(namespace.get(name)))
        for name in waiting:
            begin = file.tell()
            after, reason = _dump(file, namespace, name, pickler, end, used)
            if reason:
                file.seek(begin)
                file.truncate()
                lost.append({"name": name, "reason": reason})
            else:
                pickler = after
                kept.append({"name": name, "at": begin, "size": file.tell() - begin})
            waiting += sorted(used.intersection(namespace).difference(waiting))
        index = {**facts, "kept": kept, "lost": lost, "cwd": os.getcwd(), "sys_path": list(sys.path)}
        text = json.dumps(index).encode()
        file.write(text + len(text).to_bytes(8, "big") + _MAGIC)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return index


def index_of(path: Path) -> dict[str, Any]:
    """What lies in a file of variables. Raises ValueError or OSError where it is none."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 8 - len(_MAGIC)))
        tail = file.read()
        if tail[8:] != _MAGIC:
            raise ValueError("%s holds no variables" % path)
        length = int.from_bytes(tail[:8], "big")
        file.seek(size - len(tail) - length)
        index = json.loads(file.read(length))
    return dict(index)


def _dump(
    file: Any, namespace: dict[str, Any], name: str, before: Any, end: float, used: set[str]
) -> tuple[Any, str]:
    if time.monotonic() > end:
        return None, "there was no time left to save it"
    value = namespace[name]
    if isinstance(value, io.IOBase) and not isinstance(value, (io.BytesIO, io.StringIO)):
        return None, "an open file lives in one process; open it anew, by its path"
    try:
        pickler = _pickler(file, namespace, used)
        if before is not None:
            pickler.memo = before.memo
        pickler.dump(value)
    except KeyboardInterrupt:
        return None, "there was no time left to save it"
    except BaseException as problem:  # noqa: BLE001 - any type may refuse in any way
        return None, _reason(value, problem)
    return pickler, ""


def _pickler(file: Any, namespace: dict[str, Any], used: set[str]) -> Any:
    import cloudpickle

    class Pickler(cloudpickle.CloudPickler):  # type: ignore[misc, name-defined, unused-ignore]
        def reducer_override(self, found: Any) -> Any:
            reduced = super().reducer_override(found)
            if isinstance(found, types.FunctionType) and found.__globals__ is namespace:
                used.update(_globals_of(found.__code__))
                return _at_home(reduced)
            return reduced

    return Pickler(file, protocol=5)


def _globals_of(code: types.CodeType) -> set[str]:
    """The variables of the notebook that a function reads."""
    found = {one.argval for one in dis.get_instructions(code) if one.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return found.union(*(_globals_of(one) for one in code.co_consts if isinstance(one, types.CodeType)))


class _Home:
    """Stands for the variables of whatever kernel reads it."""

    def __reduce__(self) -> Any:
        return vars, (sys.modules["__main__"],)


_HOME = _Home()


def _at_home(reduced: Any) -> Any:
    """A function written in the notebook, with the reading kernel's variables instead of copies of ours."""
    try:
        make, (code, _, *others), (state, slots), *rest = reduced
        slots = {**slots, "__globals__": {}}
    except (TypeError, ValueError):
        return reduced
    return (make, (code, _HOME, *others), (state, slots), *rest)


def restore(path: Path, namespace: dict[str, Any]) -> list[dict[str, str]]:
    """Bring variables back; those that cannot be, with the reasons."""
    index = index_of(path)
    sys.path[:] += [place for place in index["sys_path"] if place not in sys.path]
    try:
        os.chdir(index["cwd"])
    except OSError as problem:
        print("skiva: %s cannot be entered: %s" % (index["cwd"], problem.strerror))
    with path.open("rb") as file:
        return _load(file, namespace, index["kept"])


def _load(file: Any, namespace: dict[str, Any], kept: list[dict[str, Any]]) -> list[dict[str, str]]:
    unpickler = pickle.Unpickler(file)  # noqa: S301 - the person's own
    for number, entry in enumerate(kept):
        try:
            namespace[entry["name"]] = unpickler.load()
        except Exception as problem:  # noqa: BLE001 - classes may refuse in any way
            begin = sum(_parts(file, before) for before in kept[:number])
            memo = {place: part for place, part in unpickler.memo.copy().items() if place < begin}
            return _load_rest(file, namespace, kept[number:], memo, problem)
    return []


def _load_rest(
    file: Any, namespace: dict[str, Any], kept: list[dict[str, Any]], memo: dict[int, Any], first: Exception
) -> list[dict[str, str]]:
    """What comes after a variable that cannot be read, unless it shares something with one such.

    Parts have numbers by their order, so holes are left where a lost variable's would be.
    """
    lost: list[dict[str, str]] = []
    holes: set[int] = set()
    problem: Exception | None = first
    for entry in kept:
        begin = len(memo)
        try:
            if problem is not None:
                raise problem
            if any(code.name.endswith("GET") and part in holes for code, part, _ in _opcodes(file, entry)):
                raise ValueError("it shares something with a variable that could not be brought back")
            file.seek(entry["at"])
            unpickler: Any = pickle._Unpickler(file)  # noqa: SLF001 - its memo is a plain one
            unpickler.memo = dict(memo)
            namespace[entry["name"]] = unpickler.load()
            memo = unpickler.memo
        except Exception as why:  # noqa: BLE001
            lost.append({"name": entry["name"], "reason": "%s: %s" % (type(why).__name__, why)})
            new = range(begin, begin + _parts(file, entry))
            holes.update(new)
            memo = {**memo, **dict.fromkeys(new)}
        problem = None
    return lost


def _opcodes(file: Any, entry: dict[str, Any]) -> Any:
    file.seek(entry["at"])
    return pickletools.genops(file.read(entry["size"]))


def _parts(file: Any, entry: dict[str, Any]) -> int:
    return sum(code.name == "MEMOIZE" for code, _, _ in _opcodes(file, entry))


def _find_cloudpickle(place: str) -> None:
    try:
        import cloudpickle  # noqa: F401
    except ImportError:
        if not place:
            raise
        spec = importlib.util.spec_from_file_location(
            "cloudpickle", os.path.join(place, "__init__.py"), submodule_search_locations=[place]
        )
        if spec is None or spec.loader is None:
            raise
        module = importlib.util.module_from_spec(spec)
        sys.modules["cloudpickle"] = module
        spec.loader.exec_module(module)


def _rough_size(value: Any) -> int:
    """So that the small things are kept first, where time is short."""
    try:
        size = getattr(value, "nbytes", None)
        return size if isinstance(size, int) else sys.getsizeof(value)
    except Exception:  # noqa: BLE001 - anything may be asked of a person's objects
        return sys.maxsize


def _reason(value: Any, problem: BaseException) -> str:
    words = "%s: %s" % (type(problem).__name__, problem)
    kind = "%s.%s" % (type(value).__module__, type(value).__qualname__)
    for sign, sentence in _KNOWN:
        if sign in kind or sign in words:
            return "%s (%s)" % (sentence, kind.replace("builtins.", ""))
    return "%s (%s)" % (words.strip().splitlines()[0][:200], kind.replace("builtins.", ""))


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(".%s.%d" % (path.name, os.getpid()))
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


if "REQUEST" in globals():
    answer(globals()["REQUEST"])
