"""`i3d doctor`: would the main job work here? The command, its checks, and those of packages."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import click

from i3d import __version__
from i3d.cli.options import format_option, offline_option, verbose_option
from i3d.cli.output import Output
from i3d.cli.terminal import libraries_silenced, progress_on_terminal
from i3d.errors import ExitCode, I3DError
from i3d.files.addresses import shown
from i3d.progress import NO_PROGRESS
from i3d.report.text import encodable, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from packaging.specifiers import SpecifierSet

DOCTOR_SCHEMA = "i3d.doctor/1"

OPENCV = "opencv-python-headless"
OTHER_OPENCVS = ("opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless")
"""All of them bring the same package, `cv2`."""

OFTEN_THE_REASON = ("keras", "tf-keras", "protobuf")
"""Packages that i3d does not name, and that TensorFlow's troubles are often about."""

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


def check_packages() -> Iterator[Check]:
    """Check the version of each package that i3d needs."""
    try:
        from packaging.requirements import Requirement
    except ImportError as error:
        hint = "pip install packaging"
        yield Check("packages", "failed", f"cannot be checked: {error}", hint, ExitCode.ENGINE)
        return
    try:
        declared = importlib.metadata.requires("i3d") or []
    except importlib.metadata.PackageNotFoundError:
        declared = []
        yield Check("packages", "warning", "i3d is not installed as a package", "pip install i3d")
    for line in declared:
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        yield _check_package(requirement.name, requirement.specifier)
    for name in OFTEN_THE_REASON:
        version = _version_of(name)
        if version is not None:
            yield Check(name, "info", version)
    others = _other_opencvs()
    if others and _version_of(OPENCV) is not None:
        yield Check(
            "opencv",
            "warning",
            f"{' and '.join(others)} {'is' if len(others) == 1 else 'are'} installed, too, and "
            "all of them write the same files",
            f"pip uninstall -y {' '.join(others)}; pip install --force-reinstall --no-deps "
            f"{OPENCV}",
        )


def _check_package(name: str, specifier: SpecifierSet) -> Check:
    version = _version_of(name)
    fix = f'pip install "{name}{specifier}"'
    if version is None and name == OPENCV and _other_opencvs():
        (other, *_) = _other_opencvs()
        detail = f"not installed, but {other} {_version_of(other)} is, which needs a display"
        return Check(name, "warning", detail, f"pip uninstall -y {other}; {fix}")
    if version is None:
        return Check(name, "failed", "not installed", fix, ExitCode.ENGINE)
    if specifier.contains(version, prereleases=True):
        return Check(name, "ok", version)
    detail = f"{version}, and i3d needs {specifier}"
    if name == "setuptools":
        detail += ": newer ones lack pkg_resources, which tensorflow-hub imports"
        return Check(name, "failed", detail, fix, ExitCode.ENGINE)
    if name == OPENCV:
        detail += ": newer ones decode interlaced video to garbage"
    return Check(name, "warning", detail, fix)


def _other_opencvs() -> list[str]:
    return [name for name in OTHER_OPENCVS if _version_of(name) is not None]


def _version_of(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


@click.command("doctor")
@format_option
@offline_option
@verbose_option
def doctor_command(format_name: str, verbose: bool) -> None:
    """Check this machine, and print a report for bug reports.

    Exits with 0 only where `i3d classify` with the default model would work. Asks each source of
    the model for one byte; fetches nothing.
    """
    from i3d.cli.checks import exit_code, run_checks

    checks = []
    with Output(None, utf8=format_name == "json") as output:
        with libraries_silenced(verbose=verbose):
            # A missing package is a finding, also where it is the one that shows progress.
            progress = NO_PROGRESS if find_spec("rich") is None else progress_on_terminal()
            for check in run_checks(progress):
                checks.append(check)
                if format_name == "table":
                    output.write(check_as_text(check))
        code = exit_code(checks)
        works = code is ExitCode.OK
        if format_name == "json":
            document = checks_as_dict(checks, works=works)
            output.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        else:
            output.write(
                "\ni3d classify works here.\n" if works else "\ni3d classify does not work here.\n"
            )
    if not works:
        raise click.exceptions.Exit(code)
