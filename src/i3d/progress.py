"""How long work reports on itself, without knowing who is watching."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


Unit: TypeAlias = Literal["items", "bytes", "videos"]


class Progress(Protocol):
    """Somebody who wants to know how far a piece of work has come."""

    def task(
        self, description: str, total: int | None = None, unit: Unit = "items"
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Announce a piece of work for the length of a `with` block.

        Args:
            description: What is being done, for people ("decoding clip.avi").
            total: Number of units in it, None where nobody knows.
            unit: What is counted: `bytes` for transfers and `videos` for many files, whose speed is
                of interest.

        Returns:
            A context manager that gives a function to call with the number of units done
            since the last call.
        """

    def note(self, sentence: str) -> None:
        """Tell something that should be known now, also where no progress is shown."""


class NoProgress:
    """Nobody is watching."""

    def note(self, sentence: str) -> None:
        """Do nothing."""

    @contextmanager
    def task(
        self,
        description: str,  # noqa: ARG002  (the protocol's parameters)
        total: int | None = None,  # noqa: ARG002  (the same)
        unit: Unit = "items",  # noqa: ARG002  (the same)
    ) -> Iterator[Callable[[int], None]]:
        """Do nothing; see `Progress.task`."""
        yield lambda _num_units: None


NO_PROGRESS = NoProgress()
