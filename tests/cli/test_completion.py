"""Test that the shell itself completes the commands, their options and the values of these."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gradtui.cli import COMMANDS
from gradtui.experiment.presets import names
from tests.support.command_line import gradtui


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    told = {shell: gradtui(home, "--completion", shell) for shell in ("bash", "zsh", "fish")}
    assert {(one.returncode, one.stderr) for one in told.values()} == {(0, "")}
    return {shell: one.stdout for shell, one in told.items()}


def completed(script: str, *words: str) -> list[str]:
    """Return what bash offers for the last word, by the function that `complete` has registered."""
    line = " ".join(f"'{word}'" for word in words)
    asked = (
        f"{script}\nfunction_of=$(complete -p gradtui | sed 's/.*-F \\([^ ]*\\).*/\\1/')\n"
        f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; $function_of\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    found = subprocess.run(
        ["bash", "--norc", "-c", asked], capture_output=True, text=True, check=True, timeout=30
    )
    assert found.stderr == ""
    return found.stdout.split()


def test_bash_completes_commands_and_presets(scripts: dict[str, str]) -> None:
    assert set(completed(scripts["bash"], "gradtui", "")) >= {
        *COMMANDS,
        *names(),
        "--completion",
        "--version",
    }
    assert completed(scripts["bash"], "gradtui", "diag") == ["diagnose"]
    assert completed(scripts["bash"], "gradtui", "run", "sigmoid-2") == ["sigmoid-20"]
    assert completed(scripts["bash"], "gradtui", "learn", "van") == ["vanishing"]


def test_bash_completes_options_and_their_values(scripts: dict[str, str]) -> None:
    assert completed(scripts["bash"], "gradtui", "diagnose", "--fail") == ["--fail-on"]
    assert "--nproc" in completed(scripts["bash"], "gradtui", "run", "--n")
    assert "--nproc" not in completed(scripts["bash"], "gradtui", "diagnose", "--n")
    assert set(completed(scripts["bash"], "gradtui", "export", "--to", "")) == {
        "csv",
        "parquet",
        "tensorboard",
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_bash_knows_every_option_of_the_help(scripts: dict[str, str], name: str) -> None:
    assert "--help" in completed(scripts["bash"], "gradtui", name, "--h")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_can_read_their_script(scripts: dict[str, str], shell: str, tmp_path: Path) -> None:
    assert all(f"{name}" in scripts[shell] for name in COMMANDS)
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}")
    (tmp_path / "script").write_text(scripts[shell])
    subprocess.run([shell, "-n", str(tmp_path / "script")], check=True, timeout=30)


def test_another_shell_is_one_line(tmp_path: Path) -> None:
    told = gradtui(tmp_path, "--completion", "csh")
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1)
