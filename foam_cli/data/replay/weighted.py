"""Draw examples without repetition, the more weighty ones more often."""

from collections.abc import Sequence

from foam_cli.core.seeds import rng

#: The smallest weight of an example, in nats: what is learnt perfectly is still rehearsed now and then.
MIN_LOSS = 1e-3


def loss_weights(losses: Sequence[float | None]) -> list[float]:
    """Turn losses into weights.

    Args:
        losses: The last loss of each example in nats, or None where it is not known.

    Returns:
        The losses, at least `MIN_LOSS`; the mean of those that are known where one is not; 1 where none is.
    """
    known = [loss for loss in losses if loss is not None]
    mean = sum(known) / len(known) if known else 1.0
    return [max(mean if loss is None else loss, MIN_LOSS) for loss in losses]


def draw_weighted(weights: Sequence[float], count: int, seed: int, step: int) -> list[int]:
    """Draw positions one after the other, each with a chance proportional to its weight among those left.

    Args:
        weights: One positive weight per position.
        count: How many.
        seed: The run's seed.
        step: The optimizer step, so that a resumed run draws the same.

    Returns:
        At most `count` different positions.

    Source: P. S. Efraimidis, P. G. Spirakis, "Weighted random sampling with a reservoir", Information
        Processing Letters 97(5), 2006, algorithm A: the largest of u^(1/w).
    Differs: exponential variables -log(u)/w are compared, the smallest first, which is the same order.
    """
    random = rng(seed, "weighted replay", step)
    arrival = [random.expovariate(weight) for weight in weights]
    return sorted(range(len(arrival)), key=arrival.__getitem__)[:count]
