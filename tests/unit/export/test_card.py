"""The model card: the run's numbers are in it, and no text can break out of its place."""

import re
from pathlib import Path

import torch

from foam_cli.export.card import escape_markdown, model_card
from foam_cli.export.facts import ExportFacts, ExportReport

HOSTILE = (
    "<script>alert(1)</script> | [x](javascript:a) ![i](http://e/p.png) `c` \n# title\n---\n$x$ {{ 7*7 }}"
)


def card(source: str = "someone/base", text: str = "plain", metrics: dict[str, float] | None = None) -> str:
    facts = ExportFacts(
        source=source,
        command=text,
        seed=3,
        versions={"torch": text},
        metrics={"base/science/acc": 0.99, "final/science/acc": 0.9833} if metrics is None else metrics,
        intervals={"final/science/acc": [0.962, 0.993, 300]},
        history=[
            {
                "step": 200,
                "reason": text,
                "born": {"0": 3, "4": 9},
                "recycled": {"1": [5, 6]},
                "parameters_before": 1000,
                "parameters_after": 1864,
                "max_abs_dlogits": 2.5e-7,
            }
        ],
        probe_BT=torch.zeros(2, 8, dtype=torch.long),
        tolerance=1e-4,
    )
    report = ExportReport(
        folder=Path("out"),
        architecture="Qwen2ForCausalLM",
        num_blocks=6,
        width=192,
        num_neurons=[50, 139],
        num_parameters=2_103_424,
        num_bytes=1,
        max_abs_dlogits=3e-7,
        tolerance=1e-4,
    )
    return model_card(facts, report)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_the_numbers_are_there():
    lines = card().splitlines()
    science = next(cells(line) for line in lines if line.startswith("| science"))
    assert science == ["science", "acc", "0.99", "–", r"0.9833 \[0.962, 0.993\], n=300"]
    event = next(cells(line) for line in lines if line.startswith("| 200"))
    assert event == ["200", "12", "2", "0", "1000 → 1864", r"2.5e\-07", "plain"]
    assert "3.00e-07" in card()
    assert "2,103,424" in card()


def test_hostile_text_stays_text():
    text = card(text=HOSTILE, metrics={f"final/{HOSTILE}/acc": 1.0})
    assert "<script" not in text
    assert not re.search(r"(?<!\\)\]\(", text)
    heads = [line for line in text.splitlines() if line.startswith("#")]
    assert heads == ["# someone/base, grown with foam", "## Numbers", "## Growth", "## Use", "## Made by"]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(cells(row)) for row in rows} == {5, 7}


def test_escaping_can_be_undone():
    shown = re.sub(r"\\(.)", r"\1", escape_markdown(HOSTILE))
    shown = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert shown == " ".join(HOSTILE.split())


def test_only_a_hub_id_is_named_as_base_model():
    assert 'base_model: "someone/base"' in card()
    for path in ("/home/someone/models/x", "../models/x", "a/b/c", 'x/y"\nlicense: mit', "nano"):
        head = card(source=path).split("---")[1]
        assert "base_model" not in head
        assert "license" not in head


def test_a_run_without_numbers_says_so():
    assert "Nothing was evaluated." in card(metrics={})
