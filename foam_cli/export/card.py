"""The exported folder's README: a model card with the run's own numbers."""

import json
import re
from typing import Any

from foam_cli.core.text import one_line
from foam_cli.export.facts import ExportFacts, ExportReport

_WHENS = ("base", "start", "final")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def escape_markdown(value: object) -> str:
    """Make text inert in Markdown, tables and HTML included.

    Args:
        value: Anything that can be written as text.

    Returns:
        The text on one line, with every character that Markdown gives a meaning escaped.
    """
    line = one_line(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]()#+\-!|~$@:])", r"\\\1", line)


def model_card(facts: ExportFacts, report: ExportReport) -> str:
    """Write the model card.

    Args:
        facts: What the run says about itself.
        report: What was exported.

    Returns:
        Markdown with the hub's metadata at its top.
    """
    parts = [
        _front_matter(facts),
        f"# {escape_markdown(facts.source)}, grown with foam\n",
        _introduction(facts, report),
        "## Numbers\n",
        _metrics_table(facts),
        "## Growth\n",
        _history_table(facts.history),
        "## Use\n",
        _usage(),
        "## Made by\n",
        _origin(facts),
    ]
    return "\n".join(parts)


def _front_matter(facts: ExportFacts) -> str:
    lines = ["library_name: transformers", "pipeline_tag: text-generation", 'tags: ["foam", "model-growth"]']
    if _HUB_ID.fullmatch(facts.source):
        lines.append(f"base_model: {json.dumps(facts.source)}")
    return "\n".join(["---", *lines, "---", ""])


def _introduction(facts: ExportFacts, report: ExportReport) -> str:
    used, width = report.num_neurons, report.width
    return (
        f"An ordinary `{report.architecture}` with {report.num_blocks} blocks and {report.num_parameters:,} "
        "parameters; loading it needs transformers alone and runs no foreign code.\n\n"
        "Grown neurons stand behind the pretrained ones in every feed-forward layer. Layers use "
        f"{min(used)} to {max(used)} neurons and are filled up with zero neurons to a width of {width}. On a "
        f"probe of {facts.probe_BT.numel()} tokens the loaded model's logits differ from the trained one's "
        f"by at most {report.max_abs_dlogits:.2e} in fp32 (allowed: {report.tolerance:.0e}).\n"
    )


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def _metrics_table(facts: ExportFacts) -> str:
    names = dict.fromkeys(
        key.partition("/")[2].rpartition("/")[::2] for key in facts.metrics if key.count("/") >= 2
    )
    if not names:
        return "Nothing was evaluated.\n"
    head = ["task", "metric", "base model", "grown, untrained", "this model"]
    rows = [
        [
            escape_markdown(f"{task} ({facts.seen[task]})" if task in facts.seen else task),
            escape_markdown(metric),
            *(_score(facts, f"{when}/{task}/{metric}") for when in _WHENS),
        ]
        for task, metric in names
    ]
    return _table(head, rows) + "\nIn brackets: 95 % interval; n: items asked.\n"


def _score(facts: ExportFacts, key: str) -> str:
    if key not in facts.metrics:
        return "–"
    interval = facts.intervals.get(key)
    beside = "" if interval is None else f" [{interval[0]:.4g}, {interval[1]:.4g}], n={interval[2]:.0f}"
    return escape_markdown(f"{facts.metrics[key]:.4g}{beside}")


def _history_table(history: list[dict[str, Any]]) -> str:
    if not history:
        return "The model did not grow.\n"
    head = [
        "step",
        "neurons born",
        "recycled",
        "blocks inserted",
        "parameters",
        "max abs. change of a logit",
        "why",
    ]
    return _table(head, [_event(row) for row in history])


def _event(row: dict[str, Any]) -> list[str]:
    cells = (
        row.get("step"),
        sum((row.get("born") or {}).values()),
        sum(map(len, (row.get("recycled") or {}).values())),
        len(row.get("blocks_after") or []),
        f"{row.get('parameters_before')} → {row.get('parameters_after')}",
        row.get("max_abs_dlogits"),
        row.get("reason", ""),
    )
    return ["–" if cell is None else escape_markdown(cell) for cell in cells]


def _usage() -> str:
    return (
        "```python\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        'model = AutoModelForCausalLM.from_pretrained("path/to/this/folder")\n'
        'tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")\n'
        "```\n"
    )


def _origin(facts: ExportFacts) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    lines = {"command": facts.command, "seed": facts.seed, "versions": versions}
    return "\n".join(f"- {name}: {escape_markdown(value)}" for name, value in lines.items()) + "\n"
