"""A compiled run: it is compiled, its neurons are measured, and growth compiles nothing anew."""

from functools import partial
from pathlib import Path

import jaxtyping
import pytest
import torch

from foam_cli.core.files import read_jsonl


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch):
    """What is compiled; checks of shapes, which only tests have, cannot be."""
    compiled = []

    def backend(graph, inputs):
        compiled.append(graph)
        return graph.forward

    jaxtyping.config.update("jaxtyping_disable", True)
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    torch.compiler.reset()
    yield compiled
    torch.compiler.reset()
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch's own, while it compiles
def test_a_compiled_run_grows_as_the_eager_one_does(graphs, foam, tiny_run, tmp_path: Path):
    short = ["train.steps=9", "growth.trigger.cooldown_steps=3", "train.validate_every_steps=null"]
    num_graphs, losses, born = {}, {}, {}
    for name, more in {
        "eager": [],
        "compiled": ["hardware.compile=true"],
        "never growing": ["hardware.compile=true", "growth.trigger.cooldown_steps=9"],
    }.items():
        graphs.clear()
        torch.compiler.reset()
        said = foam("train", *tiny_run, *short, *more, f"output_dir={tmp_path / name}")
        assert said.code == 0, said.err
        num_graphs[name] = len(graphs)
        folder = next((tmp_path / name).glob("*/*/*/config.yaml")).parent
        losses[name] = [row["loss"] for row in read_jsonl(folder / "metrics.jsonl") if "loss" in row]
        born[name] = [event["born"] for event in read_jsonl(folder / "growth.jsonl")]
    assert num_graphs["eager"] == 0 < num_graphs["never growing"] == num_graphs["compiled"]
    # v3 bears nothing where nothing presses: the same births show that the neurons were measured alike.
    assert born["compiled"] == born["eager"] and len(born["eager"]) == 2
    assert not any(born["never growing"])
    assert losses["compiled"] == pytest.approx(losses["eager"], rel=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch's own, while it compiles
@pytest.mark.parametrize("core", ["trained", "frozen", "frozen, blocks"])
def test_a_compiled_run_is_regularized_as_the_eager_one_is(
    core, graphs, foam, tiny_run, chat_file, tmp_path: Path
):
    words = [*tiny_run, "train.steps=9", "train.validate_every_steps=null", f"data.old_path={chat_file}"]
    words += ["train.warmup_steps=1", "growth.trigger.cooldown_steps=3", "train.grown_lr=0.1"]
    regularizers = ["regularizer=[distillation,ewc]", "regularizer.ewc.num_examples=2"]
    if core != "trained":  # the teacher is the model with growth detached, asked at every step
        words += ["train=grown", "growth.recycling=none"]
        regularizers = ["regularizer=distillation"]
    if "blocks" in core:
        words = [one for one in words if not one.startswith("growth.")]
        words += ["growth=block_schedule", "growth.trigger.every_steps=4", "growth.placement.every_blocks=1"]
    num_graphs, rows = {}, {}
    for name, more in {
        "plain": ["hardware.compile=true"],
        "compiled": ["hardware.compile=true", *regularizers],
        "eager": regularizers,
    }.items():
        graphs.clear()
        torch.compiler.reset()
        said = foam("train", *words, *more, f"output_dir={tmp_path / name}")
        assert said.code == 0, said.err
        num_graphs[name] = len(graphs)
        folder = next((tmp_path / name).glob("*/*/*/config.yaml")).parent
        rows[name] = [row for row in read_jsonl(folder / "metrics.jsonl") if "loss" in row]
    assert num_graphs["eager"] == 0 < num_graphs["plain"] == num_graphs["compiled"]
    for compiled, eager in zip(rows["compiled"], rows["eager"], strict=True):
        assert compiled["loss"] == pytest.approx(eager["loss"], rel=1e-4)
        assert compiled["penalties"] == pytest.approx(eager["penalties"], rel=1e-2, abs=1e-6)
    assert rows["eager"][-1]["penalties"]["distillation"] > 1e-6
