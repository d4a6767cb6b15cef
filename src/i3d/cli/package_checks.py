"""The packages that i3d stands on, against the versions that this release was made for."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

from i3d.cli.check import Check
from i3d.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.specifiers import SpecifierSet

OPENCV = "opencv-python-headless"
OTHER_OPENCVS = ("opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless")
"""All of them bring the same package, `cv2`."""

OFTEN_THE_REASON = ("keras", "tf-keras", "protobuf")
"""Packages that i3d does not name, and that TensorFlow's troubles are often about."""


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
