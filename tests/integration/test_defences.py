"""Regularizers within a run: what they add to it, what they leave alone, what they refuse."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from foam_cli.core.errors import CheckpointError, ConfigError
from foam_cli.core.files import read_json, read_jsonl
from foam_cli.engine import run as engine
from foam_cli.engine.defences import Defences
from foam_cli.engine.display import Display
from foam_cli.engine.prepare import TrainingData
from foam_cli.engine.teachers import targets_asked, without_old_targets
from foam_cli.model.neurons import growable_ffns
from foam_cli.regularizers.ewc import Ewc

ALL = [
    "regularizer=[distillation,ewc,l2_init]",
    "regularizer.ewc.num_examples=3",
    "regularizer.l2_init.beta=0.1",
]
FROZEN = ["train=grown", "growth.recycling=none"]


@pytest.fixture
def settings(tiny_run: list[str], chat_file: Path) -> list[str]:
    short = ["train.steps=4", "train.warmup_steps=1", "train.lr=1e-2", "train.grown_lr=1e-2"]
    short += ["train.validate_every_steps=null", "checkpoint.every_steps=null"]
    return [*tiny_run, f"data.old_path={chat_file}", *short]


def train(words: list[str]) -> tuple[list[dict], str, Path]:
    """Rows of the steps, what was said, and the folder."""
    said = io.StringIO()
    outcome = engine.run_training(words, Display(Console(file=said, width=500)), command="")
    rows = [row for row in read_jsonl(outcome.folder / "metrics.jsonl") if "loss" in row]
    return rows, said.getvalue(), outcome.folder


def set_up(words: list[str], output_dir: Path) -> engine.Run:
    """A run before its first step."""
    composed = engine.config.compose([*words, f"output_dir={output_dir}"]).values
    made = engine.build_settings(composed)
    (output_dir / "run").mkdir(parents=True, exist_ok=True)
    folder = engine.RunFolder(output_dir / "run")
    run = engine.Run(made, composed, folder, Display(Console(file=io.StringIO())), "")
    run.set_up(resuming=False, examine_base=False)
    return run


# ---------------------------------------------------------------- what they add


VARIANTS = {
    "trained core": ALL,
    "frozen core": [*FROZEN, "regularizer=[distillation,l2_init]", "regularizer.l2_init.alpha=null",
                    "regularizer.l2_init.beta=1", "growth.trigger.cooldown_steps=2", "train.grown_lr=0.1"],
    "accumulated": [*ALL, "train.accumulate=2"],
    "on all": [*ALL, "regularizer.distillation.on=all"],
    "on all, nothing replayed": [*ALL, "regularizer.distillation.on=all", "replay=none"],
    "bf16 autocast": [*ALL, "hardware.precision=bf16_autocast"],
    "bf16 weights": [*ALL, "hardware.precision=bf16"],
    "8-bit Adam": [*ALL, "hardware.optimizer=adamw8bit", "train=full"],
}  # fmt: skip
QUICK = ("trained core", "frozen core")
#: The teacher's answers were asked for in batches of another shape.
ROUNDING = {"bf16 autocast": 1e-3, "bf16 weights": 1e-3}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [one if one in QUICK else pytest.param(one, marks=pytest.mark.slow) for one in VARIANTS]
)
def test_penalties_are_zero_at_the_start_and_no_part_of_the_loss(
    name: str, settings: list[str], tmp_path: Path
) -> None:
    words = [*settings, *VARIANTS[name]]
    if "replay=none" in words:
        words = [one for one in words if not one.startswith("replay.")]
    rows, said, _ = train([*words, f"output_dir={tmp_path / 'with'}"])
    for penalty, value in rows[0]["penalties"].items():
        assert abs(value) <= ROUNDING.get(name, 1e-6), penalty
        assert f"  {penalty}: " in said and "MiB" in said
    assert all(value > 0 for value in rows[-1]["penalties"].values())
    assert ("growth detached" in said) == (name == "frozen core")
    plain = [one for one in words if not one.startswith("regularizer")]
    without, _, _ = train([*plain, f"output_dir={tmp_path / 'without'}"])
    assert rows[0]["loss"] == without[0]["loss"] and "penalties" not in without[0]
    assert rows[-1]["loss"] != without[-1]["loss"]


@pytest.mark.slow
@pytest.mark.parametrize("option", ["ewc", "l2_init", "distillation"])
def test_a_strong_penalty_holds_what_it_is_for(option: str, settings: list[str], tmp_path: Path) -> None:
    """Ten thousand times the weight: what is measured stays far nearer to where it began."""
    off = [one for one in settings if not one.startswith("growth.")]
    key = {"ewc": "weight", "l2_init": "alpha", "distillation": "weight"}[option]
    common = [*off, "growth=none", "train=full", f"regularizer={option}", "train.clip_norm=null"]
    ends = {}
    for weight in (1e-3, 1e1):
        words = [*common, f"regularizer.{option}.{key}={weight}", f"output_dir={tmp_path / str(weight)}"]
        rows, _, _ = train(words)
        ends[weight] = rows[-1]["penalties"][option] / weight
    assert 0 < ends[1e1] < ends[1e-3]


@pytest.mark.slow
def test_penalties_are_those_that_the_step_sees(settings: list[str], tmp_path: Path) -> None:
    """The second row's L2-SP is ½ α ‖θ1 - θ0‖², θ1 from the first step's checkpoint."""
    off = [one for one in settings if not one.startswith(("growth.", "checkpoint"))]
    words = [*off, "growth=none", "regularizer=l2_init", "regularizer.l2_init.alpha=0.3", "train.steps=2"]
    rows, _, folder = train([*words, "checkpoint.every_steps=1"])
    after = load_file(folder / "checkpoints" / "step_00000001" / "model.safetensors")
    base = set_up(words, tmp_path / "base").base.model.state_dict()
    moved = sum((after[name] - base[name]).double().square().sum() for name in after)
    assert rows[0]["penalties"]["l2_init"] == 0
    assert rows[1]["penalties"]["l2_init"] == pytest.approx(0.15 * float(moved), rel=1e-5)


# ---------------------------------------------------------------- teachers


@pytest.mark.slow
def test_the_kept_teacher_and_the_detached_one_say_the_same(settings: list[str], tmp_path: Path) -> None:
    few = "regularizer.distillation.top_k=40"
    for rows in ("old", "all"):
        words = [*settings, "regularizer=distillation", few, f"regularizer.distillation.on={rows}"]
        kept = set_up(words, tmp_path / f"kept {rows}")
        detached = set_up([*words, *FROZEN], tmp_path / f"detached {rows}")
        batch, _ = kept.data.next_batch(3, kept.state.replay)
        assert batch.num_old_targets > 0
        answers = kept.defences.answers["distillation"][1](batch)
        exact = detached.defences.answers["distillation"][1](batch)
        assert exact.ids_Nk is None and answers.ids_Nk is not None
        asked = targets_asked(batch, rows)
        assert len(exact.log_probs_NK) == len(answers.log_probs_NK) == asked.stop - asked.start
        top = exact.log_probs_NK.gather(1, answers.ids_Nk)
        assert torch.allclose(answers.log_probs_NK[:, :-1], top, atol=1e-5)
        rest = torch.log1p(-top.exp().sum(1))
        assert torch.allclose(answers.log_probs_NK[:, -1], rest, atol=1e-4)


@pytest.mark.parametrize("growth", ["neurons", pytest.param("blocks", marks=pytest.mark.slow)])
def test_the_detached_teacher_stays_the_base_model(growth: str, settings: list[str], tmp_path: Path) -> None:
    words = [*settings, *FROZEN, "regularizer=distillation", "train.steps=9", "train.grown_lr=0.1"]
    if growth == "blocks":
        words = [
            one for one in words if not one.startswith(("growth.max", "growth.tr", "growth.ma", "growth.re"))
        ]
        words += ["growth=block_schedule", "growth.trigger.every_steps=6", "growth.placement.every_blocks=1"]
    run = set_up(words, tmp_path / "run")
    batch, _ = run.data.next_batch(0, run.state.replay)
    teacher = run.defences.answers["distillation"][1]
    before = teacher(batch).log_probs_NK
    run.folder.write_start(run.values, "", {}, "")
    run.train(lambda: False)
    assert run.state.records
    at = batch.target_positions_N[: batch.num_targets]
    grown = run.base.model(batch.input_ids_BT).logits.flatten(0, 1)[at].float()[targets_asked(batch, "old")]
    assert torch.equal(teacher(batch).log_probs_NK, before)
    assert not torch.allclose((grown / 2).log_softmax(-1), before, atol=1e-3)


REPLAYS = {
    "reservoir": ["replay.max_examples=9"],
    "loss_weighted": ["replay=loss_weighted", "replay.max_examples=9"],
    "of the stream": ["data.old_path=null", "regularizer.distillation.on=all"],
    "of the stream, by loss": [
        "data.old_path=null", "regularizer.distillation.on=all", "replay=loss_weighted"
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", REPLAYS)
def test_a_teacher_is_asked_about_what_the_run_meets_alone(
    name: str, settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every answer that training looks up is there; of a uniform memory no other is."""
    met: dict[str, set[int]] = {"new": set(), "old": set()}
    real = TrainingData.next_batch

    def watched(self, step, replay_state):
        batch, state = real(self, step, replay_state)
        met["new"].update(batch.numbers[: batch.num_new_rows])
        met["old"].update(batch.numbers[batch.num_new_rows :])
        return batch, state

    monkeypatch.setattr(TrainingData, "next_batch", watched)
    plain = [one for one in settings if not one.startswith(("replay.", "growth."))]
    words = [*plain, "growth=none", "train=full", "regularizer=distillation", "train.accumulate=2"]
    words += ["train.steps=2", "train.batch_tokens=96", *REPLAYS[name]]
    run = set_up(words, tmp_path / "run")
    place = run.data.stream.state()
    new, old = run.data.met_in(4)
    assert run.data.stream.state() == place and met == {"new": set(), "old": set()}
    run.folder.write_start(run.values, "", {}, "")
    run.train(lambda: False)
    assert set(new) == met["new"] and set(old) >= met["old"]
    assert len(new) < len(run.data.train)
    if "loss" in name:
        held = run.data.initial_replay()["held"]
        assert set(old) == (set(held) or set(new))
    else:
        assert set(old) == met["old"]
    rows = [row for row in read_jsonl(run.folder.path / "metrics.jsonl") if "loss" in row]
    assert rows[-1]["penalties"]["distillation"] > 0


@pytest.mark.slow
def test_a_teacher_is_asked_once_for_all_runs(settings: list[str]) -> None:
    words = [*settings, "regularizer=distillation", "train.steps=1"]
    _, said, folder = train(words)
    assert "keeping a teacher's answers" in said
    kept = list((folder.parents[2] / "teachers").iterdir())
    assert len(kept) == 1 and read_json(kept[0] / "known_by.json")["top_k"] == 32
    rows, said, _ = train(words)
    assert "keeping" not in said and abs(rows[0]["penalties"]["distillation"]) < 1e-6
    _, said, _ = train([*words, "regularizer.distillation.temperature=1"])
    assert "keeping a teacher's answers" in said


def test_a_teacher_can_replace_the_loss_of_old_rows(settings: list[str], tmp_path: Path) -> None:
    replaced = ["regularizer=distillation", "regularizer.distillation.replaces_loss=true"]
    rows, _, _ = train([*settings, *replaced, "train.accumulate=1", "train.steps=1"])
    run = set_up(settings, tmp_path / "run")
    batch, _ = run.data.next_batch(0, run.state.replay)
    new = without_old_targets(batch)
    logits = run.base.model(batch.input_ids_BT[: batch.num_new_rows]).logits[:, :-1]
    real = slice(batch.num_targets - batch.num_old_targets)
    places = batch.target_positions_N[real]
    width = batch.input_ids_BT.shape[1]
    expected = torch.nn.functional.cross_entropy(
        logits[places // width, places % width], batch.target_ids_N[real]
    )
    assert rows[0]["loss"] == pytest.approx(expected.item(), rel=1e-5)
    assert new.num_targets == int((new.target_ids_N >= 0).sum()) == real.stop


# ---------------------------------------------------------------- growth and resume


def test_recycled_neurons_are_let_go(settings: list[str], tmp_path: Path) -> None:
    run = set_up([*settings, *ALL, "growth.trigger.cooldown_steps=2"], tmp_path / "run")
    ffn = growable_ffns(run.base.model)[0]
    from foam_cli.model.surgery import erase_core

    def pulled() -> dict[str, float]:
        for parameter in run.optimizers.parameters():
            parameter.grad = torch.zeros_like(parameter)
        return {name: value.item() for name, value in run.defences.pull().items()}

    erase_core(ffn, [3, 7])
    assert all(value > 0 for value in pulled().values())
    run.defences.after_growth()
    assert pulled() == {"ewc": 0, "l2_init": 0}
    for parameter, dim in ffn.views.neuron_parameters():
        assert not parameter.grad.any(), dim


def test_what_was_measured_is_kept_and_checked(
    settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*settings, *ALL]
    first = set_up(words, tmp_path / "run")
    file = tmp_path / "run" / "run" / "regularizers" / "ewc" / "step_00000000.safetensors"
    assert file.is_file() and not (file.parent.parent / "l2_init").exists()

    def never(*args: object) -> None:
        raise AssertionError("measured twice")

    monkeypatch.setattr(Ewc, "_fisher", never)
    again = set_up(words, tmp_path / "run")
    mine, other = first.defences.states["ewc"], again.defences.states["ewc"]
    assert mine.keys() == other.keys() and all(torch.equal(mine[key], other[key]) for key in mine)
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match="has changed since it was written"):
        set_up(words, tmp_path / "run")


def test_the_end_of_a_stage_is_remembered_by_its_step(settings: list[str], tmp_path: Path) -> None:
    run = set_up([*settings, "regularizer=ewc", "regularizer.ewc.num_examples=2"], tmp_path / "run")
    online = {"ewc": replace(run.settings.regularizer["ewc"], online_decay=0.5)}
    defences: Defences = replace(run.defences, weights=online)
    first = defences.states["ewc"]
    x_TV = torch.zeros(4, 8, requires_grad=True)
    looks = [replace_look(run, x_TV), replace_look(run, x_TV)]
    for step, look in zip((5, 9), looks, strict=True):
        defences.end_stage(step, look)
    last = defences.states["ewc"]
    name = next(key for key in first if key.startswith("fisher."))
    assert torch.allclose(last[name], 0.25 * first[name])  # stages in which no weight mattered
    for step, decay in ((4, 1.0), (5, 0.5), (8, 0.5), (20, 0.25)):
        defences.states["ewc"] = first
        defences.resume(step)
        assert torch.equal(defences.states["ewc"][name], decay * first[name])


def replace_look(run: engine.Run, logits_NV: torch.Tensor):
    from foam_cli.regularizers.protocols import Look

    return Look(passes=lambda _: iter([(logits_NV, torch.zeros(4, dtype=torch.int64))]), seed=0)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["regularizer=distillation", "replay=none"], r"distillation.on=old: .* Choose replay=reservoir"),
        (["regularizer=distillation", "model.init=random"], "random weights knows nothing"),
        (["regularizer=distillation", "regularizer.distillation.top_k=9999"], "must be less than the"),
        (["regularizer=distillation", "data.old_path=null"], "name it in data.old_path"),
        (["regularizer=ewc", "data.old_path=null"], "name it in data.old_path"),
        (["regularizer=ewc", "train=grown"], "regularizer.ewc: .* train=grown trains none"),
        (["regularizer=ewc", "growth.initializer=split"], "growth.initializer=Split divides"),
        (["regularizer=ewc", "regularizer.ewc.online_decay=0.9"], "this run has one stage"),
        (["regularizer=l2_init", "train=grown"], "regularizer.l2_init.alpha: .* trains none"),
        (["regularizer=l2_init", "NO GROWTH", "regularizer.l2_init.beta=1"], "growth=none grows none"),
        (["+regularizer.ewcc.weight=1"], "regularizer.ewcc: is no regularizer"),
        (["regularizer=[ewc,l2]"], "there is no option 'l2'. Options of regularizer: distillation"),
        (["regularizer=ewc", "regularizer.ewc.wait=1"], "regularizer.ewc.wait"),
        (["regularizer=l2_init", "regularizer.l2_init.alpha=null"], "nothing would be pulled"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], complaint: str, settings: list[str]) -> None:
    if "replay=none" in words:
        settings = [one for one in settings if not one.startswith("replay.")]
    if "NO GROWTH" in words:
        settings = [one for one in settings if not one.startswith("growth.")]
        words = ["growth=none" if one == "NO GROWTH" else one for one in words]
    with pytest.raises(ConfigError, match=complaint):
        train([*settings, *words])


@pytest.mark.slow
def test_ewc_needs_old_data_but_no_replay(settings: list[str]) -> None:
    plain = [one for one in settings if not one.startswith("replay.")]
    rows, _, _ = train([*plain, "replay=none", "regularizer=ewc", "regularizer.ewc.num_examples=2"])
    assert rows[-1]["penalties"]["ewc"] > 0
