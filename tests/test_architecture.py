"""The layers of docs/architecture.md hold, and light commands stay light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from i3d.cli.lazy import LazyCommand, LazyGroup
from i3d.cli.main import cli
from i3d.cli.ucf import ucf_group

PROJECT = Path(__file__).parent.parent
PACKAGE = PROJECT / "src" / "i3d"
OUTSIDE_THE_LAYERS = {"__init__", "__main__"}


def layers() -> dict[str, int]:
    """Module -> layer, from the table in docs/architecture.md."""
    text = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
    return {name: int(layer) for layer, name in re.findall(r"^\| (\d+) \| `(\w+)`", text, re.M)}


def modules() -> dict[Path, str]:
    """File -> its module's name right below the package (`engines/base.py` -> `engines`)."""
    return {
        path: path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for path in sorted(PACKAGE.rglob("*.py"))
    }


@cache
def imports(path: Path) -> set[str]:
    """Absolute names of all modules that a file imports, anywhere in it, also for type checkers."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            assert node.module is not None
            # `from i3d import x` may import the module i3d.x
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_every_module_has_a_layer_and_every_layer_its_module() -> None:
    assert set(modules().values()) - OUTSIDE_THE_LAYERS == set(layers())


def test_modules_import_only_from_lower_layers() -> None:
    layer = layers()
    breaches = []
    for path, module in modules().items():
        if module in OUTSIDE_THE_LAYERS:
            continue
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "i3d" or len(parts) < 2 or parts[1] not in layer or parts[1] == module:
                continue
            if layer[parts[1]] >= layer[module]:
                breaches.append(f"{path.relative_to(PACKAGE)} imports {name}")
    assert breaches == []


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("tensorflow", {"engines"}),
        ("openvino", {"engines"}),
        ("cv2", {"pictures", "video"}),
        ("av", {"pictures"}),
        ("PIL", {"pictures"}),
        ("jinja2", {"report"}),
        ("click", {"cli"}),
        ("rich", {"cli", "datasets", "report"}),
        ("platformdirs", {"files"}),
        ("pypi_simple", {"files", "models"}),
        ("remotezip", {"datasets"}),
        ("requests", {"datasets", "files"}),
        ("pyarrow", {"report"}),
        ("urllib3", {"datasets", "files"}),
        ("truststore", {"files"}),
        ("filelock", {"files", "models", "report"}),
        ("msgspec", {"datasets", "report"}),
        ("google_crc32c", {"files"}),
        ("packaging", {"cli"}),
    ],
)
def test_each_package_has_one_home(package: str, allowed: set[str]) -> None:
    users = {
        module
        for path, module in modules().items()
        if any(name.split(".")[0] == package for name in imports(path))
    }
    assert users == allowed


def test_only_the_command_line_prints_or_exits() -> None:
    culprits = []
    for path, module in modules().items():
        if module in {"cli", "__main__"} or path.name == "worker.py":  # a process of its own
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {
                "print",
                "exit",
                "quit",
                "sys.exit",
                "os._exit",
            }:
                culprits.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert culprits == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["labels", "yoga"],
        ["classify", "--help"],
        ["model", "--help"],
        ["doctor", "--help"],
        ["ucf", "list"],
        ["ucf", "list", "CricketShot", "--format", "json"],
        ["ucf", "fetch", "--help"],
    ],
)
def test_light_commands_import_nothing_heavy(arguments: list[str]) -> None:
    program = f"""
import sys
sys.argv = ["i3d", *{arguments!r}]
from i3d.cli.main import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
heavy = {{"tensorflow", "tensorflow_hub", "keras", "cv2", "openvino", "numpy"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=PROJECT / "src")


OF_SCRATCH = {"random", "shutil", "tempfile"}
SLOW_PARTS_OF_PYTHON = {
    *("asyncio", "csv", "datetime", "difflib", "email", "html", "http", "importlib.resources"),
    *("json", "logging", "multiprocessing", "random", "shutil", "socket", "ssl", "statistics"),
    *("subprocess", "tempfile", "traceback", "unittest", "zipfile"),
}
"""Each takes milliseconds to import, and light commands can do without it."""


@pytest.mark.parametrize(
    ("arguments", "slow"),
    [
        (["--help"], {"shutil"}),  # click asks it for the width
        (["--version"], set()),
        (["labels"], set()),
        (["ucf", "list"], {"shutil"}),  # and so do we
        (["ucf", "list", "--format", "names"], set()),
        (["ucf", "list", "--format", "json"], {"json", *OF_SCRATCH}),
        (["ucf", "list", "--format", "csv"], {"csv", *OF_SCRATCH}),
    ],
    ids=[
        "help",
        "version",
        "labels",
        "ucf-list",
        "ucf-list-names",
        "ucf-list-json",
        "ucf-list-csv",
    ],
)
def test_light_commands_import_only_what_they_use(arguments: list[str], slow: set[str]) -> None:
    """What makes them slow is imports, so this keeps them fast."""
    program = f"""
import sys
import click
sys.argv = ["i3d", *{arguments!r}]
before = set(sys.modules)
from i3d.cli.main import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
print(*set(sys.modules) - before)
"""
    process = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        cwd=PROJECT / "src",
        capture_output=True,
        encoding="utf-8",
    )
    imported = set(process.stdout.splitlines()[-1].split())
    assert imported & SLOW_PARTS_OF_PYTHON - slow == set()
    others = {name.partition(".")[0] for name in imported} - sys.stdlib_module_names
    assert others - {"i3d", "click", "colorama", "platformdirs"} == set()


@pytest.mark.parametrize("group", [cli, ucf_group], ids=["i3d", "i3d ucf"])
def test_what_help_says_of_a_command_is_what_the_command_says(group: click.Group) -> None:
    assert isinstance(group, LazyGroup)
    assert group.lazy
    for name, lazy in group.lazy.items():
        command, summary = group.commands[name], click.Command(name, help=lazy.summary)
        assert lazy.summary == command.get_short_help_str(1000)
        for limit in range(20, 120):
            assert summary.get_short_help_str(limit) == command.get_short_help_str(limit)


def test_help_needs_none_of_the_commands_and_shows_all() -> None:
    group = LazyGroup("group", lazy={"later": LazyCommand("no.such.module", "x", "Comes later.")})
    group.add_command(click.Command("now", help="Is here."))
    shown = CliRunner().invoke(group, ["--help"])
    assert shown.exit_code == 0
    assert [line.split() for line in shown.output.splitlines()[-2:]] == [
        ["later", "Comes", "later."],
        ["now", "Is", "here."],
    ]
    assert isinstance(CliRunner().invoke(group, ["later"]).exception, ModuleNotFoundError)
    assert "No such command 'never'" in CliRunner().invoke(group, ["never"]).output


def test_importing_the_library_imports_nothing_heavy() -> None:
    program = (
        "import sys, i3d; dir(i3d); "
        "assert not {'tensorflow', 'cv2', 'numpy', 'click'} & set(sys.modules), sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=PROJECT / "src")


def test_public_names_exist_and_others_do_not() -> None:
    import i3d

    for name in i3d.__all__:
        assert getattr(i3d, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = i3d.nonsense


def test_inits_hold_nothing_but_exports() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        if path.parent == PACKAGE:
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            is_export = isinstance(node, (ast.Import, ast.ImportFrom, ast.Assign))
            assert is_export or (
                isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            )


def test_no_file_is_longer_than_a_sitting() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    """Counts what is imported when a module is: not within functions, nor for type checkers."""
    graph = {_dotted(path): _imported_at_once(path) for path in PACKAGE.rglob("*.py")}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for other in graph.get(name, ()):
                visit(other, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def _dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported_at_once(path: Path) -> set[str]:
    nodes = ast.parse(path.read_text(encoding="utf-8")).body
    return {
        node.module
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("i3d.")
    }
