"""A causal language model that grows neurons in its FFNs, inside any training loop."""

import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from foam_cli.api.attached import AttachedOptimizer
from foam_cli.api.defaults import growth_policy, train_only_ffns
from foam_cli.api.growing import Growing, counted, nothing_grew
from foam_cli.api.optimizer import GrowingAdamW
from foam_cli.core.errors import ConfigError
from foam_cli.core.growth import GrowthRecord
from foam_cli.core.settings import ModelSettings
from foam_cli.export.merge import merge
from foam_cli.model.blocks import block_births
from foam_cli.model.loading import load_base
from foam_cli.model.neurons import make_growable

#: In a state_dict, within the first FFN: steps, what the policy remembers, the neurons' statistics.
_GROWTH = "growth."


class GrowableModel(nn.Module):
    """A causal language model whose FFNs grow: FFN(x) = core(x) + grown(x).

    The model is changed in place: `model` is the same object, with room for neurons beside every FFN, and may
    be given to whatever trains it, such as transformers' Trainer. What this wrapper does not know it asks the
    model, so `generate` and `config` work on both. All slots exist from the beginning, as zeros without a
    gradient, so an optimizer that is made before growth keeps working.

    Young neurons are kept from being copied or replaced in any loop. That they learn at twice the rate needs
    foam's optimizer (`optimizer`) or one that was shown to `attach`.

    Attributes:
        model: The language model.
        tokenizer: Its tokenizer, or None where a model was given.
        growing: Where growth is, or None with `enable_growth=False`.

    Args:
        model_or_path: A model of transformers, or a folder or hub id, or `builtin:nano`.
        enable_growth: Off: the model stays as it is.
        enable_replacement: Let neurons that matter least make room, pretrained ones too.
        freeze_attention: Train the feed-forward layers alone, as `train=ffn` does: attention, embeddings,
            norms and the output layer are frozen. Otherwise nothing is frozen or unfrozen.
        gradient_percentile: Neurons pressed above this percentile of their FFN may be copied from.
        max_growth_per_step: Neurons born by one event in each FFN.
        growth_cooldown: Optimizer steps from the start, and from one event, to the next.
        maturation_age: Optimizer steps for which a neuron is young.
        capacity: Grown neurons that each FFN has room for; rounded up to a multiple of 64. A gated FFN takes
            12 bytes for each of them and each of the model's dimensions.
        dtype: Of the weights, where a path is given.
        device: Where to put the model, where a path is given.
        seed: The noise of newborn neurons follows from it.
    """

    def __init__(
        self,
        model_or_path: PreTrainedModel | str | Path,
        *,
        enable_growth: bool = True,
        enable_replacement: bool = False,
        freeze_attention: bool = False,
        gradient_percentile: float = 90.0,
        max_growth_per_step: int = 10,
        growth_cooldown: int = 200,
        maturation_age: int = 500,
        capacity: int = 256,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        super().__init__()
        policy = growth_policy(
            gradient_percentile=gradient_percentile,
            max_growth_per_step=max_growth_per_step,
            growth_cooldown=growth_cooldown,
            maturation_age=maturation_age,
            enable_replacement=enable_replacement,
        )
        self.model, self.tokenizer = _loaded(model_or_path, dtype, device)
        self.growing: Growing | None = None
        self._loss: float | None = None
        if enable_growth:
            self.growing = Growing(policy, make_growable(self.model, capacity), seed)
            self.model.register_forward_pre_hook(self._before_forward)
            # On a part of the model itself: Trainer saves and loads that, without this wrapper.
            first = self.growing.ffns[0]
            first.register_state_dict_post_hook(partial(self._add_growth))  # torch marks what it is given
            first.register_load_state_dict_pre_hook(self._take_growth)
            self.model.register_load_state_dict_post_hook(self._note_recycled)
        if freeze_attention:
            train_only_ffns(self.model)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the model.

        Args:
            *args: Its arguments.
            **kwargs: Its keyword arguments.

        Returns:
            Its output.
        """
        return self.model(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "model":  # asked for before it is there
                raise
            return getattr(self.model, name)

    @property
    def records(self) -> list[GrowthRecord]:
        """Every growth event so far: when, why, where, how many."""
        return [] if self.growing is None else self.growing.records

    def update_loss(self, loss: float) -> None:
        """Tell the loss of a step, before `check_and_grow`.

        Growth waits for no value of it. It is noted beside an event, and a step whose loss is not a finite
        number is not measured and grows nothing.

        Args:
            loss: In nats.
        """
        self._loss = float(loss)

    def check_and_grow(self) -> dict[str, int]:
        """Count an optimizer step, and grow if it is time. Call it once after every optimizer step.

        Returns:
            How many neurons were `born` in all FFNs, how many were `replaced` by one of them, and how many
            `died` without a successor; zeros where nothing happened. `records` knows more.
        """
        loss, self._loss = self._loss, None
        growing, sound = self.growing, loss is None or math.isfinite(loss)
        if growing is None:
            return nothing_grew()
        growing.advance(sound=sound)
        if not sound:
            return nothing_grew()
        context = growing.context(block_births(self.model))
        plan, growing.state = growing.policy.plan(growing.state, context)
        if plan is None:
            return nothing_grew()
        plan = replace(plan, notes={**plan.notes, "training_loss_nats": loss})
        return counted(growing.carry_out(self.model, plan))

    def optimizer(
        self,
        lr: float,
        *,
        grown_lr: float | None = None,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
    ) -> GrowingAdamW:
        """Make foam's optimizer of everything that is trainable now.

        Args:
            lr: Learning rate of pretrained parameters.
            grown_lr: Learning rate of mature grown neurons, or None for the same; the young take twice that.
            betas: Decay rates of the two moments.
            weight_decay: Decoupled weight decay of matrices.

        Returns:
            A torch optimizer; bf16 weights keep in it the bits that bf16 drops.
        """
        return GrowingAdamW(
            self._required(),
            self.model,
            lr=lr,
            grown_lr=lr if grown_lr is None else grown_lr,
            betas=betas,
            weight_decay=weight_decay,
        )

    def attach(self, optimizer: Any) -> None:
        """Let an optimizer that is not foam's treat young neurons as foam's does, as far as it can be done.

        Args:
            optimizer: Holds the model's parameters; its own steps are the ones that count.
        """
        AttachedOptimizer(self._required(), optimizer)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the grown model as a plain Hugging Face folder: core and grown neurons in one matrix.

        Args:
            folder: Where; its tokenizer is written too where it is known.
        """
        merge(self.model)[0].save_pretrained(folder)
        if self.tokenizer is not None:
            self.tokenizer.save_pretrained(folder)

    def _before_forward(self, module: nn.Module, args: Any) -> None:
        del args
        assert self.growing is not None
        self.growing.before_forward(module)

    def _add_growth(self, module: nn.Module, state_dict: dict[str, Any], prefix: str, others: Any) -> None:
        del module, others
        assert self.growing is not None
        state_dict |= {f"{prefix}{_GROWTH}{name}": t for name, t in self.growing.state_tensors().items()}

    def _take_growth(self, module: nn.Module, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        del module, others
        assert self.growing is not None
        mine = [name for name in state_dict if name.startswith(prefix + _GROWTH)]
        if mine:
            found = {name.removeprefix(prefix + _GROWTH): state_dict.pop(name) for name in mine}
            self.growing.load_state_tensors(found)

    def _note_recycled(self, module: nn.Module, incompatible_keys: Any) -> None:
        del module, incompatible_keys
        assert self.growing is not None
        self.growing.remember_dead()

    def _required(self) -> Growing:
        if self.growing is None:
            raise ConfigError("enable_growth=False: nothing grows, so any optimizer of torch's will do.")
        return self.growing


class GrowableQwen(GrowableModel):
    """GrowableModel, made of a hub id or a folder; all else is said there.

    Args:
        model_name: The hub id or folder.
        **settings: As in GrowableModel.
    """

    def __init__(self, model_name: str = "Qwen/Qwen2.5-1.5B-Instruct", **settings: Any) -> None:
        super().__init__(model_name, **settings)


def _loaded(
    model_or_path: PreTrainedModel | str | Path, dtype: torch.dtype, device: str
) -> tuple[PreTrainedModel, Any]:
    if isinstance(model_or_path, PreTrainedModel):
        return model_or_path, None
    settings = ModelSettings(
        path=str(model_or_path), revision=None, init="pretrained", intermediate_size=None
    )
    base = load_base(settings, dtype=dtype, device=device)
    return base.model, base.tokenizer
