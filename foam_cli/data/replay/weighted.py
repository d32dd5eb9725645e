"""Draw examples without repetition, the more weighty ones more often."""

from collections.abc import Sequence

from foam_cli.core.seeds import rng


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
