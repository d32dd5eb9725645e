"""What a stream of stages taught, and what each stage cost the others: the matrix R and its summaries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float

from foam_cli.core.errors import DataError
from foam_cli.core.metric import Metric, TaskResult
from foam_cli.core.seeds import torch_generator
from foam_cli.evaluation.compare import NUM_RESAMPLES, hits

#: One value per replicate of the bootstrap; the first is of the items as they are.
_Replicates = Float[torch.Tensor, " S"]


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """The scores after every stage, and what they come to.

    Attributes:
        tasks: The stages' tasks, then those that no stage teaches.
        matrix: R[t][i], the accuracy on task i after stage t; the first row is the base model.
        metrics: Summaries with their 95 % bootstrap intervals over items.
    """

    tasks: tuple[str, ...]
    matrix: tuple[tuple[float, ...], ...]
    metrics: dict[str, Metric]


def transfer(results: Sequence[Mapping[str, TaskResult]], stages: Sequence[str], seed: int) -> Transfer:
    """Sum up a stream of T stages, each of which teaches one task.

    With R[t, i] the accuracy on the task of stage i after stage t, and R[0, i] that of the base model:

    - average_accuracy = mean_i R[T, i]
    - bwt (backward transfer) = mean_{i<T} (R[T, i] - R[i, i])
    - forgetting = mean_{i<T} max_{t<T} (R[t, i] - R[T, i])
    - forward_transfer = mean_{i>1} (R[i-1, i] - R[0, i])
    - general_change = mean over the tasks that no stage teaches of R[T] - R[0]

    Args:
        results: The results before the first stage and after each, T + 1 in all; tasks that are not
            right-or-wrong are passed over.
        stages: The task of each stage.
        seed: For the bootstrap. Items are resampled within each task, the same for all stages.

    Returns:
        The matrix and the summaries; one that needs two stages, or a task that none teaches, is left out
        where there is none.

    Raises:
        DataError: A stage's task was not scored after every stage, or was asked other items.

    Source: D. Lopez-Paz, M. Ranzato, "Gradient Episodic Memory for Continual Learning", 2017; forgetting:
        A. Chaudhry et al., "Riemannian Walk for Incremental Learning", 2018.
    Differs: forward transfer is counted from the base model, not from one with random weights; forgetting
        also counts what was known before its own stage.
    """
    scored = [name for name in results[0] if hits(results[0][name])]
    for name in stages:
        if name not in scored:
            raise DataError(
                f"{name}: has no right-or-wrong items, so nothing can be said about its transfer."
            )
    names = tuple(dict.fromkeys([*stages, *scored]))
    curves = {name: _replicates(name, [result[name] for result in results], seed) for name in names}
    matrix = tuple(tuple(float(curves[name][t, 0]) for name in names) for t in range(len(results)))
    return Transfer(tasks=names, matrix=matrix, metrics=_summaries(curves, stages))


def _replicates(name: str, results: Sequence[TaskResult], seed: int) -> Float[torch.Tensor, "R S"]:
    """Accuracy after each stage, for the items as they are and for every resampling of them."""
    rows = [hits(result) for result in results]
    ids = list(rows[0])
    if any(row.keys() != rows[0].keys() for row in rows):
        raise DataError(f"{name}: was asked other items after another stage, so scores cannot be compared.")
    hits_RN = torch.tensor([[float(row[key]) for key in ids] for row in rows], dtype=torch.float64)
    drawn_SN = torch.randint(
        len(ids), (NUM_RESAMPLES, len(ids)), generator=torch_generator(seed, "transfer", name)
    )
    resampled_RS = torch.stack([row_N[drawn_SN].mean(1) for row_N in hits_RN])
    return torch.cat([hits_RN.mean(1, keepdim=True), resampled_RS], dim=1)


def _summaries(curves: Mapping[str, Float[torch.Tensor, "R S"]], stages: Sequence[str]) -> dict[str, Metric]:
    learnt = [curves[name] for name in stages]
    found = {"average_accuracy": _mean([curve[-1] for curve in learnt])}
    if len(stages) > 1:
        earlier = learnt[:-1]
        found["bwt"] = _mean([curve[-1] - curve[i] for i, curve in enumerate(earlier, 1)])
        found["forgetting"] = _mean([(curve[:-1] - curve[-1]).amax(0) for curve in earlier])
        found["forward_transfer"] = _mean([curve[i] - curve[0] for i, curve in enumerate(learnt)][1:])
    general = [curve for name, curve in curves.items() if name not in stages]
    if general:
        found["general_change"] = _mean([curve[-1] - curve[0] for curve in general])
    return found


def _mean(parts: Sequence[_Replicates]) -> Metric:
    mean_S = torch.stack(list(parts)).mean(0)
    ends = torch.tensor([0.025, 0.975], dtype=torch.float64)
    low, high = mean_S[1:].quantile(ends).tolist()
    return Metric(value=float(mean_S[0]), n=len(parts), low=low, high=high)
