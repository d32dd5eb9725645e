"""`foam plan`: what it says of published models and small ones, and when it says no."""

import json
from pathlib import Path

import pytest

from foam_cli.core.errors import ModelError
from foam_cli.core.files import read_json, read_jsonl
from foam_cli.core.settings import ModelSettings
from foam_cli.engine.plan import plan_run, suggest
from foam_cli.model.blueprint import blueprint, config_of
from foam_cli.model.loading import weights_dtype

#: As their makers and their weights on the hub state them.
PUBLISHED = {
    "Qwen/Qwen2.5-1.5B-Instruct": 1_543_714_304,
    "openai-community/gpt2": 124_439_808,
    "HuggingFaceTB/SmolLM2-135M-Instruct": 134_515_008,
    "meta-llama/Llama-3.2-1B-Instruct": 1_235_814_400,
}


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def config_at(path):
    return config_of(ModelSettings(path=path, revision="main", init="pretrained", intermediate_size=None))


@pytest.mark.parametrize("path", PUBLISHED)
def test_shipped_shapes_are_the_published_models(path):
    model = blueprint(config_at(path), weights_dtype("bf16"))
    assert sum(parameter.numel() for parameter in model.parameters()) == PUBLISHED[path]
    assert all(parameter.is_meta for parameter in model.parameters())


def test_a_model_that_cannot_be_asked_for_says_what_to_do():
    with pytest.raises(ModelError, match=r"nobody/nothing.*config.json into a folder.*model.path=DIR"):
        config_at("nobody/nothing")


@pytest.mark.slow
def test_the_document_says_what_a_run_needs(foam, small):
    said = foam("plan", *small, "--json")
    assert said.code == 0 and "fits: " in said.err
    found = json.loads(said.out)
    assert found["fits"] and found["suggestion"] is None
    assert found["batch"] == {"rows": 1, "tokens_per_row": 1024, "accumulate": 2}
    assert [period["step"] for period in found["periods"]] == [0, 2, 4]
    steps = [2, 2, 2]
    assert found["flops"] == pytest.approx(
        sum(n * period["flops_per_step"] for n, period in zip(steps, found["periods"], strict=True))
    )
    assert found["seconds"]["rate"] == "measured" and 0 < found["seconds"]["low"] < found["seconds"]["high"]
    assert found["peak_bytes"] == max(s["total_bytes"] for s in found["periods"]) + found["runtime_bytes"]
    for period in found["periods"]:
        assert period["total_bytes"] == sum(period["memory_bytes"].values())


@pytest.mark.slow
def test_a_real_run_has_the_parameters_that_were_planned(foam, small):
    recycling = "growth.recycling=none"
    planned = json.loads(foam("plan", *small, recycling, "--json").out)
    assert foam("train", *small, recycling, "output_dir=o").code == 0
    (folder,) = [path.parent for path in Path("o").rglob("result.json")]
    result = read_json(folder / "result.json")
    assert planned["parameters"]["base"] == result["parameters"]["base"]
    assert planned["parameters"]["final"] == result["parameters"]["final"]
    assert planned["parameters"]["final_trainable"] == result["parameters"]["trainable"]
    events = [row["step"] for row in read_jsonl(folder / "growth.jsonl")]
    assert [period["step"] for period in planned["periods"][1:]] == events


@pytest.mark.slow
def test_what_does_not_fit_gets_a_suggestion_that_does(foam, small):
    roomy = plan_run(small, timed=False)
    runtime = roomy.peak_bytes - roomy.peak.total_bytes
    states = sum(roomy.peak.held.values()) + roomy.peak.gradient_bytes
    tight = (runtime + states + 0.5 * (roomy.peak.total_bytes - states)) / 0.95 / 2**30
    words = [*small, "data.max_length=64", f"hardware.memory_gib={tight:.9f}", "train.batch_tokens=2048"]
    said = foam("plan", *words)
    assert said.code == 4 and "does not fit" in said.out
    changes = said.out.split("fits with: ")[1].split()
    assert changes[0].startswith("train.batch_tokens=") and changes[1].startswith("train.accumulate=")
    assert plan_run([*words, *changes], timed=False).fits
    hopeless = [*small, "hardware.memory_gib=0.1"]
    assert suggest(plan_run(hopeless, timed=False), hopeless) is None


@pytest.mark.slow
def test_qwen_with_full_training_wants_more_than_12_gib():
    words = ["model=qwen1.5b", "hardware=rtx3060", "train.steps=500", "growth=none", "train=full"]
    plan = plan_run(words)
    gib = 2**30
    # 2 bytes a weight, and to train it 2 that bf16 drops, 2 of moments, 2 of gradient; scales come on top.
    assert plan.peak.held["weights"] == pytest.approx(2 * 1_543_714_304, rel=1e-3)
    assert plan.peak.held["optimizer"] == pytest.approx((2 + 2 + 8 / 256) * 1_543_714_304, rel=1e-3)
    assert plan.peak.gradient_bytes == 2 * 1_543_714_304
    changes = suggest(plan, words)
    assert changes is not None and changes[0] == "train=ffn"
    assert plan_run([*words, *changes], timed=False).fits
    assert not plan.fits and 12 * gib < plan.peak_bytes < 18 * gib
    # 6 operations a weight and token, the embedding counted once, as the output layer.
    tokens = plan.shape_BT[0] * plan.shape_BT[1] * 2 * 500
    assert plan.flops == pytest.approx(6 * 1_543_714_304 * tokens, rel=0.05)
    assert plan.rate is not None and plan.rate.source == "nominal"
