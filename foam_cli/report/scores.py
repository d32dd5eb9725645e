"""Scores at base, start and final, and the one sentence that says what they mean."""

from dataclasses import dataclass
from typing import Any

from foam_cli.core.seen import is_trained_on, seen_label
from foam_cli.report.numbers import as_number, is_fraction, lower_is_better, score, words
from foam_cli.report.run_folder import RunFolder, mapping

WHENS = ("base", "start", "final")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One measured number.

    Attributes:
        value: The score, or None where it was not measured.
        low: Lower end of its 95 % interval.
        high: Upper end of its 95 % interval.
        n: Items it is the mean of.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int | None


@dataclass(frozen=True, kw_only=True)
class Clause:
    """One clause of a verdict.

    Attributes:
        what: E.g. `Learnt`.
        which: E.g. `tool use 0 → 95 %`, one text per task.
        remark: What is true of all of them, or nothing.
    """

    what: str
    which: list[str]
    remark: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {', '.join(self.which)}{self.remark}."


@dataclass(frozen=True, kw_only=True)
class Score:
    """One metric of one task, through the run.

    Attributes:
        task: The task.
        metric: The metric.
        role: `learnt`, `kept` or `other`.
        primary: Whether it stands for its task.
        readings: One for each of `WHENS`.
        seen: What training saw of the task, or nothing.
        is_trained_on: Whether that is more than chance brings.
    """

    task: str
    metric: str
    role: str
    primary: bool
    readings: dict[str, Reading]
    seen: str = ""
    is_trained_on: bool = False

    @property
    def base(self) -> float | None:
        """The score of the base model."""
        return self.readings["base"].value

    @property
    def final(self) -> float | None:
        """The score of the trained model."""
        return self.readings["final"].value

    @property
    def gain(self) -> float | None:
        """How much better the trained model is, in the metric's own unit; negative is worse."""
        if self.base is None or self.final is None:
            return None
        return (self.base - self.final) if lower_is_better(self.metric) else (self.final - self.base)

    @property
    def intervals_overlap(self) -> bool:
        """Whether the intervals of base and final have a point in common."""
        base, final = self.readings["base"], self.readings["final"]
        if base.low is None or base.high is None or final.low is None or final.high is None:
            return False
        return base.low <= final.high and final.low <= base.high


def scores(run: RunFolder) -> list[Score]:
    """Read every score of a run.

    Args:
        run: The run.

    Returns:
        Learnt tasks first, then kept ones, then the others; within a task the primary metric first.
    """
    values = mapping(run.result.get("metrics"))
    contamination = mapping(run.result.get("contamination"))
    roles, primary = mapping(run.result.get("roles")), mapping(run.result.get("primary"))
    # A task may have slashes in its name, as a hub id has; a metric has none.
    names = dict.fromkeys(key.partition("/")[2].rpartition("/")[::2] for key in values if key.count("/") >= 2)
    found = [
        Score(
            task=task,
            metric=metric,
            role=_role(roles.get(task)),
            primary=primary.get(task) == metric,
            readings={when: _reading(run, f"{when}/{task}/{metric}") for when in WHENS},
            seen=seen_label(contamination.get(task)),
            is_trained_on=is_trained_on(contamination.get(task)),
        )
        for task, metric in names
    ]
    tasks = list(dict.fromkeys(row.task for row in found))
    order = ("learnt", "kept", "other")
    return sorted(found, key=lambda row: (order.index(row.role), tasks.index(row.task), not row.primary))


def _role(value: Any) -> str:
    return value if value in ("learnt", "kept") else "other"


def _reading(run: RunFolder, key: str) -> Reading:
    interval = mapping(run.result.get("intervals")).get(key)
    low, high, n = interval if isinstance(interval, list) and len(interval) == 3 else (None, None, None)
    size = as_number(n)
    return Reading(
        value=as_number(mapping(run.result.get("metrics")).get(key)),
        low=as_number(low),
        high=as_number(high),
        n=None if size is None else int(size),
    )


def verdict(run: RunFolder, rows: list[Score]) -> list[Clause]:
    """Say in a sentence or two what the run learnt and what it forgot.

    Args:
        run: The run.
        rows: Its scores.

    Returns:
        Its clauses; where there is nothing to judge by, they say so.
    """
    clauses: list[Clause] = []
    if run.status != "finished":
        clauses.append(Clause(what=words(run.status).capitalize(), which=[f"after step {run.last_step}"]))
    measured = [row for row in rows if row.primary and row.gain is not None and row.role != "other"]
    if not measured:
        return [*clauses, Clause(what="No verdict", which=[_why_no_verdict(rows)])]
    names = ("Learnt", "Not learnt", "Forgot", "Kept", "Trained on")
    groups: dict[str, list[Score]] = {name: [] for name in names}
    for row in measured:
        groups[_group(row)].append(row)
    clauses += [_clause(what, group) for what, group in groups.items() if group]
    said = {"learnt": "whether a new skill was learnt", "kept": "whether anything old was forgotten"}
    absent = [text for role, text in said.items() if not any(row.role == role for row in measured)]
    return [*clauses, Clause(what="Not measured", which=absent)] if absent else clauses


def _group(row: Score) -> str:
    gain = row.gain or 0.0
    if row.is_trained_on:  # a score on what was trained on is neither learning nor keeping
        return "Trained on"
    if row.role == "learnt":
        return "Learnt" if gain > 0 and not row.intervals_overlap else "Not learnt"
    return "Forgot" if gain < 0 else "Kept"


def _clause(what: str, group: list[Score]) -> Clause:
    """Where the intervals cannot tell base and final apart, the clause says so: once, if all are so."""
    unsure = [row.gain != 0 and row.intervals_overlap for row in group]
    if all(unsure):
        remark = " (intervals overlap)" if len(group) == 1 else " (all intervals overlap)"
        return Clause(what=what, which=[_rounded(row) for row in group], remark=remark)
    marks = [" (intervals overlap)" if doubt else "" for doubt in unsure]
    return Clause(what=what, which=[_rounded(row) + mark for row, mark in zip(group, marks, strict=True)])


def _rounded(row: Score) -> str:
    """Whole percentages, unless that would hide the difference."""
    texts: tuple[str, str] = score(row.base, row.metric), score(row.final, row.metric)
    if is_fraction(row.metric) and row.base is not None and row.final is not None:
        whole = (f"{100 * row.base:.0f}", f"{100 * row.final:.0f}")
        if whole[0] != whole[1] or row.gain == 0:
            texts = (whole[0], f"{whole[1]}\u202f%")
        else:
            texts = (score(row.base, row.metric, unit=False), texts[1])
    return f"{words(row.task)} {texts[0]} → {texts[1]}"


def _why_no_verdict(rows: list[Score]) -> str:
    if not rows:
        return "nothing was evaluated, so this run shows neither what was learnt nor what was forgotten"
    if all(row.final is None for row in rows):
        return "the trained model was not evaluated"
    if all(row.base is None for row in rows):
        return "the base model was not evaluated, so there is nothing to compare with"
    return "no task says whether it was to be learnt or to be kept"
