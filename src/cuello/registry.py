"""Registries: what can be chosen by name, and everything others must know of it.

An entry registers itself, in its own file; command line, reports, pages, server and docs read the
registry, so that nobody keeps a list by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cuello.errors import unknown

__all__ = ["Alias", "Registry"]

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Alias:
    """Another name of an entry, and the options that it implies."""

    name: str
    options: Mapping[str, Any]


class Registry(Mapping[str, Entry], Generic[Entry]):
    """Entries by name, in the order in which they were registered.

    Aliases are found like names, and are not iterated over.

    Parameters
    ----------
    argument : str
        The argument that chooses an entry, for errors: ``kind``.

    Examples
    --------
    >>> shapes = Registry("shape")
    >>> @shapes.register("round", aliases=("circle",))
    ... class Round: ...
    >>> list(shapes), shapes.resolve("circle"), "circle" in shapes
    (['round'], 'round', True)
    """

    def __init__(self, argument: str) -> None:
        self.argument = argument
        self._entries: dict[str, Entry] = {}
        self._aliases: dict[str, Alias] = {}

    def register(
        self, name: str, *, aliases: Mapping[str, Mapping[str, Any]] | tuple[str, ...] = ()
    ) -> Callable[[Entry], Entry]:
        """Return a decorator that enters what it decorates under a name.

        Parameters
        ----------
        name : str
            The name.
        aliases : tuple of str, or mapping of str to mapping
            Other names; a mapping gives the options that each implies.
        """

        def enter(entry: Any) -> Any:
            self.add(name, entry, aliases=aliases)
            return entry

        return enter

    def add(
        self,
        name: str,
        entry: Entry,
        *,
        aliases: Mapping[str, Mapping[str, Any]] | tuple[str, ...] = (),
    ) -> None:
        """Enter an entry under a name, and further names."""
        self._entries[name] = entry
        implied = aliases if isinstance(aliases, Mapping) else {alias: {} for alias in aliases}
        for alias, options in implied.items():
            self._aliases[alias] = Alias(name, dict(options))

    def remove(self, name: str) -> None:
        """Take an entry and its aliases out."""
        del self._entries[name]
        self._aliases = {k: v for k, v in self._aliases.items() if v.name != name}

    def resolve(self, name: str) -> str:
        """Return the name of an entry for its name or alias.

        Raises
        ------
        InputError
            If nothing is registered under it; names the nearest.
        """
        if name in self._entries:
            return name
        if name in self._aliases:
            return self._aliases[name].name
        raise unknown(self.argument, name, [*self._entries, *self._aliases])

    def implied(self, name: str) -> dict[str, Any]:
        """Return the options that a name implies: none, unless it is an alias with some."""
        return dict(self._aliases[name].options) if name in self._aliases else {}

    def aliases(self, name: str) -> tuple[str, ...]:
        """Return the further names of an entry."""
        return tuple(alias for alias, found in self._aliases.items() if found.name == name)

    def __getitem__(self, name: str) -> Entry:
        return self._entries[self.resolve(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries or name in self._aliases
