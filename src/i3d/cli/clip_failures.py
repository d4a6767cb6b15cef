"""Clips that could not be had or judged: told as they come, and counted for the exit code."""

from __future__ import annotations

from i3d.cli.errors import show_error, show_note
from i3d.errors import ClipNotFetchedError, I3DError, PartialFailureError


class ClipFailures:
    """Collects the failures of a command on several clips.

    Of a single clip the first error is kept back: the command ends with it. An error that a clip
    meets again, with another recipe, is told once. Clips that were not tried, because no source can
    be used any more, are only counted; one that was had in the end, with another recipe, has not
    failed, but the run is not complete.

    Args:
        outcome: What did not happen to them: "fetched".
        num_wanted: How many clips were wanted; can be set later.

    Attributes:
        num_wanted: The same.
    """

    def __init__(self, outcome: str, num_wanted: int = 0) -> None:
        self.num_wanted = num_wanted
        self._outcome = outcome
        self._errors: dict[tuple[str, str], I3DError] = {}
        self._had: set[str] = set()

    def add(self, clip: str, error: I3DError) -> None:
        """Take a failure of a clip, and say it now, unless it is kept back or counted."""
        key = (clip, error.message)
        if key in self._errors:
            return
        self._errors[key] = error
        is_kept_back = self.num_wanted == 1 and len(self._errors) == 1
        if not is_kept_back and not isinstance(error, ClipNotFetchedError):
            show_error(error)

    def had(self, clip: str) -> None:
        """Take note that nothing went wrong with a clip, with one recipe at least."""
        self._had.add(clip)

    def finish(self, stopped_by: I3DError | None = None) -> None:
        """Raise what the command ends with, if anything stopped it or failed.

        Args:
            stopped_by: What ended the run early, if anything did.
        """
        untried = {
            clip
            for (clip, _), error in self._errors.items()
            if isinstance(error, ClipNotFetchedError)
        }
        told = {
            clip
            for (clip, _), error in self._errors.items()
            if not isinstance(error, ClipNotFetchedError)
        }
        late = (untried & self._had) - told
        untried -= late | told
        show_untried(len(untried))
        errors = list(self._errors.values())
        if stopped_by is not None:
            if errors and self.num_wanted == 1:
                show_error(errors[0])
            raise stopped_by
        if not errors:
            return
        if self.num_wanted == 1:
            raise errors[0]
        num_failed = len(untried | told)
        if not num_failed:
            were = "was" if len(late) == 1 else "were"
            raise PartialFailureError(
                f"{len(late)} of {self.num_wanted} clips {were} not {self._outcome} with every "
                "recipe, for at first no source could be used.",
                hint="Run it again: what was found is kept.",
            )
        raise PartialFailureError(
            f"{num_failed} of {self.num_wanted} clips could not be {self._outcome}.",
            hint="Run it again when a source can be used."
            if untried
            else "The reason for each stands above. Run it again for those alone.",
        )


def show_untried(num_clips: int) -> None:
    """Say how many clips, if any, were not tried any more beside those that have an error."""
    if num_clips:
        were = "was" if num_clips == 1 else "were"
        show_note(f"{num_clips} more {were} not tried, for no source can be used.")
