"""Would the main job work here? One check after the other, each with a way on.

Most of i3d is imported by the check that needs it: a package that can't be imported is a finding.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from i3d import __version__
from i3d.cli.check import Check, Status, guarded, without_home
from i3d.cli.network_checks import check_sources, show_settings
from i3d.cli.package_checks import check_packages
from i3d.errors import CheckpointError, EngineNotInstalledError, ExitCode
from i3d.files.cache import cache_dir, package_data_dir
from i3d.models.catalog import CATALOG, DEFAULT_MODEL
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from i3d.progress import Progress

__all__ = ["Check", "Status", "exit_code", "run_checks"]

NEEDED_BYTES = 300_000_000
"""Free space below which a model may not fit: I3D takes 51 MB, its archive about as much, a
checkpoint and what is made of it lie on the disk side by side, and so does the model before."""

SAMPLE = "sample-juggling.avi"
SAMPLE_LABEL = "static"
"""What its camera does before the juggler."""


def run_checks(progress: Progress = NO_PROGRESS) -> Iterator[Check]:
    """Check this machine, cheapest first. Nothing is fetched, and nothing is left behind.

    Args:
        progress: Who wants to know.

    Yields:
        Each check, as soon as it is done, without the user's home folder and passwords. The main
        job, `i3d classify` with the default model, would work if none has failed.
    """
    yield from map(without_home, _checks(progress))


def exit_code(checks: list[Check]) -> ExitCode:
    """What the checks amount to: the code of the first that failed, else 0."""
    return next((check.exit_code for check in checks if check.status == "failed"), ExitCode.OK)


def _checks(progress: Progress) -> Iterator[Check]:
    yield Check("i3d", "info", f"{__version__} in {Path(__file__).parent.parent}")
    yield _check_python()
    yield Check("machine", "info", _machine())
    yield from check_packages()
    for name in ("openvino", "tensorflow"):
        yield guarded(f"engine {name}", partial(_check_engine, name, progress))
    yield guarded("decoder", _check_decoder)
    models = {
        name: guarded(f"model {name}", partial(_check_model, name))
        for name, spec in CATALOG.items()
        if spec.packaged_dir is None
    }
    default = models[DEFAULT_MODEL].status
    state = {"ok": "here", "info": "missing"}.get(default, "damaged")
    yield _check_cache(is_needed=state != "here")
    yield from models.values()
    if state == "here":
        yield guarded(f"engine of {DEFAULT_MODEL}", partial(_check_model_engine, progress))
    caches = [] if state == "here" else list(_check_other_caches())
    yield from caches
    yield from show_settings()
    is_in_cache = any(check.status == "ok" for check in caches)
    yield from check_sources(state, is_in_cache=is_in_cache, progress=progress)
    yield guarded("sample clip", partial(_check_sample, progress))


def _check_python() -> Check:
    detail = f"{platform.python_implementation()} {platform.python_version()}"
    if not (3, 10) <= sys.version_info[:2] <= (3, 13):
        return Check("python", "warning", detail, "i3d is made for Python 3.10 to 3.13.")
    if sys.maxsize < 2**32:
        hint = "TensorFlow needs a 64-bit Python."
        return Check("python", "failed", f"{detail}, 32 bits", hint, ExitCode.ENGINE)
    return Check("python", "ok", detail)


def _machine() -> str:
    parts = [platform.platform(terse=True), platform.machine(), f"{os.cpu_count()} CPUs"]
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        parts.append(f"{memory / 2**30:.1f} GiB of memory")
    except (AttributeError, OSError, ValueError):
        pass  # Windows
    return ", ".join(parts)


def _check_engine(name: str, progress: Progress) -> Check:
    """See whether an engine can be imported: without OpenVINO, TensorFlow runs all models."""
    from i3d.engines.choose import engine_version

    try:
        with progress.task(f"importing {name}"):
            version = engine_version(name)
    except EngineNotInstalledError as error:
        if name == "tensorflow":
            raise
        return Check(f"engine {name}", "warning", error.clause, error.hint)
    return Check(f"engine {name}", "ok", f"{version} can be imported")


def _check_decoder() -> Check:
    from i3d.video.decoding import ffmpeg_version

    version = ffmpeg_version()
    if version is None:
        hint = "pip install --force-reinstall opencv-python-headless"
        return Check("decoder", "failed", "this OpenCV has no FFmpeg", hint, ExitCode.VIDEO)
    return Check("decoder", "ok", f"OpenCV's FFmpeg (libavcodec {version})")


def _check_cache(*, is_needed: bool) -> Check:
    """See whether the cache can be written, or made; where a model is to be fetched, it must be."""
    folder = cache_dir()
    status: Status = "failed" if is_needed else "warning"
    try:
        nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(b"i3d")
        free = shutil.disk_usage(nearest).free
    except OSError as error:
        return Check(
            "cache",
            status,
            f"{folder} cannot be written: {error.strerror or error}",
            "Mend its permissions, or choose another folder in I3D_CACHE_DIR.",
            ExitCode.TRANSFER,
        )
    detail = f"{folder}, {free / 1e9:.1f} GB free"
    if free < NEEDED_BYTES:
        hint = "Make room: a model needs up to 0.3 GB while it is fetched."
        return Check("cache", "warning", detail, hint)
    return Check("cache", "ok", detail)


def _check_model(name: str) -> Check:
    from i3d.models.store import open_installed

    installed = open_installed(name)
    if installed is None:
        return Check(f"model {name}", "info", "not on this machine")
    problems = installed.damage()
    if problems:
        hint = f"i3d model fetch {name}"
        return Check(f"model {name}", "warning", f"damaged: {'; '.join(problems)}", hint)
    record = installed.record
    weights = record.checkpoint or "unofficial weights"
    return Check(f"model {name}", "ok", f"whole, from {record.source}, {weights}")


def _check_model_engine(progress: Progress) -> Check:
    """Load the default model as `i3d classify` does, and say which engine took it."""
    from i3d.engines.choose import load_engine
    from i3d.models.find import find_installed

    local = find_installed(DEFAULT_MODEL)
    name = f"engine of {DEFAULT_MODEL}"
    with progress.task(f"loading {DEFAULT_MODEL}"):
        engine = load_engine(local.directory, fingerprint=lambda: local.fingerprint)
    if engine.fallback_reason is not None:
        detail = f"{engine.name}, which takes longer: {engine.fallback_reason}"
        hint = "Results are right all the same."
        if "cannot be imported" not in engine.fallback_reason:
            hint += " Please report it: OpenVINO should run this model."
        return Check(name, "warning", detail, hint)
    return Check(name, "ok", engine.name)


def _check_other_caches() -> Iterator[Check]:
    """Look for the default model in other programs' caches; none there is not worth a line."""
    try:
        from i3d.models.local_caches import candidates, why_not
    except ImportError:  # the checks before have said so
        return
    for name, folder in candidates(CATALOG[DEFAULT_MODEL]).items():
        reason = why_not(folder)
        if reason is None:
            yield guarded(name, partial(_check_other_cache, name, folder))
        elif reason != "not there":
            yield Check(name, "warning", f"{folder}: {reason}")


def _check_other_cache(name: str, folder: Path) -> Check:
    from i3d.models.inspect import read_weights

    try:
        weights = read_weights(folder)
    except CheckpointError as error:
        return Check(name, "warning", error.message.removesuffix("."))
    if weights is None:
        return Check(name, "warning", f"{folder}: no tensors that could be compared")
    found = weights.identification
    if found.damaged:
        return Check(name, "warning", f"damaged: {found.damaged[0]} in {folder}")
    expected = CATALOG[DEFAULT_MODEL].checkpoint
    if not found.is_network_of(expected):
        return Check(name, "warning", f"another network: {folder}")
    if found.checkpoint not in (None, expected):
        return Check(name, "warning", f"{found.checkpoint}, and not {expected}: {folder}")
    return Check(name, "ok", f"a copy in {folder}")


def _check_sample(progress: Progress) -> Check:
    """Classify the clip that ships with i3d, with the model that ships with i3d."""
    from i3d.analysis.classifier import Classifier

    classifier = Classifier.load("camera-motion", progress=progress)
    prediction = classifier.classify(package_data_dir() / SAMPLE, top=1, progress=progress)
    best = prediction.scores[0]
    detail = f"camera-motion says {best.label}, {100 * best.probability:.1f} %"
    if best.label != SAMPLE_LABEL:
        hint = "Install i3d again: pip install --force-reinstall --no-deps i3d"
        return Check("sample clip", "failed", f"{detail}: wrong", hint, ExitCode.ENGINE)
    return Check("sample clip", "ok", detail)
