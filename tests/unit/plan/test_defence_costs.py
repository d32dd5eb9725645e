"""What a plan says of regularizers, against the tensors that a run with them makes."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from foam_cli.core.settings import Settings, Stage
from foam_cli.data.batching import Batch
from foam_cli.data.corpus import Corpus, Example
from foam_cli.engine import run as engine
from foam_cli.engine.costs import Traced, build_structure, traced
from foam_cli.engine.defences import Defences, pretrained_that_learn
from foam_cli.engine.display import Display
from foam_cli.engine.loop import forward_backward
from foam_cli.engine.periods import Period
from foam_cli.engine.plan import plan_run
from foam_cli.engine.teachers import Kept, KeptTeacher
from foam_cli.model.blueprint import config_of
from foam_cli.model.heads import logits_at
from foam_cli.model.trace import Recorder
from foam_cli.regularizers.protocols import Look

FROZEN = ["train=grown", "growth.recycling=none"]
EWC = ["regularizer=ewc", "regularizer.ewc.num_examples=2"]
ON_ALL = ["regularizer.distillation.on=all"]
#: Three new rows and a replayed one are what 256 tokens hold.
SHAPE_BT = (4, 64)


@pytest.fixture(autouse=True)
def _nothing_is_kept_between_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frozen weights keep the copies that autocast makes; a plan counts them within a pass."""
    monkeypatch.setattr("foam_cli.engine.machine.cast_once", lambda model: None)


@pytest.fixture
def settings(tiny_run: list[str], chat_file: Path) -> list[str]:
    short = ["train.steps=4", "train.warmup_steps=1", "train.accumulate=1", "growth.trigger.cooldown_steps=2"]
    return [*tiny_run, f"data.old_path={chat_file}", *short]


def set_up(words: list[str], tmp_path: Path) -> engine.Run:
    """A run before its first step."""
    composed = engine.config.compose(words).values
    made = engine.build_settings(composed)
    (tmp_path / "run").mkdir()
    folder = engine.RunFolder(tmp_path / "run")
    run = engine.Run(made, composed, folder, Display(Console(file=io.StringIO())), "")
    run.set_up(resuming=False, examine_base=False)
    return run


def on_shapes(made: Settings) -> Traced:
    return traced(build_structure(config_of(made.model), made, Period(step=0)), made, SHAPE_BT)


def most(run: engine.Run, do: Callable[[], object]) -> int:
    """The most that something needs beside what is there."""
    recorder, model = Recorder(), run.base.model
    states = [one for state in run.defences.states.values() for one in state.values()]
    recorder.keep_out([*model.parameters(), *model.buffers(), *states])
    recorder.keep_out(one.grad for one in model.parameters() if one.grad is not None)
    with recorder:
        do()
    return sum(recorder.fullest.values())


def held(defences: Defences) -> int:
    tensors = [one for state in defences.states.values() for one in state.values()]
    storages = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}
    return sum(storages.values())


@pytest.mark.parametrize(
    "words",
    [
        ["regularizer=[l2_init,ewc]", EWC[1]],
        pytest.param(["regularizer=l2_init"], marks=pytest.mark.slow),
        pytest.param(["regularizer=l2_init", "hardware.precision=bf16"], marks=pytest.mark.slow),
        pytest.param([*EWC, "hardware.precision=bf16", "train=full"], marks=pytest.mark.slow),
        pytest.param(["regularizer=distillation"], marks=pytest.mark.slow),
        pytest.param(["regularizer=distillation", *FROZEN], marks=pytest.mark.slow),
    ],
)
def test_what_is_held_is_what_a_run_holds_until_its_end(
    words: list[str], settings: list[str], tmp_path: Path
) -> None:
    run = set_up([*settings, *words], tmp_path)
    planned = [period.held["regularizers"] for period in plan_run([*settings, *words], timed=False).periods]
    assert set(planned) == {held(run.defences)} and len(planned) > 1
    if words == ["regularizer=l2_init"]:
        run.folder.write_start(run.values, "", {}, "")
        run.train(lambda: False)
        assert run.state.records and set(planned) == {held(run.defences)}


@pytest.mark.slow
def test_inserted_blocks_are_not_held(settings: list[str]) -> None:
    words = [one for one in settings if not one.startswith("growth.")]
    words += ["growth=block_schedule", "growth.trigger.every_steps=2", "growth.placement.every_blocks=1"]
    periods = plan_run([*words, "train=full", *EWC], timed=False).periods
    assert periods[1].trainable > periods[0].trainable
    assert periods[1].held["regularizers"] == periods[0].held["regularizers"] == 8 * periods[0].parameters


# ---------------------------------------------------------------- for a moment


@pytest.mark.parametrize(
    "words",
    [
        EWC,
        pytest.param(["regularizer=l2_init", "regularizer.l2_init.beta=1"], marks=pytest.mark.slow),
        pytest.param([*EWC, "hardware.precision=bf16", "train=full"], marks=pytest.mark.slow),
    ],
)
def test_what_a_pull_needs(words: list[str], settings: list[str], tmp_path: Path) -> None:
    run = set_up([*settings, *words], tmp_path)
    for parameter in run.optimizers.parameters():
        parameter.grad = torch.zeros_like(parameter)
    needed = most(run, run.defences.pull)
    assert needed > 0 and on_shapes(run.settings).weights.pull_bytes == needed


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16_autocast", "bf16"])
def test_what_the_end_of_a_stage_needs(precision: str, settings: list[str], tmp_path: Path) -> None:
    words = [*settings, *EWC, f"hardware.precision={precision}"]
    run = set_up(words, tmp_path)
    model, ewc = run.base.model, replace(run.settings.regularizer["ewc"], online_decay=0.9)
    ids_1T = torch.arange(SHAPE_BT[1])[None]

    def passes(_: int):
        with engine.machine.autocast(run.settings.hardware):
            logits_NV = logits_at(model, run._loop(1, bool).head, ids_1T, ids_1T[0])
        yield logits_NV.float(), ids_1T[0]

    model.eval()
    pretrained, state = pretrained_that_learn(model), run.defences.states["ewc"]
    needed = most(run, lambda: ewc.end_stage(pretrained, Look(passes=passes, seed=0), state))
    stages = [Stage(name=name, task=name, data=run.settings.data) for name in "ab"]
    of_stream = replace(run.settings, regularizer={"ewc": ewc}, stages=stages)
    assert on_shapes(of_stream).weights.stage_bytes == pytest.approx(needed, rel=1e-3)
    assert on_shapes(run.settings).weights.stage_bytes == 0
    # The anchors and F that hold from now on lie beside those that held so far.
    assert needed >= held(run.defences)


@pytest.mark.parametrize(
    "words",
    [
        FROZEN,
        *(
            pytest.param([*words, f"hardware.precision={precision}"], marks=pytest.mark.slow)
            for precision in ("fp32", "bf16_autocast", "bf16")
            for words in ([], ON_ALL, [*FROZEN, *ON_ALL])
        ),
    ],
)
def test_what_a_pass_needs_with_its_teacher(
    words: list[str], settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = set_up([*settings, "regularizer=distillation", *words], tmp_path)
    (method, teacher) = run.defences.answers["distillation"]
    if isinstance(teacher, KeptTeacher):
        kept = answers_on_disk(tmp_path, method.top_k)
        look_up = Kept.of  # what numpy reads is memory, too, but torch tells nobody of it
        monkeypatch.setattr(Kept, "of", lambda self, at: tuple(one.clone() for one in look_up(self, at)))
        teacher = KeptTeacher(method.on, {"new": kept, "old": kept}, "cpu")
    defences = replace(run.defences, answers={"distillation": (method, teacher)})
    loop = replace(run._loop(4, lambda: False), defences=defences)
    batch, model = full_batch(), run.base.model.train()
    for parameter in model.parameters():
        parameter.grad = None
    alone = replace(loop, defences=replace(defences, answers={}))
    plain = most(run, lambda: forward_backward(alone, [batch]))
    model.zero_grad()
    needed = most(run, lambda: forward_backward(loop, [batch]))
    planned = sum(on_shapes(run.settings).usual.fullest.values())
    assert planned == pytest.approx(needed, rel=1e-3)
    assert needed > plain


def full_batch() -> Batch:
    """Every token a target, the last row replayed."""
    rows, tokens = SHAPE_BT
    ids_N = torch.arange(rows * tokens) % 90
    return Batch(
        input_ids_BT=ids_N.view(rows, tokens), target_positions_N=torch.arange(rows * tokens),
        target_ids_N=ids_N, num_targets=rows * tokens, num_tokens=rows * tokens, names=["x"] * rows,
        numbers=list(range(rows)), num_new_rows=rows - 1, num_old_targets=tokens,
    )  # fmt: skip


def answers_on_disk(folder: Path, top_k: int) -> Kept:
    rows, tokens = SHAPE_BT
    np.save(folder / "log_probs.npy", np.full((rows * tokens, top_k + 1), -2.0, np.float32))
    np.save(folder / "ids.npy", np.tile(np.arange(top_k, dtype=np.int32), (rows * tokens, 1)))
    examples = [Example(ids=[1] * tokens, targets=[True] * tokens) for _ in range(rows)]
    return Kept(folder, Corpus.of(examples), range(rows))
