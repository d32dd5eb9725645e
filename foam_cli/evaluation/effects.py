"""An arm against its baseline over several seeds: how large the difference is, and if it could be luck."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float

from foam_cli.core.errors import DataError
from foam_cli.core.metric import TaskResult
from foam_cli.core.seeds import torch_generator
from foam_cli.evaluation.compare import hits, mcnemar

#: Many, because the smallest p-value that they can show is 2/(n+1), and Holm multiplies it.
NUM_RESAMPLES = 20_000
_AT_ONCE = 2000
LEVEL = 0.05


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One task, an arm and its baseline.

    Attributes:
        task: The task.
        baseline_acc: Mean accuracy of the baseline over seeds, on the items that both were asked.
        arm_acc: Mean accuracy of the arm.
        points: The difference in percentage points.
        low: Lower end of its 95 % interval.
        high: Upper end.
        cohens_h: The difference on the scale on which 0.2 is small, 0.5 medium and 0.8 large.
        num_seeds: Seeds that both have.
        num_items: Items asked of each seed; of seeds that were asked different items, all together.
        test: `mcnemar` for one seed, otherwise `bootstrap`.
        p_value: Two-sided, of "both are equally good".
        p_holm: The same after Holm's correction for all comparisons of the study.
    """

    task: str
    baseline_acc: float
    arm_acc: float
    points: float
    low: float
    high: float
    cohens_h: float
    num_seeds: int
    num_items: int
    test: str
    p_value: float
    p_holm: float

    @property
    def finding(self) -> str:
        """`better`, `worse` or `no difference shown`."""
        if self.p_holm >= LEVEL or self.points == 0:
            return "no difference shown"
        return "better" if self.points > 0 else "worse"


def effect(pairs: Mapping[int, tuple[TaskResult, TaskResult]], seed: int) -> Effect | None:
    """Compare an arm with its baseline on one task.

    Args:
        pairs: Seed to the results of the baseline and of the arm.
        seed: For the bootstrap.

    Returns:
        The effect, its p-value not yet corrected; None where items are not right or wrong.

    Raises:
        DataError: The results of a seed are of different tasks.
    """
    task = next(iter(pairs.values()))[0].task
    before: list[dict[str, bool]] = []
    after: list[dict[str, bool]] = []
    for at, (old, new) in pairs.items():
        if not old.task == new.task == task:
            raise DataError(f"seed {at}: cannot compare {old.task} with {new.task}")
        a, b = hits(old), hits(new)
        shared = [key for key in a if key in b]
        if shared:
            before.append({key: a[key] for key in shared})
            after.append({key: b[key] for key in shared})
    if not before:
        return None
    differences = [
        {key: float(new[key]) - float(old[key]) for key in old}
        for old, new in zip(before, after, strict=True)
    ]
    low, high, p_value = bootstrap_over_seeds_and_items(differences, seed, task)
    if len(before) == 1:
        changes = list(differences[0].values())
        p_value = mcnemar(changes.count(1.0), changes.count(-1.0))
    old_acc, new_acc = _mean_accuracy(before), _mean_accuracy(after)
    return Effect(
        task=task,
        baseline_acc=old_acc,
        arm_acc=new_acc,
        points=100 * (new_acc - old_acc),
        low=100 * low,
        high=100 * high,
        cohens_h=cohens_h(old_acc, new_acc),
        num_seeds=len(before),
        num_items=len({key for one in before for key in one}),
        test="mcnemar" if len(before) == 1 else "bootstrap",
        p_value=p_value,
        p_holm=p_value,
    )


def _mean_accuracy(seeds: Sequence[Mapping[str, bool]]) -> float:
    return sum(sum(one.values()) / len(one) for one in seeds) / len(seeds)


def bootstrap_over_seeds_and_items(
    differences: Sequence[Mapping[str, float]], seed: int, name: str
) -> tuple[float, float, float]:
    """The mean paired difference, resampled over seeds and over items.

    Items are drawn once per resample and asked of every seed drawn: a hard item is hard for all of them.

    Args:
        differences: For every seed, item to the difference of the two models' scores on it.
        seed: For the resampling.
        name: What is resampled: another name draws other samples.

    Returns:
        Both ends of the 95 % percentile interval, and a two-sided p-value of "the mean is zero".

    Source: A. B. Owen, "The pigeonhole bootstrap", 2007 (two crossed factors); p-value as in A. C. Davison,
        D. V. Hinkley, "Bootstrap Methods and their Application", 1997, ch. 4.
    Differs: the resampled seeds' deviation is widened by sqrt(S / (S - 1)), because S seeds drawn from
        themselves vary too little; with S = 3 that is a fifth. One seed says nothing about others.
    """
    ids = sorted({key for one in differences for key in one})
    asked_SN = torch.tensor([[float(key in one) for key in ids] for one in differences], dtype=torch.float64)
    values_SN = torch.tensor([[one.get(key, 0.0) for key in ids] for one in differences], dtype=torch.float64)
    generator = torch_generator(seed, "bootstrap over seeds and items", name)
    parts = [_resampled(values_SN, asked_SN, generator) for _ in range(NUM_RESAMPLES // _AT_ONCE)]
    means_R = torch.cat(parts)
    low, high = means_R.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    beyond = min(int((means_R <= 0).sum()), int((means_R >= 0).sum()))
    return low, high, min(1.0, 2 * (beyond + 1) / (len(means_R) + 1))


def _resampled(
    values_SN: Float[torch.Tensor, "S N"], asked_SN: Float[torch.Tensor, "S N"], generator: torch.Generator
) -> Float[torch.Tensor, " R"]:
    """Means of `_AT_ONCE` resamples."""
    num_seeds, num_items = values_SN.shape
    drawn_RN = torch.randint(num_items, (_AT_ONCE, num_items), generator=generator)
    times_RN = torch.zeros(_AT_ONCE, num_items, dtype=torch.float64)
    times_RN.scatter_add_(1, drawn_RN, torch.ones_like(times_RN))
    # A seed none of whose items was drawn keeps its own mean.
    own_S = values_SN.sum(1) / asked_SN.sum(1)
    counts_RS = times_RN @ asked_SN.T
    means_RS = torch.where(counts_RS > 0, times_RN @ values_SN.T / counts_RS.clamp(min=1), own_S)
    centre_R = means_RS.mean(1)
    if num_seeds == 1:
        return centre_R
    seeds_RS = torch.randint(num_seeds, (_AT_ONCE, num_seeds), generator=generator)
    drift_R = means_RS.gather(1, seeds_RS).mean(1) - centre_R
    return centre_R + math.sqrt(num_seeds / (num_seeds - 1)) * drift_R


def cohens_h(before: float, after: float) -> float:
    """The difference of two proportions, on a scale where equal steps are equally easy to detect.

    Args:
        before: A proportion.
        after: Another.

    Returns:
        2 asin(sqrt(after)) - 2 asin(sqrt(before)).

    Source: J. Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988, ch. 6.
    """
    return 2 * math.asin(math.sqrt(after)) - 2 * math.asin(math.sqrt(before))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for how many they are.

    Args:
        p_values: Of all comparisons that are made.

    Returns:
        Corrected ones in the same order: below a level, all of them together err with at most that level.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def corrected(effects: Sequence[Effect]) -> list[Effect]:
    """Correct the effects of a study by Holm.

    Args:
        effects: All of them.

    Returns:
        The same with `p_holm`.
    """
    p_values = holm([one.p_value for one in effects])
    return [replace(one, p_holm=p) for one, p in zip(effects, p_values, strict=True)]


def verdict(arm: str, baseline: str, effects: Sequence[Effect]) -> str:
    """Say what a comparison shows, in one sentence.

    Args:
        arm: The arm.
        baseline: What it is compared with.
        effects: One per task, corrected.

    Returns:
        What is better, what is worse, and where no difference is shown.
    """
    if not effects:
        return f"{arm} against {baseline}: no difference shown; no task has right-or-wrong items."
    parts: list[str] = []
    for finding in ("better", "worse", "no difference shown"):
        found = [
            f"{one.task} ({one.points:+.1f} points [{one.low:+.1f}, {one.high:+.1f}])"
            for one in effects
            if one.finding == finding
        ]
        if found:
            parts.append(f"{finding} in {', '.join(found)}")
    seeds = max(one.num_seeds for one in effects)
    caution = "; one seed says nothing about other seeds" if seeds == 1 else ""
    return f"{arm} against {baseline}, {seeds} seed{'s' * (seeds > 1)}: {'; '.join(parts)}{caution}."
