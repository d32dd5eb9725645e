"""A run folder as the engine leaves it, small and made up."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_HOSTILE = (
    "<script>document.title='taken'</script></style><style>*{display:none}</style>"
    "<svg onload=alert(1)><image href='http://evil.example/x.png'/></svg>"
    "{{ 7*7 }}{% raw %} $\\frac{ \"'><img src=x onerror=alert(1)> ]]> --> [red]\u202e\x00\U0001f4a5\ud800"
)


def _write(path: Path, value: Any) -> None:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in value), encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(json.dumps(value), encoding="utf-8")
    else:
        path.write_text(value, encoding="utf-8", errors="surrogatepass")


def _content(text: str = "plain") -> dict[str, Any]:
    """Every file of a finished run; `text` stands wherever data, models or users put words of their own."""
    scores = {"base": (0.0, 0.99, 3.41), "start": (0.0, 0.99, 3.41), "final": (0.95, 0.9833, 3.47)}
    tasks = (("tool_use", "full_call_acc"), (f"science{text}", "acc"), ("wikitext", "bits_per_byte"))
    metrics = {
        f"{when}/{task}/{metric}": value
        for when, values in scores.items()
        for (task, metric), value in zip(tasks, values, strict=True)
    }
    rows: list[dict[str, Any]] = [
        {"step": step, "loss": 3.0 / step + 0.5, "tokens": step * 64} for step in range(1, 61)
    ]
    rows += [{"step": step, "validation_loss": 2.0 / step + 0.6} for step in (20, 40, 60)]
    during = [{"step": step, "evaluation": {"tool_use/full_call_acc": step / 70}} for step in (20, 40, 60)]
    return {
        "config.yaml": f"seed: 3\nnote: {text}\n",
        "manifest.json": {
            "command": f"foam train note={text}",
            "foam": "0.1.0",
            "git_commit": "c0ffee",
            "seed": 3,
            "versions": {"torch": text},
            "machine": {text: "2 cores"},
            "data": {text: "ab" * 32},
            "started": text,
        },
        "metrics.jsonl": [*rows, *during],
        "growth.jsonl": [
            {
                "event": 1,
                "step": 20,
                "reason": text,
                "born": {"0": 4, "2": 7},
                "recycled": {"1": [3]},
                "blocks_after": [],
                "parameters_before": 2000,
                "parameters_after": 2110,
                "max_abs_dlogits": 2.4e-7,
                "loss_before_nats": 1.25,
                "loss_after_nats": 1.25001,
                "notes": {},
            },
            {
                "event": 2,
                "step": 40,
                "reason": "again",
                "born": {"1": 5},
                "recycled": {},
                "blocks_after": [1],
                "parameters_before": 2110,
                "parameters_after": 2500,
                "max_abs_dlogits": 0.0,
                "notes": {},
            },
        ],
        "result.json": {
            "status": "finished",
            "seed": 3,
            "metrics": metrics,
            "intervals": {
                "base/tool_use/full_call_acc": [0.0, 0.031, 120],
                "final/tool_use/full_call_acc": [0.89, 0.98, 120],
                f"base/science{text}/acc": [0.971, 0.997, 300],
                f"final/science{text}/acc": [0.962, 0.993, 300],
            },
            "primary": dict(tasks),
            "roles": {"tool_use": "learnt", f"science{text}": "kept", "wikitext": "other"},
            "parameters": {"base": 2000, "final": 2500, "trainable": 900},
            "tokens": 3840,
            "seconds": 97.3,
            "peak_memory_bytes": 2**30,
            "export": f"out/{text}",
        },
        "samples.json": [
            {
                "task": "tool_use",
                "id": text,
                "prompt": text,
                "expected": text,
                "base": text,
                "final": {"said": text},
                "base_correct": False,
                "final_correct": True,
            },
        ],
    }


def _write_run(folder: Path, text: str = "plain") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in _content(text).items():
        _write(folder / name, value)
    return folder


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return _write_run(tmp_path / "study" / "arm" / "0")


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write_run(tmp_path_factory.mktemp("runs") / "study" / "arm" / "0")


@pytest.fixture
def hostile() -> str:
    return _HOSTILE


@pytest.fixture
def write() -> Callable[[Path, Any], None]:
    return _write


@pytest.fixture
def write_run() -> Callable[[Path, str], Path]:
    """Writes every file of a run, with a text of one's choice wherever text comes from outside."""
    return _write_run
