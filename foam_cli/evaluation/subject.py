"""The model under examination, and how a task must leave it."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from foam_cli.evaluation.journal import Journal

Progress = Callable[[int, int], None] | None
"""Called with (items done, items in all) as work proceeds."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model together with what is needed to ask it something.

    Attributes:
        model: Any causal language model of transformers, grown or not.
        tokenizer: Its tokenizer.
        max_length: The longest input it is given, in tokens.
        batch_tokens: Tokens of one forward pass, padding included.
        journal: Answers that are known, and where new ones are kept; None keeps them nowhere.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    max_length: int
    batch_tokens: int
    journal: Journal | None = None


@contextmanager
def examined(model: PreTrainedModel) -> Generator[None]:
    """Put a model into evaluation mode without gradients, and every module back into its own mode after.

    Args:
        model: The model.

    Yields:
        Nothing.
    """
    was_training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for module in was_training:
            module.training = True
