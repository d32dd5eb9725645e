"""The table of two targets on a terminal of 80 columns."""

import io

import pytest
from rich.console import Console

from foam_cli.engine.evaluate import comparison_table


def metric(value, low=None, high=None):
    return {"value": value, "low": low, "high": high, "n": 2376}


def row(**more):
    return {
        "before": metric(0.2517), "after": metric(0.2563), "difference": metric(-0.0446, -0.0517, -0.0321),
        "num_gained": 1234, "num_lost": 1340, "p_value": 1.234e-05, "before_at_chance": True,
        "after_at_chance": False, **more,
    }  # fmt: skip


ROWS = {
    "arc_challenge": row(),
    "lm_eval/a_task_with_quite_a_long_name": row(before_at_chance=False, after_at_chance=True),
    "perplexity": {
        "metric": "bits_per_byte_128",
        **{key: metric(value) for key, value in (("before", 4.5), ("after", 4.25), ("difference", -0.25))},
    },
}


@pytest.mark.parametrize("width", [80, 200])
def test_nothing_is_cut(width):
    said = io.StringIO()
    Console(file=said, width=width).print(comparison_table(ROWS))
    lines = said.getvalue().splitlines()
    assert all(len(line) <= width for line in lines) and "…" not in said.getvalue()
    assert len(lines) >= 1 + len(ROWS)
    folded = "".join(line[: lines[0].index(" 1 ")].split(" ")[0] for line in lines[1:])
    for name in ROWS:
        assert name in folded
    first = lines[1].split()
    assert first == [
        "arc_challenge", "0.2517*", "0.2563", "-0.0446", "-0.0517", "to", "-0.0321", "1234", "1340",
        "1.2e-05",
    ]  # fmt: skip
    assert lines[2].split()[1:3] == ["0.2517", "0.2563*"]
    assert "bits_per_byte_128" in said.getvalue().replace("\n", "").replace(" ", "")
