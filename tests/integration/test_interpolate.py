"""Points between the base and the trained model: scored at a run's end, and exported later."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from foam_cli.core.files import read_json


@pytest.mark.slow
def test_a_sweep_scores_points_and_any_point_can_be_exported(foam, tiny_run, tiny_folder):
    said = foam(
        "train", *tiny_run, "evaluation=heldout", "interpolate=wise_ft", "interpolate.alphas=[0.5]",
        "train.lr=1e-2", "train=full",
    )  # fmt: skip
    assert said.code == 0, said.err
    (run,) = [path.parent for path in Path("outputs").rglob("result.json")]
    losses = read_json(run / "result.json")["metrics"]
    base, half, final = (losses[f"{when}/heldout/loss_nats"] for when in ("base", "alpha_0.50", "final"))
    assert len({base, half, final}) == 3
    assert half < base  # half of the way is towards what was learnt
    for alpha in ("0", "0.5", "1"):
        said = foam("export", str(run), f"alpha={alpha}", "--to", f"at_{alpha}")
        assert said.code == 0, said.err
    assert foam("export", str(run), "alpha=0.5").code == 0  # its own place, and it says what it is
    assert "alpha=0.5" in (run / "export_alpha_0.50" / "README.md").read_text("utf-8").replace("\\", "")
    ids = torch.arange(2, 60)[None]
    with torch.no_grad():
        found, wanted = (
            AutoModelForCausalLM.from_pretrained(folder)(ids).logits for folder in ("at_0", tiny_folder)
        )
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("words", "problem"), [
    (("train", "interpolate=wise_ft", "interpolate.alphas=[1.0]"), "between 0 and 1"),
    (("export", "somewhere", "alpha=2"), "alpha=2"),
    (("export", "somewhere", "beta=1"), "format= and alpha="),
])  # fmt: skip
def test_points_off_the_line_are_refused(foam, words, problem):
    said = foam(*words)
    assert said.code == 2
    assert problem in said.err
