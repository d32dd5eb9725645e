"""A model as shapes alone: built from its config, with no weights downloaded and no memory allocated."""

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging as transformers_logging

from foam_cli.core.errors import ModelError
from foam_cli.core.files import read_json
from foam_cli.core.settings import ModelSettings
from foam_cli.model.loading import locate
from foam_cli.model.width import widen

_SHAPES = Path(__file__).parent.parent / "assets" / "shapes"


def config_of(settings: ModelSettings) -> Any:
    """Find a model's config: in its folder, in the hub's cache, among the shipped shapes, then at the hub.

    Args:
        settings: Which model.

    Returns:
        Its config, with the width that the settings want. One that is nowhere or cannot be read is a
        ModelError.
    """
    config = _stored_config(settings)
    widen(config, settings.intermediate_size)
    return config


def _stored_config(settings: ModelSettings) -> Any:
    transformers_logging.set_verbosity_error()
    source = locate(settings)
    if Path(source).is_dir():
        try:
            return AutoConfig.from_pretrained(source)
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"model.path={settings.path}: its config.json cannot be read: {error}"
            ) from error
    shape = _SHAPES / f"{source.replace('/', '--')}.json"
    for local in (True, False):
        if not local and shape.is_file():
            return AutoConfig.for_model(**read_json(shape))
        if not local and os.environ.get("HF_HUB_OFFLINE", "0").lower() in ("1", "true", "yes", "on"):
            break
        try:
            return AutoConfig.from_pretrained(source, revision=settings.revision, local_files_only=local)
        except (OSError, ValueError, KeyError):
            continue
    raise ModelError(
        f"model.path={settings.path} (revision {settings.revision or 'main'}): its config is in no folder "
        "here and not in the hub's cache, and the hub cannot be asked. Put its config.json into a folder and "
        "name that: model.path=DIR. No weights are needed for a plan."
    )


def blueprint(config: Any, dtype: torch.dtype) -> PreTrainedModel:
    """Build a model on the meta device.

    Args:
        config: Its config.
        dtype: The dtype of its weights.

    Returns:
        The model, in training mode; its tensors have shapes but no numbers.

    Raises:
        ModelError: transformers builds no causal language model from it.
    """
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            return AutoModelForCausalLM.from_config(config, dtype=dtype).train()
    except (AttributeError, ValueError, KeyError, TypeError, ImportError) as error:
        raise ModelError(
            f"{type(config).__name__}: cannot be built from its config alone: {error}"
        ) from error


def move_tensors(model: nn.Module, device: str) -> None:
    """Give a blueprint's tensors another device: within a `FakeTensorMode` still without memory.

    Ties stay ties, and what is frozen stays frozen.

    Args:
        model: A model on the meta device; changed in place.
        device: Which device.
    """
    made: dict[int, torch.Tensor] = {}
    known: list[torch.Tensor] = []  # alive, so that no id is used twice

    def moved(old: torch.Tensor) -> torch.Tensor:
        if id(old) not in made:
            new = torch.empty_strided(old.size(), old.stride(), dtype=old.dtype, device=device)
            is_parameter = isinstance(old, nn.Parameter)
            made[id(old)] = nn.Parameter(new, requires_grad=old.requires_grad) if is_parameter else new
            known.append(old)
        return made[id(old)]

    for module in model.modules():
        named = (
            *module.named_parameters(recurse=False, remove_duplicate=False),
            *module.named_buffers(recurse=False, remove_duplicate=False),
            *vars(module).items(),
        )
        for name, old in named:
            if isinstance(old, torch.Tensor) and old.is_meta:
                setattr(module, name, moved(old))
