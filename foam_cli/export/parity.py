"""The proof of an export: what was written, loaded as anyone would load it, answers as the running one."""

import copy
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from foam_cli.core.errors import ExportError
from foam_cli.model.lora import lora_merged
from foam_cli.model.probe import evaluating


def measure_parity(model: Any, folder: Path, probe_BT: Int[torch.Tensor, "B T"], tolerance: float) -> float:
    """Load an exported folder and compare it with the running model, in fp32.

    A model that runs in a 16-bit type is compared through an fp32 copy of its 16-bit weights: otherwise the
    order in which 16-bit sums are formed would hide a mistake. Adapters, which are fp32 there, are merged
    first: W + B A in 16 bits is not quite what ran, and is all that a 16-bit export can hold.

    Args:
        model: The running model; its weights and modes are left as they are.
        folder: The exported folder.
        probe_BT: Token ids.
        tolerance: What is allowed, as for `max_difference`.

    Returns:
        The largest absolute difference of a logit. A folder that cannot be loaded, or a model that does not
        generate, is an ExportError.
    """
    device = next(model.parameters()).device
    loaded = _load(folder).to(device)
    with _exact_matmuls():
        _check_generate(loaded, probe_BT[:1, :4].to(device))
    return max_difference(model, loaded, probe_BT, tolerance)


def max_difference(model: Any, other: Any, probe_BT: Int[torch.Tensor, "B T"], tolerance: float) -> float:
    """Compare what two models say, in fp32, and in fp64 where fp32 does not suffice.

    The same weights, summed up in another order, give other logits in fp32: with adapters as large as what
    they adapt by up to 1e-4. In fp64 what is left is what the weights themselves differ by.

    Args:
        model: The running model; its weights and modes are left as they are.
        other: Another one on the same device.
        probe_BT: Token ids.
        tolerance: A larger difference in fp32 is measured again in fp64.

    Returns:
        The largest absolute difference of a logit. Models that do not even agree on the number of logits are
        an ExportError.
    """
    probe_BT = probe_BT.to(next(model.parameters()).device)
    one, two = _in_fp32(model), _in_fp32(other)
    with _exact_matmuls():
        difference = _difference(_logits(one, probe_BT), _logits(two, probe_BT))
        if difference > tolerance:
            one, two = (copy.deepcopy(each).double() for each in (one, two))
            difference = _difference(_logits(one, probe_BT), _logits(two, probe_BT))
    return difference


def _difference(expected_BTV: torch.Tensor, logits_BTV: torch.Tensor) -> float:
    if logits_BTV.shape != expected_BTV.shape:
        raise ExportError(f"logits of shape {tuple(logits_BTV.shape)}, not {tuple(expected_BTV.shape)}")
    return (logits_BTV - expected_BTV).abs().max().item()


def _in_fp32(model: Any) -> Any:
    dtype = model.get_input_embeddings().weight.dtype
    if dtype == torch.float32:
        return model
    exact = copy.deepcopy(lora_merged(model))
    for parameter in exact.parameters():  # buffers are no weights: rotary frequencies are fp32 in every model
        parameter.data = parameter.data.to(dtype)
    return exact.float()


def _load(folder: Path) -> Any:
    with quiet_progress():
        try:
            return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise ExportError(f"transformers cannot load what was exported: {error}") from error


@torch.no_grad()
def _logits(model: Any, probe_BT: Int[torch.Tensor, "B T"]) -> Float[torch.Tensor, "B T V"]:
    with evaluating(model):
        return model(input_ids=probe_BT, use_cache=False).logits


def _check_generate(model: Any, prompt_BT: Int[torch.Tensor, "B T"]) -> None:
    mask = torch.ones_like(prompt_BT)
    out_BT = model.generate(
        prompt_BT, attention_mask=mask, max_new_tokens=2, min_new_tokens=2, do_sample=False
    )
    if out_BT.shape[1] != prompt_BT.shape[1] + 2:
        raise ExportError(
            f"the exported model was asked for 2 tokens and generated {out_BT.shape[1] - prompt_BT.shape[1]}"
        )


@contextmanager
def _exact_matmuls() -> Generator[None, None, None]:
    """No TF32 and no autocast: both are coarser than the tolerance."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast("cuda", enabled=False), torch.autocast("cpu", enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def quiet_progress() -> Generator[None, None, None]:
    """Keep transformers' progress bars out of foam's own display.

    Yields:
        Nothing.
    """
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
