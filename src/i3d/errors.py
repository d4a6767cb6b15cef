"""What can go wrong, and the exit code that the command line gives for it.

Libraries raise these; only `i3d.cli.main` turns them into text and exit codes. A message is one
sentence that says what, which object and why. A hint says what to do now.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

DownloadFailure: TypeAlias = Literal["certificate", "unreachable", "silent", "missing", "other"]
"""Why an address gave no file: its host's certificate is not trusted; no connection to the host
can be made, or none is allowed; the host was silent for too long; it has no such file (404, 410);
anything else."""


class ExitCode(IntEnum):
    """Exit codes of the `i3d` command."""

    OK = 0
    """Everything asked for was done."""
    BUG = 1
    """An exception that i3d did not expect: please report it."""
    USAGE = 2
    """The command line makes no sense (click's own code)."""
    VIDEO = 3
    """The video is missing, unreadable or holds no frames."""
    UNKNOWN_NAME = 4
    """No model, label or clip of that name."""
    TRANSFER = 5
    """Something could not be fetched, cached or written."""
    ENGINE = 6
    """The model or the engine that runs it failed."""
    PARTIAL = 7
    """Several videos were asked for, and some of them failed."""
    INTERRUPTED = 130
    """Ctrl-C (128 + SIGINT, as shells report it)."""
    CLOSED_PIPE = 141
    """Whoever read our output went away (128 + SIGPIPE, as shells report it)."""


class I3DError(Exception):
    """Root of all errors that a user, a file or a machine can cause.

    Args:
        message: One sentence: what failed, on which object, why.
        hint: One action that helps, or None where nothing can be said.
        details: Lines that belong between the two, such as each of several things that were tried.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(
        self, message: str, *, hint: str | None = None, details: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details

    def __str__(self) -> str:
        return self.message

    @property
    def clause(self) -> str:
        """The message, to go into another sentence: small first letter, no full stop."""
        text = self.message.removesuffix(".")
        word = text.partition(" ")[0]
        is_name = not (len(word) == 1 or word[1:].islower())  # TensorFlow, I3D_TIMEOUT
        return text if is_name else text[:1].lower() + text[1:]


class UsageError(I3DError, ValueError):
    """An option has a value that makes no sense, or options contradict each other."""

    exit_code = ExitCode.USAGE


class VideoError(I3DError):
    """Something is wrong with an input video."""

    exit_code = ExitCode.VIDEO


class VideoNotFoundError(VideoError, FileNotFoundError):
    """There is no such video file or image folder."""


class VideoDecodeError(VideoError):
    """The file is there, but no frame can be read from it."""


class DecoderCrashedError(VideoDecodeError):
    """The process that decoded the video died, or met a bug."""


class DecoderTimeoutError(VideoDecodeError):
    """The process that decoded the video stood still for too long."""


class DecoderNotStartedError(I3DError):
    """No process can be started to decode in."""

    exit_code = ExitCode.ENGINE


class VideoTooShortError(VideoError):
    """The requested time span holds no frame."""


class UnknownNameError(I3DError, LookupError):
    """A model, label list or recipe of that name does not exist."""

    exit_code = ExitCode.UNKNOWN_NAME


class TransferError(I3DError, OSError):
    """Something could not be downloaded."""

    exit_code = ExitCode.TRANSFER


class DownloadError(TransferError):
    """One address gave no file.

    Args:
        message: The whole sentence, with the address.
        reason: The same without the address ("the server answered 403 Forbidden"), for a list of
            several addresses. A clause: small first letter, no full stop.
        hint: One action that helps.
        kind: What sort of failure it is, for callers that have another address to try.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        hint: str | None = None,
        kind: DownloadFailure = "other",
    ) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
        self.kind = kind

    @property
    def clause(self) -> str:
        """The reason: lists of several addresses name each address once."""
        return self.reason


class ArchiveError(TransferError):
    """An archive is damaged, or holds something that must not be unpacked.

    Its message is a clause about the archive, without its name ("it is cut off").
    """


class CacheError(TransferError):
    """The cache folder cannot be read or written."""


class OutputError(TransferError):
    """A result cannot be written to the file that was asked for."""


class EngineError(I3DError):
    """Something is wrong with the model or with the engine that runs it."""

    exit_code = ExitCode.ENGINE


class EngineNotInstalledError(EngineError, ImportError):
    """The package that runs the model cannot be imported."""


class ModelLoadError(EngineError):
    """The model is not one that i3d can load."""


class UnsupportedModelError(ModelLoadError):
    """The engine cannot run the model; another engine may.

    Args:
        message: The whole sentence.
        reason: Why, as a clause: small first letter, no full stop.
        hint: One action that helps.
    """

    def __init__(self, message: str, *, reason: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class CheckpointError(ModelLoadError):
    """A TensorFlow checkpoint is missing, damaged, or of a kind that i3d does not read."""


class VerificationError(EngineError):
    """A model is not the one that it should be."""


class ModelNotInstalledError(TransferError):
    """A model of the catalogue is not on this machine, and was not to be fetched."""


class ClipNotFetchedError(TransferError):
    """A clip of UCF101 is not on this machine, and was not to be fetched."""


class ModelOutputError(EngineError):
    """The model ran and gave something unusable (not finite, wrong shape)."""


class PartialFailureError(I3DError):
    """Several videos were asked for, and some of them failed."""

    exit_code = ExitCode.PARTIAL


class UserInterruptError(I3DError):
    """The user stopped the run (Ctrl-C)."""

    exit_code = ExitCode.INTERRUPTED


def cannot_write(where: str, error: OSError) -> OutputError:
    """The error of a result that can't be written.

    Args:
        where: The file, or what else it was to be written to.
        error: What the system says.
    """
    return OutputError(
        f"The result cannot be written to {where}: {error.strerror or error}.",
        hint="Make room on the disk, or write to another place.",
    )


def similar_names(name: str, known: Iterable[str]) -> list[str]:
    """Find the names that look like a mistyped one, whatever their case.

    Args:
        name: The name that was given.
        known: The names there are.

    Returns:
        Up to three of them, the most similar one first.
    """
    from difflib import get_close_matches

    folded = {candidate.casefold(): candidate for candidate in known}
    return [folded[match] for match in get_close_matches(name.casefold(), folded, n=3)]


def unknown_name(
    kind: str, name: str, known: Iterable[str], *, listing: str | None = None
) -> UnknownNameError:
    """Make the error for a name that does not exist, with the names that look like it.

    Args:
        kind: What was looked for ("model", "recipe").
        name: The name that was given.
        known: The names there are.
        listing: A command that lists them, where they are too many for a message.

    Returns:
        The error, to be raised by the caller.
    """
    names = list(known)
    matches = similar_names(name, names)
    if matches:
        hint = f"Did you mean {' or '.join(matches)}?"
    elif listing is not None:
        hint = f"List them with: {listing}"
    else:
        hint = f"There are: {', '.join(names)}."
    return UnknownNameError(f"There is no {kind} named {name!r}.", hint=hint)
