"""The main job end to end on a tiny model: folder, growth, export, evaluation, study."""

import io
import json
import math
from pathlib import Path

import pytest
import torch
from rich.console import Console
from transformers import AutoModelForCausalLM, AutoTokenizer

from foam_cli import growth_detached, load_grown
from foam_cli.core.errors import ConfigError, FoamError
from foam_cli.core.files import read_json, read_jsonl
from foam_cli.engine import ablate as studies
from foam_cli.engine import run as engine
from foam_cli.engine.display import Display
from foam_cli.engine.evaluate import evaluate
from foam_cli.engine.export_run import export_run
from foam_cli.report.study_page import study_report


def display() -> Display:
    return Display(Console(file=io.StringIO(), width=200))


def train(settings: list[str]) -> Path:
    return engine.run_training(settings, display(), command="foam train").folder


@pytest.fixture(scope="module")
def finished(tiny_folder: Path, chat_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with everything on."""
    outputs = tmp_path_factory.mktemp("finished")
    return train(
        [
            f"model.path={tiny_folder}",
            f"data.path={chat_file}",
            f"output_dir={outputs}",
            "hardware=cpu",
            "hardware.threads=1",
            "growth.trigger.cooldown_steps=10",
            "growth.max_neurons_per_event=3",
            "growth.track_every_steps=2",
            "train.steps=60",
            "train.batch_tokens=512",
            "train.log_every_steps=1",
            "train.validate_every_steps=20",
            "train.lr=3e-3",
            "train.grown_lr=3e-3",
            "evaluation.every_steps=30",
        ]
    )


def test_a_run_folder_holds_what_it_promises(finished: Path) -> None:
    present = {path.name for path in finished.iterdir()}
    assert {
        "config.yaml", "manifest.json", "metrics.jsonl", "growth.jsonl", "result.json", "samples.json",
        "report.html", "checkpoints", "export", "evaluations",
    } <= present  # fmt: skip
    result = read_json(finished / "result.json")
    assert result["status"] == "finished"
    assert result["roles"] == {"heldout": "learnt"}
    assert {"base/heldout/loss_nats", "start/heldout/loss_nats", "final/heldout/loss_nats"} <= set(
        result["metrics"]
    )
    manifest = read_json(finished / "manifest.json")
    assert set(manifest["data"]) == {"train", "validation"}
    assert manifest["versions"]["torch"].startswith("2.")


def test_it_learns_what_it_is_shown(finished: Path) -> None:
    metrics = read_json(finished / "result.json")["metrics"]
    assert metrics["final/heldout/loss_nats"] < metrics["base/heldout/loss_nats"] - 0.25
    model = AutoModelForCausalLM.from_pretrained(finished / "export")
    # A model that knows nothing is as good as guessing among the tokens of its vocabulary.
    assert metrics["base/heldout/loss_nats"] == pytest.approx(math.log(model.config.vocab_size), rel=0.05)
    assert metrics["start/heldout/loss_nats"] == metrics["base/heldout/loss_nats"]


def test_evaluation_on_a_schedule_writes_the_curve(finished: Path) -> None:
    rows = [row for row in read_jsonl(finished / "metrics.jsonl") if "evaluation" in row]
    assert [row["step"] for row in rows] == [30]
    assert "heldout/loss_nats" in rows[0]["evaluation"]


def test_growth_is_measured_and_preserves_the_function(finished: Path) -> None:
    events = read_jsonl(finished / "growth.jsonl")
    assert [event["step"] for event in events] == [10, 20, 30, 40, 50]
    for event in events:
        assert event["max_abs_dlogits"] <= 1e-5
        assert event["loss_after_nats"] == pytest.approx(event["loss_before_nats"], abs=1e-5)
        # Each neuron has a gate row, an up row and a down column of 16 numbers.
        erased = sum(len(indices) for indices in event["recycled"].values())
        born = sum(event["born"].values())
        assert event["parameters_after"] - event["parameters_before"] == (born - erased) * 3 * 16


def test_the_export_is_a_plain_model_that_says_the_same(finished: Path) -> None:
    folder = finished / "export"
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert type(model).__name__ == "Qwen2ForCausalLM"
    assert model.config.intermediate_size % 64 == 0
    assert read_json(finished / "result.json")["export_max_abs_dlogits"] <= 1e-4
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is 3 plus 3?"}], add_generation_prompt=True, return_tensors="pt",
        return_dict=True,
    )  # fmt: skip
    assert model.generate(**prompt, max_new_tokens=4, do_sample=False).shape[1] > prompt["input_ids"].shape[1]


@pytest.mark.slow
def test_the_same_settings_make_the_same_run(tiny_run: list[str], tmp_path: Path) -> None:
    one = train([*tiny_run, f"output_dir={tmp_path / 'a'}"])
    other = train([*tiny_run, f"output_dir={tmp_path / 'b'}"])
    losses = [[row.get("loss") for row in read_jsonl(run / "metrics.jsonl")] for run in (one, other)]
    assert losses[0] == losses[1]
    assert one.parent.name == other.parent.name  # the run's id is a hash of what it does, not of where


@pytest.mark.slow
def test_a_second_run_of_the_same_settings_gets_its_own_folder(tiny_run: list[str]) -> None:
    assert train(tiny_run).name == "0"
    assert train(tiny_run).name == "0-2"


@pytest.mark.slow
def test_growth_does_not_change_the_order_of_the_data(tiny_run: list[str], tmp_path: Path) -> None:
    off = [s for s in tiny_run if not s.startswith("growth.")]
    without = train([*off, "growth=none", f"output_dir={tmp_path / 'off'}"])
    grown = train([*tiny_run, f"output_dir={tmp_path / 'on'}"])
    tokens = [
        [row["tokens"] for row in read_jsonl(run / "metrics.jsonl") if "tokens" in row]
        for run in (without, grown)
    ]
    assert tokens[0] == tokens[1]
    first = [read_jsonl(run / "metrics.jsonl")[0]["loss"] for run in (without, grown)]
    assert first[0] == first[1]


def test_accumulation_normalises_by_tokens(tiny_run: list[str], tmp_path: Path) -> None:
    """Two passes of half a batch give the gradient of one pass over the whole."""
    plain = [s for s in tiny_run if not s.startswith(("growth.", "replay."))]
    common = [*plain, "growth=none", "replay=none", "train=full", "train.steps=1", "train.clip_norm=null"]
    folder = train([*common, "train.accumulate=2", f"output_dir={tmp_path / 'two'}"])
    row = read_jsonl(folder / "metrics.jsonl")[0]
    # Independent: the mean over all targets of both batches, computed by transformers itself.
    values = engine.config.from_yaml(folder / "config.yaml")
    settings = engine.build_settings(values)
    run = engine.Run(settings, values, engine.RunFolder(folder, read_only=True), display(), "")
    run.set_up(resuming=False, examine_base=False)
    batches = []
    for step in range(2):
        batch, _ = run.data.next_batch(step, {})
        batches.append(batch)
    total, count = 0.0, 0
    model = AutoModelForCausalLM.from_pretrained(settings.model.path)
    for batch in batches:
        real = slice(batch.num_targets)
        logits = model(batch.input_ids_BT).logits.flatten(0, 1)[batch.target_positions_N[real]]
        total += torch.nn.functional.cross_entropy(logits, batch.target_ids_N[real], reduction="sum").item()
        count += batch.num_targets
    assert row["loss"] == pytest.approx(total / count, rel=1e-5)


@pytest.mark.slow
def test_the_small_gpu_profile_runs_on_the_cpu(tiny_run: list[str], tmp_path: Path) -> None:
    """bf16 weights with a compensated update and 8-bit Adam: all of rtx3060 but the device."""
    other = [s for s in tiny_run if not s.startswith("hardware")]
    profile = ["hardware=rtx3060", "hardware.device=cpu", "hardware.threads=1", "export=hf", "train.lr=3e-3"]
    folder = train([*other, *profile])
    result = read_json(folder / "result.json")
    assert result["export_max_abs_dlogits"] <= 1e-4
    losses = [
        row["validation_loss"] for row in read_jsonl(folder / "metrics.jsonl") if "validation_loss" in row
    ]
    assert losses[-1] < losses[0]


def test_grown_without_growth_is_refused(tiny_run: list[str]) -> None:
    off = [s for s in tiny_run if not s.startswith("growth.")]
    with pytest.raises(ConfigError, match="nothing would be trained"):
        train([*off, "growth=none", "train=grown"])


def test_eval_scores_a_run_and_its_export_alike(finished: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("What is 3 plus 3? 3 plus 3 is 6. " * 20)
    task = ["perplexity", f"evaluation.perplexity.path={text}", "evaluation.perplexity.window_tokens=32"]
    place = ["hardware=cpu", f"output_dir={tmp_path}"]
    of_run = evaluate([*task, f"run={finished}", *place], display())
    of_export = evaluate([*task, f"model.path={finished / 'export'}", *place], display())
    key = "perplexity/bits_per_byte_32"
    assert of_run["metrics"][key] == pytest.approx(of_export["metrics"][key], rel=1e-5)
    assert of_run["metrics"][key] > 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["perplexity"], "Name what to score"),
        (["run=somewhere"], "Name a task"),
        (["x", "model=nano"], "no option 'x'"),
    ],
)
def test_eval_says_what_is_missing(words: list[str], complaint: str) -> None:
    with pytest.raises(FoamError, match=complaint):
        evaluate(words, display())


def test_foam_export_writes_an_earlier_run(finished: Path, tmp_path: Path) -> None:
    report = export_run(finished, tmp_path / "again", display())
    assert report["max_abs_dlogits"] <= 1e-4
    one = AutoModelForCausalLM.from_pretrained(tmp_path / "again").state_dict()
    other = AutoModelForCausalLM.from_pretrained(finished / "export").state_dict()
    assert all(torch.equal(one[name], other[name]) for name in other)


@pytest.mark.slow
def test_a_study_compares_its_arms_and_repeats_nothing(
    tiny_run: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Arms differ in growth, so the settings they share must suit both.
    shared = [s for s in tiny_run if not s.startswith(("growth.", "evaluation="))]
    words = [*shared, "study.seeds=[0,1]", f"results_dir={tmp_path / 'results'}"]
    document = studies.ablate("sweep", words, display(), command="foam ablate sweep")
    written = read_json(tmp_path / "results" / "ablation_comparison.json")
    assert written == json.loads(json.dumps(document))
    assert set(document["arms"]) == {"none", "v3"}
    losses = document["arms"]["v3"]["metrics"]["final/heldout/loss_nats"]
    assert losses["median"] == pytest.approx(sum(losses["values"]) / 2)
    base = [arm["metrics"]["base/heldout/loss_nats"]["values"] for arm in document["arms"].values()]
    assert base[0] == base[1]
    assert "against none" in (tmp_path / "results" / "report.html").read_text()
    (copy,) = tmp_path.glob("*/*/ablation_comparison.json")
    assert read_json(copy) == written
    assert "against none" in study_report(copy.parent).read_text()

    def never(*args: object, **kwargs: object) -> None:
        raise AssertionError("a finished run was repeated")

    monkeypatch.setattr(studies, "supervise", never)
    again = studies.ablate("sweep", words, display(), command="foam ablate sweep")
    assert again["arms"] == document["arms"]


@pytest.mark.slow
def test_a_delta_of_a_frozen_base_goes_back_onto_it(
    tiny_folder: Path, chat_file: Path, tmp_path: Path, finished: Path
) -> None:
    run = train(
        [
            f"model.path={tiny_folder}",
            f"data.path={chat_file}",
            f"output_dir={tmp_path}",
            "hardware=cpu",
            "hardware.threads=1",
            "growth=grow_only",
            "growth.trigger.cooldown_steps=2",
            "growth.max_neurons_per_event=3",
            "train=grown",
            "train.steps=8",
            "train.batch_tokens=512",
            "evaluation=none",
            "export=delta",
        ]
    )
    file = run / "growth.safetensors"
    assert read_json(run / "result.json")["export"] == str(file)
    assert file.stat().st_size < (tiny_folder / "model.safetensors").stat().st_size
    model, base = load_grown(tiny_folder, file), AutoModelForCausalLM.from_pretrained(tiny_folder)
    export_run(run, tmp_path / "plain", display())
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "plain")
    tokens = torch.arange(20)[None]
    with torch.no_grad():
        assert (model(tokens).logits - plain(tokens).logits).abs().max() <= 1e-4
        assert not torch.equal(model(tokens).logits, base(tokens).logits)
        with growth_detached(model):
            assert torch.equal(model(tokens).logits, base(tokens).logits)
    with pytest.raises(FoamError, match="train=grown"):  # the default run trains the core
        export_run(finished, tmp_path / "finished.safetensors", display(), "delta")
