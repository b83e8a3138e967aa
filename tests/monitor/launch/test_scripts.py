"""Test that training scripts of many kinds run unchanged under `gradtui watch`, with the norms that they compute."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.watched_command import Folder, assert_norms

PLAIN = """
    import sys
    import torch
    from torch import nn
    import oracle

    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(4, 8)
            self.last = nn.Linear(8, 2)

        def forward(self, x):
            return self.last(self.first(x).relu())

    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(6):
        optimizer.zero_grad()
        net(torch.randn(16, 4)).square().mean().backward()
        oracle.note("net", net)
        optimizer.step()
    oracle.tell()
    print(oracle.digest(net))
    print("to stderr", file=sys.stderr)
    sys.exit(7)
"""


# Each test starts processes that import torch; one of them is enough for a quick look.
long = pytest.mark.long


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def seen(folder: Folder) -> dict[str, list[list[float]]]:
    """Return the norms that the script has seen."""
    norms: dict[str, list[list[float]]] = json.loads((folder.path / "norms.json").read_text())
    return norms


@pytest.mark.long
def test_a_script_trains_as_without_and_each_step_is_recorded(folder: Folder) -> None:
    script = folder.write(PLAIN)
    without = folder.alone(sys.executable, str(script))
    watched = folder.run(sys.executable, str(script))
    (run,) = folder.runs()
    # The weights are printed to the last bit. Without a terminal one line on stderr says what was recorded.
    told = f"gradtui: recording {run.folder.name}; gradtui attach shows it\n"
    assert (watched.stdout, watched.stderr, watched.returncode) == (without.stdout, f"{told}to stderr\n", 7)
    quiet = folder.run(sys.executable, str(script), options=("--every-step", "--quiet"))
    assert (quiet.stdout, quiet.stderr, quiet.returncode) == (without.stdout, "to stderr\n", 7)
    (run, _) = folder.runs()
    assert run.name == "train · Net"
    assert run.layer_names == ["first", "last"]
    assert run.meta is not None
    assert run.meta.data["optimizer"] == {"": "Adam"}
    assert run.steps == 6
    assert_norms(run, seen(folder)["net"])


@long
def test_the_two_nets_of_a_gan_are_two_runs(folder: Folder) -> None:
    folder.write("""
        import torch
        from torch import nn
        import oracle

        torch.manual_seed(0)
        net = lambda a, b: nn.Sequential(nn.Linear(a, 8), nn.ReLU(), nn.Linear(8, b))
        netG, netD = net(4, 8), net(8, 1)
        optG, optD = (torch.optim.Adam(n.parameters(), betas=(0.5, 0.999)) for n in (netG, netD))
        for _ in range(4):
            optD.zero_grad()
            (netD(netG(torch.randn(9, 4)).detach()) + 1).square().mean().backward()
            oracle.note("D", netD)
            optD.step()
            optG.zero_grad()
            netD(netG(torch.randn(9, 4))).square().mean().backward()
            oracle.note("G", netG)
            optG.step()
        oracle.tell()
    """)
    folder.python("train.py", options=("--every-step", "--name", "gan"))
    runs, norms = folder.by_name(), seen(folder)
    assert set(runs) == {"gan · netD", "gan · netG"}
    assert_norms(runs["gan · netD"], norms["D"])
    assert_norms(runs["gan · netG"], norms["G"])


@long
def test_optimizers_of_parts_of_one_model_make_one_run_and_a_new_optimizer_another(folder: Folder) -> None:
    folder.write("""
        import torch
        from torch import nn
        import oracle

        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))

        def train(steps, name, *optimizers):
            for _ in range(steps):
                model.zero_grad()
                model(torch.randn(5, 4)).square().mean().backward()
                oracle.note(name, model)
                for optimizer in optimizers:
                    optimizer.step()

        train(3, "both", torch.optim.SGD(model[0].parameters(), 0.1), torch.optim.AdamW(model[2].parameters()))
        train(5, "then", torch.optim.Adam(model.parameters()))
        oracle.tell()
    """)
    folder.python("train.py")
    first, then = folder.runs()
    assert_norms(first, seen(folder)["both"])
    assert_norms(then, seen(folder)["then"])
    assert first.status.state == then.status.state == "finished"


@long
def test_models_that_share_an_optimizer_are_parts_of_one_run(folder: Folder) -> None:
    folder.write("""
        import torch
        from torch import nn
        import oracle

        def main():
            actor, critic = nn.Linear(4, 2), nn.Linear(4, 1)
            log_std = torch.zeros(2, requires_grad=True)
            optimizer = torch.optim.Adam([*actor.parameters(), *critic.parameters(), log_std])
            both = nn.ModuleList([actor, critic])
            del both
            for _ in range(3):
                optimizer.zero_grad()
                x = torch.randn(7, 4)
                (actor(x) * log_std.exp() + critic(x).square()).mean().backward()
                one = [oracle.norms(m)[0] for m in (actor, critic)] + [log_std.grad.norm().item()]
                oracle.NORMS.setdefault("all", []).append(one)
                optimizer.step()
            oracle.tell()

        main()
    """)
    folder.python("train.py")
    (run,) = folder.runs()
    assert run.layer_names == ["actor", "critic", "Parameters.log_std"]
    assert_norms(run, seen(folder)["all"])


@long
def test_a_step_with_a_closure_and_tensors_of_no_module(folder: Folder) -> None:
    folder.write("""
        import torch
        import oracle

        image = torch.full((3, 4), 0.5, requires_grad=True)
        optimizer = torch.optim.LBFGS([image], max_iter=1)

        def closure():
            optimizer.zero_grad()
            loss = (image - 1).pow(4).sum()
            loss.backward()
            return loss

        for _ in range(4):
            optimizer.step(closure)
    """)
    folder.python("train.py")
    (run,) = folder.runs()
    assert run.layer_names == ["image"]
    steps, norms = run.layers("grad_norm")
    assert steps.tolist() == [1, 2, 3, 4]
    # Of 4 · (x - 1)³ over twelve numbers at x = ½.
    assert norms[0, 0] == pytest.approx(0.5 * 12**0.5, rel=1e-5)
    assert (np.diff(norms[:, 0]) < 0).all()


@long
def test_accumulation_scaling_and_clipping_give_the_norms_of_the_whole_batch(folder: Folder) -> None:
    folder.write("""
        import torch
        from torch import nn
        import oracle

        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        losses = []
        for step in range(12):
            loss = model(torch.randn(5, 4)).square().mean() / 3
            losses.append(loss.item())
            scaler.scale(loss).backward()
            if step % 3 == 2:
                scaler.unscale_(optimizer)
                oracle.note("model", model)
                nn.utils.clip_grad_norm_(model.parameters(), 0.05)
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad()
        oracle.tell()
        print(losses)
    """)
    losses = json.loads(folder.python("train.py").stdout)
    (run,) = folder.runs()
    expected = np.array(seen(folder)["model"])
    steps, norms = run.layers("grad_norm")
    assert steps.tolist() == [1, 2, 3, 4]
    # Also of the first step, which is noticed when its gradient is clipped already.
    np.testing.assert_allclose(norms, expected, rtol=1e-4)
    np.testing.assert_allclose(run.scalars("grad_norm_clipped")[1], 0.05, rtol=1e-3)
    np.testing.assert_allclose(run.scalars("loss")[1], np.reshape(losses, (4, 3)).mean(1), rtol=1e-5)


@long
def test_threads_that_train_at_once_and_a_later_training_are_recorded_from_their_first_steps(
    folder: Folder,
) -> None:
    folder.write("""
        import threading
        import torch
        from torch import nn
        import oracle

        torch.manual_seed(0)
        models = {name: nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)) for name in "abc"}
        together = threading.Barrier(2)

        def train(name):
            model = models[name]
            optimizer = torch.optim.SGD(model.parameters(), 0.1)
            for _ in range(4):
                optimizer.zero_grad()
                name == "c" or together.wait()
                model(torch.randn(5, 4)).square().mean().backward()
                oracle.note(name, model)
                nn.utils.clip_grad_norm_(model.parameters(), 0.05)
                optimizer.step()

        threads = [threading.Thread(target=train, args=(name,)) for name in "ab"]
        [one.start() for one in threads]
        [one.join() for one in threads]
        # It begins when others have trained.
        train("c")
        oracle.tell()
    """)
    folder.python("train.py")
    expected = list(seen(folder).values())
    runs = [run.layers("grad_norm")[1] for run in folder.runs()]
    assert len(runs) == 3
    for values in expected:
        assert any(np.allclose(one, np.array(values), rtol=1e-5) for one in runs)


@long
def test_what_the_script_watches_itself_is_not_recorded_twice(folder: Folder) -> None:
    folder.write("""
        import torch
        from torch import nn
        import gradtui

        mine, later = nn.Linear(4, 2), nn.Linear(4, 2)
        optimizers = [torch.optim.SGD(net.parameters(), 0.1) for net in (mine, later)]
        gradtui.watch(mine, optimizers[0], name="mine", budget=None)
        for step in range(8):
            if step == 3:
                gradtui.watch(later, optimizers[1], name="later", budget=None)
            for net, optimizer in zip((mine, later), optimizers):
                optimizer.zero_grad()
                net(torch.randn(5, 4)).square().mean().backward()
                optimizer.step()
    """)
    done = folder.python("train.py", options=("--every-step", "--fail-on", "nonfinite"))
    runs = folder.by_name()
    steps = {name: run.layers("grad_norm")[0].tolist() for name, run in runs.items()}
    assert steps.pop("mine") == list(range(1, 9))
    assert steps.pop("later") == list(range(1, 6))
    # What came before the script's own call is a run that ended there.
    assert list(steps.values()) == [[1, 2, 3]]
    # The command knows the two runs of the script itself too, which --live shows and --fail-on judges.
    assert "-mine and 2 more" in done.stderr
