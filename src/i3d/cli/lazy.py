"""Commands that are imported when they are asked for: each of them brings imports of its own."""

from __future__ import annotations

from collections.abc import MutableMapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class LazyCommand(NamedTuple):
    """A command that was not imported yet."""

    module: str
    """The module that it is in."""
    attribute: str
    """Its name there."""
    summary: str
    """The first sentence of its help; a test holds the two equal."""


class LazyGroup(click.Group):
    """A command group whose help needs none of its commands.

    Args:
        name: As for `click.Group`.
        lazy: Name -> where the command is. Commands that exist already are added as usual.
        **kwargs: As for `click.Group`.

    Attributes:
        lazy: The same.
    """

    def __init__(
        self, name: str | None = None, *, lazy: Mapping[str, LazyCommand], **kwargs: Any
    ) -> None:
        super().__init__(name, _Commands(lazy), **kwargs)
        self.lazy = lazy

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands for `--help`."""
        lazy = {name: click.Command(name, help=self.lazy[name].summary) for name in self.lazy}
        others = {name: self.commands[name] for name in self.commands if name not in lazy}
        click.Group(commands=lazy | others).format_commands(ctx, formatter)


class _Commands(MutableMapping[str, click.Command]):
    """Name -> command, imported when it is looked up; to click, the commands of a group."""

    def __init__(self, lazy: Mapping[str, LazyCommand]) -> None:
        self._all: dict[str, click.Command | LazyCommand] = {**lazy}

    def __getitem__(self, name: str) -> click.Command:
        found = self._all[name]
        if isinstance(found, LazyCommand):
            command: click.Command = getattr(import_module(found.module), found.attribute)
            self._all[name] = command
            return command
        return found

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._all[name] = command

    def __delitem__(self, name: str) -> None:
        del self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)
