"""What replay strategies share: how much is replayed, and which examples a bounded memory holds."""

from collections.abc import Sequence

from foam_cli.core.seeds import rng


def check_ratio(ratio: float) -> None:
    """Refuse a share that is none.

    Args:
        ratio: The share of a batch.

    Raises:
        ValueError: It is not between 0 and 1.
    """
    if not 0 < ratio < 1:
        raise ValueError(f"replay.ratio={ratio}: must lie between 0 and 1; replay=none turns it off.")


def check_size(max_examples: int) -> None:
    """Refuse a memory that holds nothing.

    Args:
        max_examples: How many examples it holds.

    Raises:
        ValueError: Less than one.
    """
    if max_examples < 1:
        raise ValueError(f"replay.max_examples={max_examples}: must be at least 1.")


def num_old(ratio: float, num_new: int) -> int:
    """How many old examples make up their share of a batch, beside so many new ones.

    Args:
        ratio: The share of the batch.
        num_new: New examples.

    Returns:
        At least 1.
    """
    return max(1, round(num_new * ratio / (1 - ratio)))


def held_after(
    held: Sequence[int], seen: int, indices: Sequence[int], max_examples: int, seed: int
) -> tuple[list[int], list[int]]:
    """Show examples to a reservoir; each is kept with equal probability.

    Args:
        held: What it holds.
        seen: How many it has been shown.
        indices: Numbers of the examples.
        max_examples: The most it may hold.
        seed: The run's seed.

    Returns:
        What it holds afterwards, and at which places there is something new.

    Source: J. S. Vitter, "Random sampling with a reservoir", ACM TOMS 11(1), 1985, algorithm R.
    """
    after = list(held)
    places: list[int] = []
    random = rng(seed, "reservoir", seen)
    for index in indices:
        seen += 1
        if len(after) < max_examples:
            places.append(len(after))
            after.append(index)
        elif (place := random.randrange(seen)) < max_examples:
            places.append(place)
            after[place] = index
    return after, places


def draw_uniform(held: Sequence[int], count: int, seed: int, step: int) -> list[int]:
    """Draw examples for one batch, all alike.

    Args:
        held: What there is.
        count: How many.
        seed: The run's seed.
        step: The forward pass, so that a resumed run draws the same.

    Returns:
        At most `count` different ones.
    """
    return rng(seed, "replay", step).sample(held, min(count, len(held)))
