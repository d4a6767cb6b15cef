"""`i3d model`: fetch, check and keep models."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from i3d.cli.completion import complete_files, complete_models
from i3d.cli.errors import show_note, show_warning
from i3d.cli.options import format_option, offline_option, verbose_option
from i3d.cli.output import Output
from i3d.cli.terminal import libraries_silenced, progress_on_terminal
from i3d.errors import CheckpointError, ModelNotInstalledError, UsageError, VerificationError
from i3d.models.catalog import CATALOG, DEFAULT_MODEL, SOURCE_NAMES, get_model

if TYPE_CHECKING:
    from typing import Any

    from i3d.models.verify import Verification

_model_argument = click.argument(
    "model", default=DEFAULT_MODEL, metavar="[NAME|DIR]", shell_complete=complete_models
)


@click.group("model")
def model_group() -> None:
    """Download, check and manage models.

    `i3d classify` fetches the model that it needs by itself: these commands are for doing it
    beforehand, by hand, or with proof.
    """


@model_group.command("list")
@format_option
def list_command(format_name: str) -> None:
    """List the models, and which of them are on this machine."""
    from i3d.models.info import list_models
    from i3d.report.models import list_as_dict, list_as_text

    states = list_models()
    for state in states:
        if state.problems and state.record is not None:
            show_warning(
                f"{state.name} is damaged: {'; '.join(state.problems)}. "
                f"{_how_to_mend(state.name, state.record.location)}"
            )
    _print(list_as_dict(states) if format_name == "json" else list_as_text(states))


@model_group.command("info")
@_model_argument
@format_option
@verbose_option
def info_command(model: str, format_name: str, verbose: bool) -> None:
    """Show what a model wants, says and is: its contract, its weights, where it came from."""
    from i3d.models.find import find_installed
    from i3d.models.info import read_graph
    from i3d.models.inspect import read_weights
    from i3d.models.store import InstalledModel
    from i3d.report.models import info_as_dict, info_as_text

    local, graph, weights = None, None, None
    problems: tuple[str, ...] = ()
    try:
        local = find_installed(model)
    except ModelNotInstalledError:
        if model not in CATALOG:
            raise
    if local is not None:
        graph = read_graph(local)
        with libraries_silenced(verbose=verbose), suppress(CheckpointError):
            weights = read_weights(local.directory)
        if local.record is not None:
            problems = InstalledModel(local.directory, local.record).damage()
            if problems:
                show_warning(f"{model} is damaged. {_how_to_mend(model, local.record.location)}")
    facts = (model, CATALOG.get(model), local, graph, weights, problems)
    _print(info_as_dict(*facts) if format_name == "json" else info_as_text(*facts))


@model_group.command("fetch")
@click.argument("models", nargs=-1, metavar="[NAME|URL]...", shell_complete=complete_models)
@click.option(
    "--source",
    type=click.Choice(SOURCE_NAMES),
    help="Take it from this source alone, also where it is on this machine already from another.",
)
@click.option("--force", is_flag=True, help="Fetch it also where it is on this machine already.")
@offline_option
@verbose_option
def fetch_command(models: tuple[str, ...], source: str | None, force: bool, verbose: bool) -> None:
    """Fetch models, check them, and print the folder of each.

    What is on this machine and whole is not fetched again; what is damaged is. Without a name it
    is i3d-kinetics-400 that is fetched.
    """
    from i3d.models.find import fetch_again, find_model

    for model in models:
        _check_fetchable(model)
    for model in models or (DEFAULT_MODEL,):
        with libraries_silenced(verbose=verbose):
            progress = progress_on_terminal()
            if force or source is not None:
                local = fetch_again(model, source=source, force=force, progress=progress)
            else:
                local = find_model(model, progress=progress)
        for note in local.notes:
            show_note(note)
        _print(f"{local.directory}\n")


@model_group.command("verify")
@_model_argument
@click.option(
    "--sample",
    metavar="FILE",
    shell_complete=complete_files,
    help="DeepMind's sample, v_CricketShot_g04_c01_rgb.npy, where it can't be fetched.",
)
@click.option("--no-sample", is_flag=True, help="Don't fetch and run DeepMind's sample.")
@format_option
@offline_option
@verbose_option
def verify_command(
    model: str, sample: str | None, no_sample: bool, format_name: str, verbose: bool
) -> None:
    """Prove that a model is the one that was published.

    Compares its files with what was installed, and each of its tensors with DeepMind's five
    published checkpoints. Then runs clips whose answers were published: with TensorFlow Hub's
    weights (rgb_scratch) black and white ones, which takes seconds and needs no network; with
    rgb_imagenet DeepMind's sample (47.6 MB, fetched once). The verdict says which of this was done.
    The exit code is 6 for a model that is damaged, unknown or different.
    """
    from i3d.models.verify import verify_model
    from i3d.report.models import verification_as_dict, verification_as_text

    if sample is not None and no_sample:
        raise UsageError("--sample and --no-sample contradict each other.", hint="Give one.")
    with libraries_silenced(verbose=verbose):
        result = verify_model(
            model, sample=sample, run_sample=not no_sample, progress=progress_on_terminal()
        )
    _print(verification_as_dict(result) if format_name == "json" else verification_as_text(result))
    if result.problem is not None:
        raise VerificationError(
            f"{model} is not verified: {result.problem}.", hint=_what_to_do(result)
        )


@model_group.command("import")
@click.argument("path", metavar="FILE|DIR", shell_complete=complete_files)
@click.option(
    "--name",
    type=click.Choice([name for name, spec in CATALOG.items() if spec.sources]),
    help="Which model it is. Default: found out from its tensors.",
)
@verbose_option
def import_command(path: str, name: str | None, verbose: bool) -> None:
    """Install a model that was fetched by hand.

    Takes an archive as TensorFlow Hub and Kaggle give it, a SavedModel's folder, or the folder of
    one of DeepMind's RGB checkpoints (model.ckpt.index and model.ckpt.data-00000-of-00001), which
    is converted.
    """
    from i3d.models.find import unofficial
    from i3d.models.importing import import_model

    with libraries_silenced(verbose=verbose):
        installed = import_model(path, name=name, progress=progress_on_terminal())
    record = installed.record
    spec = get_model(record.name)
    if spec.checkpoint is not None and record.checkpoint is None:
        show_note(unofficial(record.name, record.name))
    _print(f"{installed.directory}\n")


@model_group.command("remove")
@click.argument("models", nargs=-1, required=True, metavar="NAME|URL...")
def remove_command(models: tuple[str, ...]) -> None:
    """Remove models from this machine."""
    from i3d.models.store import remove

    for model in models:
        if model in CATALOG and CATALOG[model].packaged_dir is not None:
            raise UsageError(f"{model} ships with i3d and cannot be removed.")
        try:
            remove(model)
        except ModelNotInstalledError:
            if ":" not in model:  # neither an address nor an archive's `sha256:...`
                get_model(model)
            raise


@model_group.command("path")
@_model_argument
def path_command(model: str) -> None:
    """Print the folder of a model that is on this machine."""
    from i3d.models.find import find_installed

    _print(f"{find_installed(model).directory}\n")


def _check_fetchable(model: str) -> None:
    """Refuse what is neither a name nor an address, before anything is downloaded."""
    if model in CATALOG or "://" in model:
        return
    if os.path.exists(model):  # noqa: PTH110  (no error on a name that is too long)
        raise UsageError(
            f"{model} is on this machine and not fetched from anywhere.",
            hint=f"Install it under a model's name: i3d model import {model}; or use it where it "
            f"lies: i3d classify --model {model}",
        )
    get_model(model)


def _how_to_mend(model: str, location: str) -> str:
    """What to do about a damaged model."""
    if model in CATALOG or "://" in model:
        return f"Fetch it again: i3d model fetch {model}"
    return f"Unpack it again: i3d classify --model {location}"


def _what_to_do(result: Verification) -> str | None:
    """What to do about a model that is not verified."""
    from i3d.models.known_answers import PUBLISHED_RANGE

    local, spec, answers = result.local, result.local.spec, result.known_answers
    if local.source == "packaged":
        return "Install i3d again: pip install --force-reinstall --no-deps i3d"
    if local.record is not None and result.file_problems:
        return _how_to_mend(local.name, local.record.location)
    if spec is not None and result.weights is not None and not result.is_published:
        source = next(source.name for source in spec.sources if source.kind != "archive")
        return (
            f"Fetch the weights that DeepMind published: i3d model fetch {local.name} "
            f"--source {source}"
        )
    if answers is not None and answers.input_range != PUBLISHED_RANGE:
        return "These weights want black and white as -1 and 1: i3d classify --input-range -1 1"
    return None


def _print(document: str | dict[str, Any]) -> None:
    with Output(None, utf8=not isinstance(document, str)) as output:
        if isinstance(document, str):
            output.write(document)
        else:
            from i3d.report.jsons import to_json

            output.write(to_json(document, indent=2) + "\n")
