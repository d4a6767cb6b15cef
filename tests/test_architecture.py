"""The layers of docs/architecture.md hold, and light commands stay light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

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
        ("tensorflow_hub", {"engines"}),
        ("cv2", {"transforms", "decoders"}),
        ("click", {"cli"}),
        ("rich", {"cli", "report"}),
        ("platformdirs", {"paths"}),
        ("requests", {"download"}),
        ("urllib3", {"download"}),
        ("truststore", {"download"}),
        ("filelock", {"download", "scratch", "sources"}),
        ("google_crc32c", {"checkpoints"}),
        ("packaging", {"doctor"}),
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
        if module in {"cli", "__main__"}:
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
from i3d.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
heavy = {{"tensorflow", "tensorflow_hub", "keras", "cv2", "openvino", "numpy"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=PROJECT / "src")


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
