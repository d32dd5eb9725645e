"""What the engine asks of a regularizer, which is of one of two kinds.

One kind looks at weights alone and adds its gradient once per step; the other looks at the model's answers to
tokens of a batch, beside those of a teacher, and is a part of the loss. Each says beforehand which
combinations of settings make no sense, and how much memory it takes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import nn

from foam_cli.core.settings import Settings

#: What a penalty on weights remembers: tensors named KIND.PARAMETER, each shaped like its parameter.
Tensors = dict[str, torch.Tensor]
#: Parameters by the names that they had when the run began; blocks that are inserted later change names.
Parameters = Mapping[str, nn.Parameter]
#: Logits of one example, with their graph, and its right tokens.
Pass = tuple[Float[torch.Tensor, "N V"], Int[torch.Tensor, " N"]]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a penalty on weights may look at when it begins, and at the end of a stage.

    Attributes:
        passes: Goes through so many examples, one at a time and without dropout.
        seed: For what is drawn at random.
    """

    passes: Callable[[int], Iterator[Pass]]
    seed: int


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a teacher says about the next token at N places.

    Attributes:
        log_probs_NK: Log-probabilities, at the temperature that they are wanted at: of all tokens in order,
            or of the likeliest ones and, last, of all the rest together.
        ids_Nk: The likeliest tokens (k = K - 1), or None where K is the whole vocabulary.
    """

    log_probs_NK: Float[torch.Tensor, "N K"]
    ids_Nk: Int[torch.Tensor, "N k"] | None


@runtime_checkable
class WeightPenalty(Protocol):
    """Looks at weights; all state is tensors, passed in and out.

    What `reads_old_data` is measured, so it is kept in the run folder. Neurons that are recycled are zero and
    stay so: their places in the state are set to zero, too.
    """

    @property
    def reads_old_data(self) -> bool:
        """Whether the run must know old data."""
        ...

    def refuse(self, settings: Settings) -> None:
        """Raise a ConfigError where the settings make no sense together."""
        ...

    def memory_bytes(self, pretrained: Parameters) -> dict[str, int]:
        """What is remembered, and how many bytes it takes."""
        ...

    def begin(self, pretrained: Parameters, look: Look) -> Tensors:
        """Remember the weights before the first step."""
        ...

    def pull(self, pretrained: Parameters, grown: Sequence[nn.Parameter], state: Tensors) -> torch.Tensor:
        """Add the penalty's gradient to the parameters', and give its value."""
        ...

    def end_stage(self, pretrained: Parameters, look: Look, state: Tensors) -> Tensors:
        """Say what is remembered from now on; what is looked at is the stage's own data."""
        ...


@runtime_checkable
class AnswerPenalty(Protocol):
    """Looks at answers, beside a teacher's."""

    @property
    def on(self) -> Literal["old", "all"]:
        """On which rows of a batch."""
        ...

    @property
    def replaces_loss(self) -> bool:
        """Whether those rows have no cross-entropy of their own."""
        ...

    @property
    def reads_old_data(self) -> bool:
        """Whether the run must know old data."""
        ...

    @property
    def temperature(self) -> float:
        """At which answers are compared."""
        ...

    @property
    def top_k(self) -> int:
        """How many answers per token are kept where they have to be kept."""
        ...

    @property
    def cache_dir(self) -> str:
        """Where they are kept, under the run's output_dir."""
        ...

    def refuse(self, settings: Settings) -> None:
        """Raise a ConfigError where the settings make no sense together."""
        ...

    def answers(self, logits_NV: Float[torch.Tensor, "N V"], top_k: int | None) -> Answers:
        """What is compared of a teacher's logits: all of it, or its likeliest tokens."""
        ...

    def penalty(self, logits_NV: Float[torch.Tensor, "N V"], answers: Answers) -> torch.Tensor:
        """The penalty, summed over tokens."""
        ...
