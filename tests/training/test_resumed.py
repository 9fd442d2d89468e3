"""A training that was killed ends where one does that was not, and one layout resumes what another has saved."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from training.processes import together
from training.scripts import FOLDER, script

STEPS = 6


def dropping(folder: Path) -> Path:
    """Llama with a dropout, so that a run depends on the generators of all devices."""
    text = (FOLDER.parent / "llama.arch").read_text(encoding="utf-8")
    for old, new in (
        ("(Embedding,", "(Dropout, Embedding,"),
        ("as self_attn)", "as self_attn |> Dropout[0.1] as drop)"),
    ):
        assert old in text
        text = text.replace(old, new)
    path = folder / "llama.arch"
    path.write_text(text, encoding="utf-8")
    return path


def train(arch: Path, out: Path, *options: str, steps: int = STEPS, forgetful: bool = False) -> None:
    """Run the script's training, and write the weights into `out`; `forgetful` of the generators of a checkpoint."""
    scale: Any = script("scale")
    if forgetful:
        scale.State.load = forgetting(scale.State.load)
    weights = scale.train(scale.options([str(out), "--arch", str(arch), "--steps", str(steps), *options]), "cpu")
    if dist.get_rank() == 0:
        torch.save(weights, out / "weights.pt")


def forgetting(load: Callable[[Any, Path], None]) -> Callable[[Any, Path], None]:
    """A way to load a checkpoint that leaves dropout where it was."""

    def loaded(state: Any, path: Path) -> None:
        before = torch.get_rng_state()
        load(state, path)
        torch.set_rng_state(before)

    return loaded


def careless(arch: Path, out: Path, *options: str) -> None:
    """A training that forgets its generators."""
    train(arch, out, *options, forgetful=True)


def several(arch: Path, runs: list[tuple[Path, tuple[str, ...], int]]) -> None:
    """One training after the other, in the same processes; in float64, where orders of sums hardly matter."""
    torch.set_default_dtype(torch.float64)
    for out, options, steps in runs:
        train(arch, out, *options, steps=steps)


def equal(one: Path, other: Path) -> bool:
    """Whether two trainings ended with the same bits."""
    first, second = (torch.load(each / "weights.pt") for each in (one, other))
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def apart(one: Path, other: Path) -> float:
    """How far they ended from each other, as a part of the largest number of each tensor."""
    first, second = (torch.load(each / "weights.pt") for each in (one, other))
    return max(float((first[name] - each).abs().max() / each.abs().max()) for name, each in second.items())


@pytest.mark.parametrize("layout", [(), pytest.param(("--tensor", "2", "--sequence"), marks=pytest.mark.slow)])
def test_a_killed_training_ends_with_the_bits_of_one_that_was_not(layout: tuple[str, ...], tmp_path: Path) -> None:
    arch = dropping(tmp_path)
    kept, killed, reseeded = (tmp_path / name for name in ("kept", "killed", "reseeded"))
    with pytest.raises((ProcessExitedException, ProcessRaisedException)):
        together(2, train, arch, killed, *layout, "--kill", "5")
    assert not (killed / "weights.pt").exists()
    assert script("scale").last(killed) == 4
    shutil.copytree(killed, reseeded)
    together(2, train, arch, killed, *layout, "--kill", "5", restarts=1)
    together(2, train, arch, kept, *layout)
    assert equal(kept, killed)
    together(2, careless, arch, reseeded, *layout)
    assert not equal(kept, reseeded)


def test_another_layout_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    arch = FOLDER.parent / "llama.arch"
    first, second = (), ("--tensor", "2", "--sequence")
    runs: list[tuple[Path, tuple[str, ...], int]] = [(tmp_path / "whole", first, STEPS)]
    for name, before, after in (("there", first, second), ("back", second, first)):
        runs += [(tmp_path / name, before, 4), (tmp_path / name, after, STEPS)]
    together(2, several, arch, runs)
    assert apart(tmp_path / "back", tmp_path / "whole") < 1e-6
    together(1, several, arch, [(tmp_path / "there", (), STEPS + 1), (tmp_path / "whole", (), STEPS + 1)])
    assert apart(tmp_path / "there", tmp_path / "whole") < 1e-6
