"""What one check finds."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from i3d import __version__
from i3d.errors import ExitCode, I3DError
from i3d.files.addresses import shown
from i3d.report.text import encodable, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DOCTOR_SCHEMA = "i3d.doctor/1"

Status = Literal["ok", "warning", "failed", "info"]


@dataclass(frozen=True)
class Check:
    """What one check found."""

    name: str
    status: Status
    """`failed`: the main job would not work; `warning`: something may go wrong; `info`: neither."""
    detail: str
    """What was found, as a clause."""
    hint: str | None = None
    """What to do now."""
    exit_code: ExitCode = ExitCode.OK
    """What a failed check makes of the exit code."""


def guarded(name: str, check: Callable[[], Check]) -> Check:
    """Run a check. What it raises is what it found: a broken package can raise anything.

    Args:
        name: What the check is called if it does not come to its end.
        check: The check.
    """
    try:
        return check()
    except I3DError as error:
        detail = error.message.removesuffix(".")
        return Check(name, "failed", detail, error.hint, error.exit_code)
    except ImportError as error:
        hint = "pip install --force-reinstall i3d"
        return Check(name, "failed", f"cannot be imported: {error}", hint, ExitCode.ENGINE)
    except Exception as error:  # noqa: BLE001  (the report must come to its end)
        lines = str(error).strip().splitlines() or [""]
        detail = f"does not work: {type(error).__name__}: {lines[0]}".rstrip(": ")
        hint = "pip install --force-reinstall i3d"
        if isinstance(error, FileNotFoundError) and "temporary directory" in lines[0]:
            hint = "Name a folder for temporary files in TMPDIR."
        return Check(name, "failed", detail, hint, ExitCode.ENGINE)


def without_home(check: Check) -> Check:
    """Write the user's home folder as `~`: a report is pasted in public."""
    return replace(
        check,
        detail=home_as_tilde(check.detail),
        hint=None if check.hint is None else home_as_tilde(check.hint),
    )


def home_as_tilde(text: str) -> str:
    """Replace the user's home folder, where it stands alone or before a separator."""
    home = os.path.expanduser("~").rstrip("/\\")  # noqa: PTH111  (no error without a home)
    if home in ("", "~"):
        return text
    return re.sub(rf"(?<![\w.-]){re.escape(home)}(?![\w.-])", "~", text)


def without_password(value: str, *, is_proxy: bool = False) -> str:
    """Leave user and password out of an address, and what may be a key in its query.

    Args:
        value: The value of a variable, an address or anything else.
        is_proxy: It is an address also without a scheme, as in HTTPS_PROXY=user:password@host.
    """
    if "://" not in value and not is_proxy:
        return value
    address, has_query, _ = shown(value, mark="***@", is_proxy=is_proxy).partition("?")
    return f"{address}{'?***' if has_query else ''}"


def check_as_text(check: Check) -> str:
    """One line for a check, and one for what to do where something is wrong."""
    line = f"{check.status:<8} {check.name:<32} {printable(check.detail)}\n"
    if check.hint is not None and check.status != "ok":
        line += f"{'':<42}{printable(check.hint)}\n"
    return line


def checks_as_dict(checks: Iterable[Check], *, works: bool) -> dict[str, Any]:
    """All checks as plain data."""
    return {
        "schema": DOCTOR_SCHEMA,
        "i3d_version": __version__,
        "works": works,
        "checks": [
            {
                "name": check.name,
                "status": check.status,
                "detail": encodable(check.detail),
                "hint": None if check.hint is None else encodable(check.hint),
            }
            for check in checks
        ],
    }
