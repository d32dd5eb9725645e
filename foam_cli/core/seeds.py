"""Randomness without shared state: every consumer draws from a generator keyed by what it is for.

Nothing here touches torch's global generator, so whether a run grows, evaluates or samples never changes
the random numbers that any other part of it sees.
"""

import hashlib
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derive_seed(seed: int, *keys: str | int) -> int:
    """Hash `seed` and `keys` to a 63-bit seed.

    Args:
        seed: The run's seed.
        *keys: What the randomness is for, e.g. ("growth", event, "model.layers.0.mlp").

    Returns:
        A seed that is independent for every different key.
    """
    text = "\x1f".join([str(seed), *map(str, keys)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def rng(seed: int, *keys: str | int) -> random.Random:
    """Python's generator for (`seed`, `keys`).

    Args:
        seed: The run's seed.
        *keys: What the randomness is for.

    Returns:
        A fresh generator.
    """
    return random.Random(derive_seed(seed, *keys))


def torch_generator(seed: int, *keys: str | int) -> "torch.Generator":
    """Torch's CPU generator for (`seed`, `keys`).

    Args:
        seed: The run's seed.
        *keys: What the randomness is for.

    Returns:
        A fresh generator on the CPU.
    """
    import torch

    return torch.Generator().manual_seed(derive_seed(seed, *keys))
