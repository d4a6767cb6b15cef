"""Models and their checks, as text and as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from i3d import __version__
from i3d.files.addresses import shown
from i3d.models.deepmind import published
from i3d.report.text import megabytes, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from i3d.models.catalog import ModelSpec
    from i3d.models.find import LocalModel
    from i3d.models.info import GraphFacts, ModelState
    from i3d.models.inspect import Weights
    from i3d.models.known_answers import KnownAnswers
    from i3d.models.records import ModelRecord
    from i3d.models.sample import SampleComparison
    from i3d.models.verify import Verification

LIST_SCHEMA = "i3d.models/1"
INFO_SCHEMA = "i3d.model-info/1"
VERIFICATION_SCHEMA = "i3d.verification/1"

_MARGIN = 16


def list_as_text(states: Iterable[ModelState]) -> str:
    """A line for each model: name, state, size, summary and source."""
    rows = [_list_row(state) for state in states]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "".join(
        "  ".join([*(f"{row[i]:<{widths[i]}}" for i in range(3)), row[3]]).rstrip() + "\n"
        for row in rows
    )


def _list_row(state: ModelState) -> tuple[str, str, str, str]:
    what = "" if state.spec is None else state.spec.summary
    size = "" if state.num_bytes is None else megabytes(state.num_bytes)
    if state.record is not None and state.spec is None:
        unofficial = "unofficial, " if state.unofficial else ""
        what = f"{unofficial}from {shown(state.record.location)}"
    elif state.record is not None:
        weights = "unofficial" if state.unofficial else state.record.checkpoint
        what += f" ({weights + ', ' if weights else ''}from {state.record.source})"
    return printable(shown(state.name)), state.state, size, printable(what)


def list_as_dict(states: Iterable[ModelState]) -> dict[str, Any]:
    """The list as plain data."""
    models = [
        {
            "name": shown(state.name),
            **_of(state, "state", "problems"),
            "path": _path(state.directory),
            "num_bytes": state.num_bytes,
            **_origin(state.record, state.record),
            **_of(state.record, "checkpoint"),
            "unofficial": state.unofficial,
        }
        for state in states
    ]
    return {"schema": LIST_SCHEMA, "i3d_version": __version__, "models": models}


def info_as_text(
    name: str,
    spec: ModelSpec | None,
    local: LocalModel | None,
    graph: GraphFacts | None,
    weights: Weights | None,
    problems: Sequence[str] = (),
) -> str:
    """The contract of a model.

    Args:
        name: Its name.
        spec: Its entry in the catalogue, if it has one.
        local: Where it is, if it is on this machine.
        graph: Facts from its graph, if it is on this machine.
        weights: Its tensors, if they can be read.
        problems: What is damaged, a clause each.
    """
    rows: list[tuple[str, str]] = []
    if spec is not None:
        rows.append(("", spec.summary))
    rows += [("on this machine", text) for text in _where(name, local)]
    rows += [("DAMAGED", problem) for problem in problems]
    if weights is not None:
        rows.append(("weights", _weights_text(weights, spec)))
        rows.append(("parameters", f"{weights.num_parameters:,}".replace(",", " ")))
    if spec is not None:
        rows.append(("input", spec.contract))
    if graph is not None:
        low, high = graph.input_range
        rows.append(("range", f"[{low:g}, {high:g}]: {graph.input_range_reason}"))
        rows.append(("output", _output(graph, spec)))
        rows.append(("receptive field", _receptive_field(graph)))
    elif spec is not None:
        rows.append(("labels", spec.label_list))
    if spec is not None:
        rows += [(f"source {source.name}", shown(source.url)) for source in spec.sources]
        rows += [("licence", spec.licence), ("cite", spec.citation), ("more", spec.homepage)]
    return f"{printable(shown(name))}\n{lay_out(rows)}"


def info_as_dict(
    name: str,
    spec: ModelSpec | None,
    local: LocalModel | None,
    graph: GraphFacts | None,
    weights: Weights | None,
    problems: Sequence[str] = (),
) -> dict[str, Any]:
    """The contract of a model as plain data; see `info_as_text`."""
    found = None if weights is None else weights.identification
    sources = () if spec is None else spec.sources
    return {
        "schema": INFO_SCHEMA,
        "i3d_version": __version__,
        "name": shown(name),
        **_of(spec, "summary"),
        "path": _path(None if local is None else local.directory),
        "problems": problems,
        **_origin(None if local is None else local.record, local),
        "weights": None if weights is None else weights.fingerprint,
        **_of(found, "checkpoint"),
        "unofficial": found is not None and found.is_unofficial,
        **_of(weights, "num_parameters"),
        **_of(graph, "num_labels"),
        **_of(spec, "label_list"),
        **_of(graph, "input_range", "input_range_reason", "receptive_field", "stride"),
        "sources": [{"name": source.name, "url": shown(source.url)} for source in sources],
        **_of(spec, "licence", "citation", "homepage"),
    }


def _of(value: object, *names: str) -> dict[str, Any]:
    """Some attributes by their names, all None where the value is."""
    return {name: None if value is None else getattr(value, name) for name in names}


def _origin(record: ModelRecord | None, found: LocalModel | ModelRecord | None) -> dict[str, Any]:
    location = None if record is None else shown(record.location)
    return {**_of(found, "source"), "location": location, **_of(record, "installed_at")}


def _path(directory: Path | None) -> str | None:
    return None if directory is None else str(directory)


def _where(name: str, local: LocalModel | None) -> list[str]:
    if local is None:
        return [f"no; it is fetched when it is first used, or by: i3d model fetch {name}"]
    if local.source == "packaged":
        return ["ships with i3d"]
    if local.record is None:
        return [str(local.directory)]
    record = local.record
    how = "converted" if record.converted else "installed"
    return [
        str(local.directory),
        f"{how} {record.installed_at} from {record.source}: {shown(record.location)}",
    ]


def _output(graph: GraphFacts, spec: ModelSpec | None) -> str:
    labels = "" if spec is None else f", named by the label list {spec.label_list}"
    return f"{graph.num_labels} logits{labels}"


def _receptive_field(graph: GraphFacts) -> str:
    if graph.receptive_field is None or graph.stride is None:
        return "not found in its graph"
    return (
        f"{graph.receptive_field} frames for each step of the output, a step every {graph.stride}"
    )


def _weights_text(weights: Weights, spec: ModelSpec | None) -> str:
    """Identify a model's tensors, as a clause."""
    found, short = weights.identification, f"{weights.fingerprint[:23]}..."
    if spec is not None and spec.weights == weights.fingerprint:
        return f"those that ship with this release ({short})"
    if found.checkpoint is not None:
        title = published()[found.checkpoint].title
        return (
            f"{found.num_equal} of {found.num_expected} tensors equal {found.checkpoint}: {title}"
        )
    if found.closest is None:
        return f"unknown, another network than I3D ({short})"
    if not found.architecture_matches:
        return (
            f"unknown: of I3D's {found.num_expected} tensors {len(found.missing)} are missing, "
            f"{len(found.wrong_shape)} of another shape"
        )
    if found.num_equal == 0:
        return (
            f"unofficial: I3D's {found.num_expected} tensors in name and shape, and none of them "
            "equals one of DeepMind's"
        )
    return (
        f"unofficial: I3D's {found.num_expected} tensors, of which {found.num_equal} equal "
        f"{found.closest}, the closest of DeepMind's checkpoints"
    )


def verification_as_text(result: Verification) -> str:
    """What was found out about a model."""
    local = result.local
    rows = [("on this machine", text) for text in _where(local.name, local)]
    if result.file_problems is not None and local.record is not None:
        count = len(local.record.files)
        whole = count - len(result.file_problems)
        rows.append(("files", f"{whole} of {count} as they were installed (SHA-256)"))
        rows += [("", problem) for problem in result.file_problems]
    rows += [("tensors", text) for text in _tensor_rows(result)]
    if result.engine is not None:
        rows.append(("engine", result.engine.text))
    if result.known_answers is not None:
        rows += _known_answers_rows(result.known_answers)
    if result.sample is not None:
        rows += _sample_rows(result.sample)
    if result.sample_skipped is not None:
        rows.append((result.compared_with, f"not run: {result.sample_skipped}"))
    if result.sample_problem is not None:
        rows.append(("graph", f"FAILED: {result.sample_problem}"))
    rows.append(("verdict", result.verdict))
    return f"{printable(shown(local.name))}\n{lay_out(rows)}"


def _tensor_rows(result: Verification) -> list[str]:
    weights = result.weights
    if weights is None:
        return [f"not compared: {result.weights_problem}"]
    found = weights.identification
    if found.damaged:
        return [
            f"{len(found.damaged)} damaged: not the CRC-32C that the model's own index says",
            *_few(found.damaged),
        ]
    rows = [f"{_weights_text(weights, result.local.spec)} (CRC-32C)"]
    if found.checkpoint is None and found.num_equal > 0:
        rows += [f"different: {name}" for name in _few(found.different)]
    rows += [f"missing: {name}" for name in _few(found.missing)]
    rows += [f"another shape: {name}" for name in _few(found.wrong_shape)]
    return rows


def _few(names: Sequence[str], count: int = 5) -> list[str]:
    rest = [f"and {len(names) - count} more"] if len(names) > count else []
    return [*names[:count], *rest]


def _known_answers_rows(answers: KnownAnswers) -> list[tuple[str, str]]:
    verdict = f"within {answers.tolerance * 100:g} %" if answers.agrees else "DIFFERENT"
    low, high = answers.input_range
    return [
        ("known answers", f"distance of black from white, fed [{low:g}, {high:g}]"),
        ("", f"{verdict}: the largest difference is {answers.worst.difference * 100:.2g} %"),
        _compared("", "published", "here"),
        *(
            _compared(
                f"{row.num_frames} frames", f"{row.published_distance:.4f}", f"{row.distance:.4f}"
            )
            for row in answers.rows
        ),
    ]


def _sample_rows(sample: SampleComparison) -> list[tuple[str, str]]:
    verdict = "equal" if sample.agrees else "DIFFERENT"
    compared = [
        ("norm of the logits", sample.published_norm, sample.norm),
        *((row.label, row.published_logit, row.logit) for row in sample.rows),
    ]
    return [
        ("sample", f"{sample.path} (git blob id)"),
        ("", f"{verdict}: the largest difference is {sample.largest_difference:.2g}"),
        _compared("", "published", "here"),
        *(_compared(name, f"{there:.6f}", f"{here:.6f}") for name, there, here in compared),
    ]


def _compared(name: str, published: str, here: str) -> tuple[str, str]:
    return "", f"{name:<32}{published:>12}{here:>12}"


def verification_as_dict(result: Verification) -> dict[str, Any]:
    """What was found out about a model, as plain data."""
    weights, sample, answers = result.weights, result.sample, result.known_answers
    found = None if weights is None else weights.identification
    names = ("different", "missing", "wrong_shape", "damaged")
    return {
        "schema": VERIFICATION_SCHEMA,
        "i3d_version": __version__,
        "name": shown(result.local.name),
        "path": str(result.local.directory),
        "source": result.local.source,
        "verified": result.problem is None,
        **_of(result, "problem", "file_problems"),
        "weights": None if weights is None else weights.fingerprint,
        **_of(found, "checkpoint", "closest"),
        "num_tensors": None if found is None else found.num_expected,
        **_of(found, "num_equal"),
        **{name: () if found is None else getattr(found, name) for name in names},
        **_of(result, "graph", "engine"),
        "known_answers": answers
        and {
            "agrees": answers.agrees,
            "largest_difference": answers.worst.difference,
            "input_range": answers.input_range,
            "distances": answers.rows,
        },
        "sample": sample
        and {
            **_of(sample, "path", "agrees", "largest_difference", "published_norm", "norm"),
            "scores": sample.rows,
        },
        **_of(result, "sample_skipped", "sample_problem"),
    }


def lay_out(rows: Iterable[tuple[str, str]]) -> str:
    """Lay out two columns; a name that equals the one above is not repeated."""
    lines = []
    above = None
    for name, text in rows:
        left = "" if name == above else name
        above = name or above
        lines.append(f"  {left:<{_MARGIN}}  {printable(text)}".rstrip() + "\n")
    return "".join(lines)
