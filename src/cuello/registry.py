"""Registries of choices by name: whoever lists or describes them reads the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from cuello.errors import unknown

__all__ = ["Registry"]

Entry = TypeVar("Entry")


Aliases = Mapping[str, Mapping[str, Any]] | tuple[str, ...]
"""Other names of an entry; a mapping gives the options that each implies."""


class Registry(Mapping[str, Entry], Generic[Entry]):
    """Entries by name, in the order in which they were registered.

    Aliases lead to entries like names, and are not iterated over.

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
        self._aliases: dict[str, tuple[str, dict[str, Any]]] = {}

    def register(self, name: str, *, aliases: Aliases = ()) -> Callable[[Entry], Entry]:
        """Return a decorator that enters the decorated object, as :meth:`add` does."""

        def enter(entry: Any) -> Any:
            self.add(name, entry, aliases=aliases)
            return entry

        return enter

    def add(self, name: str, entry: Entry, *, aliases: Aliases = ()) -> None:
        """Enter an entry under a name, and further names."""
        self._entries[name] = entry
        implied = aliases if isinstance(aliases, Mapping) else {alias: {} for alias in aliases}
        self._aliases |= {alias: (name, dict(options)) for alias, options in implied.items()}

    def remove(self, name: str) -> None:
        """Take an entry and its aliases out."""
        del self._entries[name]
        for alias in self.aliases(name):
            del self._aliases[alias]

    def resolve(self, name: str) -> str:
        """Return the name of an entry for its name or alias; refuse (InputError) other names."""
        if name in self._entries:
            return name
        if name in self._aliases:
            return self._aliases[name][0]
        raise unknown(self.argument, name, [*self._entries, *self._aliases])

    def implied(self, name: str) -> dict[str, Any]:
        """Return the options that a name implies: none, unless it is an alias with some."""
        return dict(self._aliases[name][1]) if name in self._aliases else {}

    def aliases(self, name: str) -> tuple[str, ...]:
        """Return the further names of an entry."""
        return tuple(alias for alias, (entry, _) in self._aliases.items() if entry == name)

    def __getitem__(self, name: str) -> Entry:
        return self._entries[self.resolve(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries or name in self._aliases
