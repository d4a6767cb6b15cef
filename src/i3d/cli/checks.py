"""Would the main job work here? One check after the other, each with a way on.

Most of i3d is imported by the check that needs it: a package that can't be imported is a finding.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from i3d import __version__
from i3d.cli.doctor import Check, Status, check_packages, guarded, without_home, without_password
from i3d.errors import (
    DownloadError,
    EngineNotInstalledError,
    ExitCode,
    ModelLoadError,
    TransferError,
    UsageError,
)
from i3d.files.cache import cache_dir, package_data_dir
from i3d.models.catalog import CATALOG, DEFAULT_MODEL
from i3d.progress import NO_PROGRESS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from i3d.models.catalog import Source
    from i3d.progress import Progress

NEEDED_BYTES = 300_000_000
"""Free space below which a model may not fit: I3D takes 51 MB, its archive about as much, a
checkpoint and what is made of it lie on the disk side by side, and so does the model before."""

SAMPLE = "sample-juggling.avi"
SAMPLE_LABEL = "static"
"""What its camera does before the juggler."""

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_OTHERS = (
    "NO_PROXY",
    "no_proxy",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "KAGGLEHUB_CACHE",
)


def run_checks(progress: Progress = NO_PROGRESS) -> Iterator[Check]:
    """Check this machine, cheapest first. Downloads nothing, and leaves nothing on the disk.

    Args:
        progress: Receives progress updates.

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
    from i3d.models.inspect import check_weights, read_weights

    try:
        check_weights(read_weights(folder), CATALOG[DEFAULT_MODEL])
    except ModelLoadError as error:
        return Check(name, "warning", f"{folder}: {error.message.removesuffix('.')}")
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


def show_settings() -> Iterator[Check]:
    """Tell the environment variables that change what i3d does, without passwords."""
    proxies = [*_PROXIES, *map(str.lower, _PROXIES)]
    names = sorted(name for name in os.environ if name.startswith(("I3D_", "TFHUB_")))
    names += [name for name in (*proxies, *_OTHERS) if name in os.environ]
    for name in names:
        value = without_password(os.environ[name], is_proxy=name in proxies)
        yield Check(name, "info", value or "(empty)")


def check_sources(model_state: str, *, is_in_cache: bool, progress: Progress) -> Iterator[Check]:
    """Ask each source of the default model for its first byte.

    Args:
        model_state: "here", "damaged" or "missing".
        is_in_cache: Another program's cache on this machine holds the model.
        progress: Receives progress updates.
    """
    from i3d.files.addresses import is_offline

    if is_offline():
        checks = [Check("network", "info", "not asked: I3D_OFFLINE is set")]
    else:
        checks = _ask_all(progress)
    yield from checks
    yield from _check_patience(model_state)
    if any(check.status == "ok" for check in checks):
        return
    none = "I3D_OFFLINE is set" if is_offline() else "no source answers"
    if model_state == "here":
        if not is_offline():
            yield Check("sources", "info", f"none answers, and {DEFAULT_MODEL} is here already")
    elif not is_in_cache:
        state = "is damaged" if model_state == "damaged" else "is not on this machine"
        unset = "Unset I3D_OFFLINE, if it was not meant; or fetch" if is_offline() else "Fetch"
        yield Check(
            "sources",
            "failed",
            f"{DEFAULT_MODEL} {state}, and {none}",
            f"{unset} it on another machine and run: i3d model import FILE; or name a mirror "
            "(I3D_PYPI_URL, I3D_GCS_URL, I3D_DEEPMIND_URL); or use --model camera-motion",
            ExitCode.TRANSFER,
        )


def _ask_all(progress: Progress) -> list[Check]:
    client = guarded("network", _import_client)
    if client.status == "failed":
        return [client]
    sources = CATALOG[DEFAULT_MODEL].sources
    with progress.task(f"asking {len(sources)} sources"), ThreadPoolExecutor(len(sources)) as pool:
        return list(
            pool.map(
                lambda source: guarded(f"source {source.name}", partial(_ask, source)), sources
            )
        )


def _import_client() -> Check:
    """Import what the threads need: of several that meet a broken package, one says why."""
    import_module("i3d.files.session")
    import_module("i3d.models.remote")
    return Check("network", "ok", "the client can be imported")


def _check_patience(model_state: str) -> Iterator[Check]:
    from i3d.files.addresses import patience_seconds

    try:
        patience_seconds()
    except UsageError as error:
        yield Check(
            "I3D_TIMEOUT",
            "warning" if model_state == "here" else "failed",
            error.message.removesuffix("."),
            error.hint,
            error.exit_code,
        )


def _ask(source: Source) -> Check:
    from i3d.files.addresses import is_web_address, place
    from i3d.files.download import reach
    from i3d.models.remote import kaggle_auth

    name = f"source {source.name}"
    if source.kind == "package":
        return _ask_indexes(name, source)
    url = source.url
    if not is_web_address(url):
        value = without_password(os.environ.get(source.base_variable, url))
        detail = f"{source.base_variable} is {value}, which is not a web address"
        hint = f"Correct or unset {source.base_variable}."
        return Check(name, "warning", detail, hint)
    if source.kind == "checkpoint":
        url += "/model.ckpt.index"
    try:
        answer = reach(url, auth=kaggle_auth(url))
    except DownloadError as error:
        return Check(name, "warning", f"{place(url)}: {error.reason}")
    return Check(name, "ok", f"{place(url)} {answer}")


def _ask_indexes(name: str, source: Source) -> Check:
    """Ask the package indexes for the package's page, as fetching it does."""
    from i3d.files.addresses import place
    from i3d.models.package_index import NO_INDEX, find_file

    assert source.package is not None
    problems = []
    for page in source.urls:
        try:
            with tempfile.TemporaryDirectory() as folder:
                find_file(page, source.package, Path(folder, "page"), NO_PROGRESS)
        except TransferError as error:
            problems.append(f"{place(page)}: {error.clause}")
        except OSError as error:  # no folder for temporary files
            return Check(name, "warning", f"not asked: {error.strerror or error}")
        else:
            return Check(name, "ok", f"{place(page)} has {source.package.file}")
    detail = "; ".join(problems) or NO_INDEX
    return Check(name, "warning", detail, f"Name an index in {source.base_variable}.")
