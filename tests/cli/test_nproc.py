"""`gradtui run --nproc` trains with several processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command_line import forked_gradtui, gradtui, strictly


@pytest.mark.parametrize("number", ["0", "-2", "65"])
def test_too_few_and_too_many_processes_are_one_line(tmp_path: Path, number: str) -> None:
    result = forked_gradtui(tmp_path, "run", "--nproc", number)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        f"gradtui: --nproc: {number} is not allowed; expected 1 to 64, the batch size "
        "(data.batch_size), since each process takes a part of the batch\n"
    )
    assert not (tmp_path / "runs").exists()


def test_batch_norm_is_refused_in_one_line(tmp_path: Path) -> None:
    result = forked_gradtui(tmp_path, "run", "batchnorm-20", "--nproc", "2")
    assert result.returncode == 2
    assert result.stderr.startswith("gradtui: net.0.norm: batch norm needs statistics of the whole batch")
    assert result.stderr.count("\n") == 1


@pytest.mark.long
def test_a_run_of_two_processes_is_reported_like_any_other(tmp_path: Path) -> None:
    told = strictly(gradtui(tmp_path, "run", "--nproc", "2", "--steps", "20", "--json").stdout)
    assert (told["status"], told["steps"]) == ("finished", 20)
    assert [finding["code"] for finding in told["findings"]] == ["vanishing"]
    resumed = gradtui(tmp_path, "run", "--resume", told["run"], "--steps", "30", "--nproc", "2", "--json")
    assert strictly(resumed.stdout)["steps"] == 30
    forked = gradtui(tmp_path, "run", "--from", told["run"], "--nproc", "2", "--set", "net.0.norm=batch")
    assert forked.returncode == 2
    assert forked.stderr.count("\n") == 1
