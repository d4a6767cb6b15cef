"""Models, their checks, and the state of this machine, as text and as plain data."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from i3d import __version__
from i3d.files.addresses import shown
from i3d.models.deepmind import published
from i3d.report.text import encodable, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from i3d.models.catalog import ModelSpec
    from i3d.models.find import LocalModel
    from i3d.models.info import GraphFacts, ModelState
    from i3d.models.inspect import Weights
    from i3d.models.known_answers import KnownAnswers
    from i3d.models.sample import SampleComparison
    from i3d.models.verify import Verification

LIST_SCHEMA = "i3d.models/1"
INFO_SCHEMA = "i3d.model-info/1"
VERIFICATION_SCHEMA = "i3d.verification/1"

_MARGIN = 16


def list_as_text(states: Iterable[ModelState]) -> str:
    """A line for each model: name, state, size, where from, what it says."""
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
    return {
        "schema": LIST_SCHEMA,
        "i3d_version": __version__,
        "models": [
            {
                "name": encodable(shown(state.name)),
                "state": state.state,
                "problems": [encodable(problem) for problem in state.problems],
                "path": None if state.directory is None else encodable(str(state.directory)),
                "num_bytes": state.num_bytes,
                "source": None if state.record is None else state.record.source,
                "location": None
                if state.record is None
                else encodable(shown(state.record.location)),
                "installed_at": None if state.record is None else state.record.installed_at,
                "checkpoint": None if state.record is None else state.record.checkpoint,
                "unofficial": state.unofficial,
            }
            for state in states
        ],
    }


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
        name: What it is called.
        spec: Its record in the catalogue, if it is in it.
        local: Where it is, if it is on this machine.
        graph: What its graph says, if it is on this machine.
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
    record = None if local is None else local.record
    return {
        "schema": INFO_SCHEMA,
        "i3d_version": __version__,
        "name": encodable(shown(name)),
        "summary": None if spec is None else spec.summary,
        "path": None if local is None else encodable(str(local.directory)),
        "problems": [encodable(problem) for problem in problems],
        "source": None if local is None else local.source,
        "location": None if record is None else encodable(shown(record.location)),
        "installed_at": None if record is None else record.installed_at,
        "weights": None if weights is None else weights.fingerprint,
        "checkpoint": None if weights is None else weights.identification.checkpoint,
        "unofficial": weights is not None and weights.identification.is_unofficial,
        "num_parameters": None if weights is None else weights.num_parameters,
        "num_labels": None if graph is None else graph.num_labels,
        "label_list": None if spec is None else spec.label_list,
        "input_range": None if graph is None else list(graph.input_range),
        "input_range_reason": None if graph is None else encodable(graph.input_range_reason),
        "receptive_field": None if graph is None else graph.receptive_field,
        "stride": None if graph is None else graph.stride,
        "sources": []
        if spec is None
        else [{"name": source.name, "url": shown(source.url)} for source in spec.sources],
        "licence": None if spec is None else spec.licence,
        "citation": None if spec is None else spec.citation,
        "homepage": None if spec is None else spec.homepage,
    }


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
    """What a model's tensors are, as a clause."""
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
    rows = [
        ("known answers", f"distance of black from white, fed [{low:g}, {high:g}]"),
        ("", f"{verdict}: the largest difference is {answers.worst.difference * 100:.2g} %"),
        ("", f"{'':<32}{'published':>12}{'here':>12}"),
    ]
    for row in answers.rows:
        distances = f"{row.published_distance:>12.4f}{row.distance:>12.4f}"
        rows.append(("", f"{f'{row.num_frames} frames':<32}{distances}"))
    return rows


def _sample_rows(sample: SampleComparison) -> list[tuple[str, str]]:
    verdict = "equal" if sample.agrees else "DIFFERENT"
    rows = [
        ("sample", f"{sample.path} (git blob id)"),
        ("", f"{verdict}: the largest difference is {sample.largest_difference:.2g}"),
        ("", f"{'':<32}{'published':>12}{'here':>12}"),
        ("", f"{'norm of the logits':<32}{sample.published_norm:>12.6f}{sample.norm:>12.6f}"),
    ]
    rows += [
        ("", f"{row.label:<32}{row.published_logit:>12.6f}{row.logit:>12.6f}")
        for row in sample.rows
    ]
    return rows


def verification_as_dict(result: Verification) -> dict[str, Any]:
    """What was found out about a model, as plain data."""
    weights, sample, answers = result.weights, result.sample, result.known_answers
    found = None if weights is None else weights.identification
    return {
        "schema": VERIFICATION_SCHEMA,
        "i3d_version": __version__,
        "name": encodable(shown(result.local.name)),
        "path": encodable(str(result.local.directory)),
        "source": result.local.source,
        "verified": result.problem is None,
        "problem": None if result.problem is None else encodable(result.problem),
        "file_problems": None
        if result.file_problems is None
        else [encodable(problem) for problem in result.file_problems],
        "weights": None if weights is None else weights.fingerprint,
        "checkpoint": None if found is None else found.checkpoint,
        "closest": None if found is None else found.closest,
        "num_tensors": None if found is None else found.num_expected,
        "num_equal": None if found is None else found.num_equal,
        "different": [] if found is None else list(found.different),
        "missing": [] if found is None else list(found.missing),
        "wrong_shape": [] if found is None else list(found.wrong_shape),
        "damaged": [] if found is None else list(found.damaged),
        "graph": result.graph,
        "engine": None if result.engine is None else dataclasses.asdict(result.engine),
        "known_answers": None if answers is None else _known_answers_as_dict(answers),
        "sample": None if sample is None else _sample_as_dict(sample),
        "sample_skipped": None
        if result.sample_skipped is None
        else encodable(result.sample_skipped),
        "sample_problem": None
        if result.sample_problem is None
        else encodable(result.sample_problem),
    }


def _known_answers_as_dict(answers: KnownAnswers) -> dict[str, Any]:
    return {
        "agrees": answers.agrees,
        "largest_difference": answers.worst.difference,
        "input_range": list(answers.input_range),
        "distances": [dataclasses.asdict(row) for row in answers.rows],
    }


def _sample_as_dict(sample: SampleComparison) -> dict[str, Any]:
    return {
        "path": encodable(sample.path),
        "agrees": sample.agrees,
        "largest_difference": sample.largest_difference,
        "published_norm": sample.published_norm,
        "norm": sample.norm,
        "scores": [
            {
                "label": row.label,
                "published_logit": row.published_logit,
                "logit": row.logit,
                "published_probability": row.published_probability,
                "probability": row.probability,
            }
            for row in sample.rows
        ],
    }


def lay_out(rows: Iterable[tuple[str, str]]) -> str:
    """Two columns; a name that is the same as the one above is not repeated."""
    lines = []
    above = None
    for name, text in rows:
        left = "" if name == above else name
        above = name or above
        lines.append(f"  {left:<{_MARGIN}}  {printable(text)}".rstrip() + "\n")
    return "".join(lines)


def megabytes(num_bytes: int) -> str:
    """A size for people, in units of 1000."""
    return f"{num_bytes / 1e6:.1f} MB"
