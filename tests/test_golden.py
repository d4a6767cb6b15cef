"""The commands write what they wrote before; `scripts/golden --update` writes the files anew."""

from __future__ import annotations

import shlex

import pytest
from click.testing import CliRunner

from i3d.cli.main import cli

import golden_outputs


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("golden")
    golden_outputs.make_clips(folder)

    def run(command: str) -> tuple[int, str]:
        result = CliRunner().invoke(cli, shlex.split(command), prog_name="i3d")
        return result.exit_code, result.stdout

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("I3D_CACHE_DIR", str(folder / "cache"))
        patch.setenv("COLUMNS", "80")
        return golden_outputs.run_all(run, folder)


@pytest.mark.parametrize("name", [*golden_outputs.STDOUT, *golden_outputs.RESUMED])
def test_the_command_writes_what_it_wrote_before(name: str, outputs: dict[str, str]) -> None:
    expected = (golden_outputs.FOLDER / name).read_text(encoding="utf-8")
    # Processors differ in the last digits of float32; scripts/golden is stricter.
    assert golden_outputs.differences(expected, outputs[name], tolerance=1e-4) == []
