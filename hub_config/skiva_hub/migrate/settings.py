"""Which settings a configuration has, which class reads them, and which nobody has looked at yet."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from traitlets import HasTraits, TraitType, Undefined
from traitlets.config.loader import LazyConfigValue
from traitlets.traitlets import EventHandler

from skiva_hub.migrate.loading import Stub

STOCK = ("Spawner", "BatchSpawnerBase", "BatchSpawnerRegexStates", "UserEnvMixin", "SlurmSpawner")
"""Batchspawner's spawner for Slurm and what it is made from, whose settings it reads; the last one wins."""
_WRAPPERS = ("ProfilesSpawner", "WrapSpawner")
_STOCK_PACKAGES = {"batchspawner", "jupyterhub", "traitlets", "wrapspawner"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One value, and where it stands: `SlurmSpawner.req_gres`, or `req_gres of class OurSpawner`."""

    origin: str
    value: Any


@dataclass(frozen=True, slots=True)
class SpawnerClass:
    """A spawner's class as a configuration names it: by a text, or the class itself."""

    name: str
    sections: tuple[str, ...]
    """The classes whose settings it reads; the last one wins."""
    is_slurms: bool
    defaults: Mapping[str, Setting] = field(default_factory=dict)
    """Values of traits that classes of the site declare, which settings replace."""
    fixed: Mapping[str, Setting] = field(default_factory=dict)
    """Values that classes of the site have in place of traits, which no setting replaces."""
    code: tuple[str, ...] = ()
    """Methods that classes of the site have of their own."""
    is_known: bool = True
    """Whether all its classes were there to be looked into."""


def spawner_class(given: object) -> SpawnerClass:
    """Look into a spawner's class; one that is known by its name alone is judged by that."""
    if not isinstance(given, type):
        name = str(given or "SlurmSpawner").rpartition(".")[2]
        sections = tuple(dict.fromkeys((*STOCK, name)))
        return SpawnerClass(name, sections, "slurm" in name.lower(), is_known=name in (*STOCK, *_WRAPPERS))
    classes = [k for k in reversed(given.__mro__) if k not in {Stub, object}]
    names = [k.__name__ for k in classes if issubclass(k, HasTraits)]
    stubs = [k.__name__ for k in classes if Stub in k.__bases__]
    if stubs:
        names = [*STOCK, *names]
    defaults, fixed, code = dict[str, Setting](), dict[str, Setting](), list[str]()
    for own in classes:
        if own.__module__.partition(".")[0] in _STOCK_PACKAGES or Stub in own.__bases__:
            continue
        for name, value in vars(own).items():
            origin = f"{name} of class {own.__name__}"
            if isinstance(value, (FunctionType, EventHandler, property, classmethod, staticmethod)):
                code.append(name)
            elif isinstance(value, TraitType) and not name.startswith("_"):
                default = value.default()
                defaults[name] = Setting(origin, "" if default is Undefined else default)
            elif not name.startswith("_"):
                fixed[name] = Setting(origin, value)
    slurms = "SlurmSpawner" in names if not stubs else any("slurm" in name.lower() for name in names[5:])
    return SpawnerClass(
        given.__name__,
        tuple(dict.fromkeys(names)),
        slurms,
        defaults,
        fixed,
        tuple(dict.fromkeys(code)),
        set(stubs) <= set(_WRAPPERS),
    )


class Configuration:
    """A loaded configuration that knows which of its settings were read."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._settings: dict[str, Any] = {}
        for section, traits in config.items():
            if isinstance(traits, Mapping):
                self._settings.update({f"{section}.{name}": _value(v) for name, v in traits.items()})
            else:
                self._settings[section] = traits
        self._read = set[str]()
        self._beaten: dict[str, str] = {}

    def get(self, origin: str) -> Any:
        """The value of a setting; None where it is not set."""
        return self._settings.get(origin)

    def read(self, *origins: str) -> None:
        """Note that settings went into the site file, or were told."""
        self._read.update(origins)

    def of(self, spawner: SpawnerClass) -> dict[str, Setting]:
        """What a spawner of this class would read, by the names of its traits."""
        found: dict[str, Setting] = {}
        for name, setting in spawner.defaults.items():
            self._put(found, name, setting)
        for section in spawner.sections:
            prefix = f"{section}."
            for origin, value in list(self._settings.items()):
                name = origin.removeprefix(prefix)
                if origin.startswith(prefix):
                    self._put(found, name, Setting(origin, value))
        for name, setting in spawner.fixed.items():
            self._put(found, name, setting)
        return found

    def beaten(self, origin: str, by: str) -> None:
        """Note that another setting is read in place of this one."""
        self._beaten.setdefault(origin, by)

    def rest(self) -> Iterator[tuple[str, str]]:
        """Each setting that says something and was not read, and what is read in its place, if anything."""
        for origin, value in self._settings.items():
            if origin not in self._read and not _is_empty(value):
                yield origin, self._beaten.get(origin, "")

    def _put(self, found: dict[str, Setting], name: str, setting: Setting) -> None:
        self._settings.setdefault(setting.origin, setting.value)
        if name in found and found[name].origin != setting.origin:
            self.beaten(found[name].origin, setting.origin)
        found[name] = setting


def _value(value: Any) -> Any:
    """A setting's value, also where the configuration only added to a default."""
    if isinstance(value, LazyConfigValue):
        return value.get_value({} if isinstance(value.to_dict().get("update"), dict) else [])
    return value


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, (str, bytes, list, tuple, dict, set)) and not value)
