"""A study's comparison as people read it: a Markdown page, a table in the terminal."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from foam_cli.core.text import visible
from foam_cli.report.numbers import is_fraction, plural, short_count

#: What stands beside every score: name in the document, and where result.json has it.
COSTS = {
    "seconds": ("seconds",),
    "training_seconds": ("training_seconds",),
    "tokens": ("tokens",),
    "flops": ("flops",),
    "parameters/final": ("parameters", "final"),
    "parameters/trainable": ("parameters", "trainable"),
    "peak_memory_bytes": ("peak_memory_bytes",),
}


#: A terminal shows no more arms beside each other.
_MOST_COLUMNS = 4


def markdown(document: Mapping[str, Any]) -> str:
    """Write a comparison as a page.

    Args:
        document: Of ablation_comparison.json.

    Returns:
        The verdicts, the short table, all scores and costs, and every comparison; an arm is a row everywhere.
    """
    arms = document["arms"]
    costs = [(key, key.replace("_", " "), "") for key in COSTS if _known(key, arms)]
    lines = [f"# {document['study']}", "", *document["verdicts"], ""]
    lines += [f"Median [lowest, highest] of {_num_seeds(arms)}.", ""]
    lines += _table(["arm", *_short_columns(arms).values()], _short_rows(arms))
    every = [*_rows(arms), *costs]
    lines += ["", *_table(
        ["arm", *(f"{task}, {when}".removesuffix(", ") for _, task, when in every)],
        [[name, *(_cell(arm["metrics"].get(key)) for key, _, _ in every)] for name, arm in arms.items()],
    )]  # fmt: skip
    tested: list[list[str]] = []
    for one in document["comparisons"]:
        for task, e in one["tasks"].items():
            points = f"{e['points']:+.1f} [{e['low']:+.1f}, {e['high']:+.1f}]"
            words = [one["arm"], one["baseline"], task, points, f"{e['cohens_h']:+.2f}", f"{e['p_holm']:.4f}"]
            tested.append([*words, e["finding"]])
    lines += ["", *_table(["arm", "against", "task", "points [95 %]", "Cohen's h", "p (Holm)", ""], tested)]
    for label, error in document["failures"].items():
        lines += ["", f"Failed: {label}: {error}"]
    return "\n".join(lines) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def side_by_side(document: Mapping[str, Any]) -> Table:
    """Show a comparison.

    Args:
        document: Of ablation_comparison.json.

    Returns:
        A table with an arm per column and all scores, or, of many arms, with an arm per row and what it
        learnt, forgot and cost; medians over seeds, extremes in brackets.
    """
    arms = document["arms"]
    title = Text(visible(f"{document['study']}: median of {_num_seeds(arms)}"))
    if len(arms) > _MOST_COLUMNS:
        # No lines and little space between: what tells arms apart stands at the end of their names.
        heads = [
            Column(Text(visible(head)), justify="right", overflow="fold")
            for head in _short_columns(arms).values()
        ]
        table = Table(
            Column("arm", no_wrap=True), *heads, title=title,
            box=None, padding=(0, 1), collapse_padding=True, pad_edge=False,
        )  # fmt: skip
        for name, *cells in _short_rows(arms):
            table.add_row(Text(visible(name)), *cells)
        return table
    table = Table("task", "when", *(Column(Text(visible(arm))) for arm in arms), title=title)
    costs = {"parameters/trainable": "trainable parameters", "flops": "FLOPs", "tokens": "tokens",
             "seconds": "seconds in all", "peak_memory_bytes": "peak memory, bytes"}  # fmt: skip
    rows = [*_rows(arms), *((key, name, "") for key, name in costs.items() if _known(key, arms))]
    for key, task, when in rows:
        cells = [_cell(arm["metrics"].get(key)) for arm in arms.values()]
        table.add_row(Text(visible(task)), when, *cells, end_section=when in ("final", ""))
    return table


def _num_seeds(arms: Mapping[str, Any]) -> str:
    """Of how many finished seeds; an arm may lack some."""
    fewest, most = (which(len(arm["seeds"]) for arm in arms.values()) for which in (min, max))
    return plural(most, "seed") if _as_many_seeds(arms) else f"{fewest} to {most} seeds"


def _as_many_seeds(arms: Mapping[str, Any]) -> bool:
    return len({len(arm["seeds"]) for arm in arms.values()}) == 1


def _short_columns(arms: Mapping[str, Any]) -> dict[str, str]:
    """What an arm comes to: key of its metrics to a column's head."""
    primary, seen = _primary(arms), _seen(arms)
    learnt = {task for arm in arms.values() for task, role in arm["roles"].items() if role == "learnt"}
    labels = [f"{task}: {label}" for task, label in seen.items() if task in learnt]
    columns = {"learnt": _labelled("learnt, %", ", ".join(labels))}
    for task, metric in primary.items():
        unit = "points" if is_fraction(metric) else metric.replace("_", " ")
        head = f"forgot {task.replace('_', ' ')}, {unit}"
        columns[f"forgotten/{task}"] = _labelled(head, seen.get(task, ""))
    columns |= {
        "parameters/trainable": "trainable", "flops": "FLOPs, 10¹²", "seconds": "seconds",
    }  # fmt: skip
    known = {key: head for key, head in columns.items() if _known(key, arms)}
    # Said arm by arm where they differ; else the title says it.
    return known if _as_many_seeds(arms) else {"seeds": "seeds", **known}


def _short_rows(arms: Mapping[str, Any]) -> list[list[str]]:
    fractions = {"learnt", *(f"forgotten/{task}" for task, m in _primary(arms).items() if is_fraction(m))}
    forms = {
        **dict.fromkeys(fractions, (100.0, "{:.1f}".format)),
        "parameters/trainable": (1.0, short_count),
        "flops": (1e-12, "{:.1f}".format),
        "seconds": (1.0, "{:.1f}".format),
    }
    columns = _short_columns(arms)

    def cell(arm: Mapping[str, Any], key: str) -> str:
        if key == "seeds":
            return str(len(arm["seeds"]))
        spread = arm["metrics"].get(key)
        return _cell(spread, *forms[key]) if key in forms else _cell(spread)

    return [[name, *(cell(arm, key) for key in columns)] for name, arm in arms.items()]


def _primary(arms: Mapping[str, Any]) -> dict[str, str]:
    """Task to its main metric."""
    return next((arm["primary"] for arm in arms.values() if arm["primary"]), {})


def _seen(arms: Mapping[str, Any]) -> dict[str, str]:
    """Task to what training saw of it."""
    return {task: label for arm in arms.values() for task, label in arm["seen"].items()}


def _labelled(name: str, label: str) -> str:
    return f"{name} ({label})" if label else name


def _rows(arms: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    seen = _seen(arms)
    return [
        (f"{when}/{task}/{metric}", _labelled(task, seen.get(task, "")), when)
        for task, metric in _primary(arms).items()
        for when in ("base", "final")
    ]


def _known(key: str, arms: Mapping[str, Any]) -> bool:
    return any(key in arm["metrics"] for arm in arms.values())


def _cell(
    spread: Mapping[str, Any] | None, scale: float = 1.0, form: Callable[[float], str] | None = None
) -> str:
    if spread is None:
        return "-"
    counted = all(isinstance(value, int) for value in spread["values"])
    form = form or ("{:,.0f}" if counted or spread["median"] > 1000 else "{:.3f}").format
    # No sign before a zero.
    low, middle, high = (form(round(scale * spread[key], 9) + 0.0) for key in ("min", "median", "max"))
    return middle if low == high else f"{middle} [{low}, {high}]"
