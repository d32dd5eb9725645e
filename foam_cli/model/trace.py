"""One training pass over shapes alone: what it computes and what is in memory when, as autograd has it.

Nothing is estimated by a formula per architecture. The model's own code runs on fake tensors, which have a
shape, a dtype and a lifetime, but no memory; whatever lives when the pass is fullest is what a real pass
needs.
"""

import weakref
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils import flop_counter
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import PreTrainedModel

from foam_cli.model.heads import LogitsAt, hidden_states, logits_at

ACTIVATIONS, LOGITS, GRADIENTS, WORKSPACE = "activations", "logits", "gradients", "workspace"
_STATIC = "static"


@dataclass(frozen=True, kw_only=True)
class PassCosts:
    """What one forward and backward pass costs.

    Attributes:
        flops: Floating-point operations of matrix products and attention, forward and backward.
        forward_flops: Those of the forward pass.
        kept_bytes: What the backward pass needs of the forward pass, logits and loss apart.
        fullest: Bytes by kind at the moment when most is in memory; weights are not counted.
    """

    flops: int
    forward_flops: int
    kept_bytes: int
    fullest: dict[str, int]


class Recorder(TorchDispatchMode):
    """Follows every tensor from its making to its end, and counts operations."""

    def __init__(self) -> None:
        super().__init__()
        self.kind = ACTIVATIONS
        self.live: Counter[str] = Counter()
        self.fullest: dict[str, int] = {}
        self.flops = 0
        self.operations: Counter[str] = Counter()
        self._most = 0
        self._known: dict[int, tuple[str, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and note what it made.

        Args:
            func: The operation.
            types: Not looked at.
            args: Its arguments.
            kwargs: Its keyword arguments.

        Returns:
            What it gave.
        """
        out = func(*args, **(kwargs or {}))
        if not func.is_view and func.namespace == "aten":
            self.operations[str(func.overloadpacket)] += 1
        count = _FLOPS.get(func.overloadpacket)
        if count is not None:
            self.flops += int(count(*args, **(kwargs or {}), out_val=out))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                self.note(tensor, self.kind)
        return out

    def note(self, tensor: torch.Tensor, kind: str) -> None:
        """Count a tensor's memory, once, until it is freed.

        Args:
            tensor: The tensor.
            kind: What it is; where it is known already it becomes that, unless it is the current kind.
        """
        storage = tensor.untyped_storage()
        key = id(storage)
        if key in self._known:
            if kind != self.kind:
                old, size = self._known[key]
                self._known[key] = (kind, size)
                self.live[old] -= size
                self.live[kind] += size
            return
        size = 0 if kind == _STATIC else storage.nbytes()
        self._known[key] = (kind, size)
        weakref.finalize(storage, self._freed, key)
        self.live[kind] += size
        if (total := self.live.total()) > self._most:
            self._most, self.fullest = total, dict(self.live)

    def keep_out(self, tensors: Iterable[torch.Tensor]) -> None:
        """Leave tensors that are there already out of the count.

        Args:
            tensors: The tensors.
        """
        for tensor in tensors:
            self.note(tensor, _STATIC)

    def _freed(self, key: int) -> None:
        kind, size = self._known.pop(key)
        self.live[kind] -= size


def trace_pass(
    model: PreTrainedModel,
    head: nn.Module | None,
    shape_BT: tuple[int, int],
    *,
    autocast: AbstractContextManager[Any] | None = None,
    has_gradients: bool = False,
    watch: AbstractContextManager[Any] | None = None,
    logits: LogitsAt = logits_at,
    penalty: Callable[[torch.Tensor], torch.Tensor] | None = None,
    num_targets: int | None = None,
) -> PassCosts:
    """Run one forward and backward pass and record it.

    Args:
        model: The model, with numbers or without: the record is the same.
        head: Its output layer where that alone makes logits.
        shape_BT: Rows and tokens per row of the batch.
        autocast: The context of forward passes.
        has_gradients: Earlier passes of the same step have left gradients already.
        watch: A further context around both passes.
        logits: Computes logits; another function in tests.
        penalty: From logits to what is added to the loss.
        num_targets: Positions whose logits are computed; None for every token.

    Returns:
        What it cost.
    """
    recorder = Recorder()
    recorder.keep_out([*model.parameters(), *model.buffers()])
    ids_BT = torch.zeros(shape_BT, dtype=torch.int64, device=model.device)
    at_N = torch.zeros(num_targets or ids_BT.numel(), dtype=torch.int64, device=model.device)
    kept: list[int] = []
    telling = _telling(model, recorder, kept, has_gradients=has_gradients)
    with telling, watch or nullcontext(), unpacked(), recorder:
        with autocast or nullcontext():
            logits_NV = logits(model, head, ids_BT, at_N)
        recorder.kind = LOGITS
        loss = F.cross_entropy(logits_NV.float(), at_N, reduction="sum")
        if penalty is not None:
            loss = loss + penalty(logits_NV)
        forward_flops = recorder.flops
        del logits_NV
        recorder.kind = WORKSPACE
        if loss.requires_grad:
            loss.backward()
        del loss
    fullest = {kind: size for kind, size in recorder.fullest.items() if kind != _STATIC}
    return PassCosts(
        flops=recorder.flops, forward_flops=forward_flops, kept_bytes=sum(kept[:1]), fullest=fullest
    )


@contextmanager
def _telling(
    model: PreTrainedModel, recorder: Recorder, kept: list[int], *, has_gradients: bool
) -> Generator[None]:
    """Tell a recorder what is a gradient, and where logits begin; note what is kept there."""
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def at_logits(*_: Any) -> None:
        kept.append(recorder.live[ACTIVATIONS])
        recorder.kind = LOGITS

    handles = [one.register_post_accumulate_grad_hook(_noting_gradients(recorder)) for one in learning]
    output: Any = model.get_output_embeddings()
    if output is not None:
        handles.append(output.register_forward_pre_hook(at_logits))
    for parameter in learning:
        parameter.grad = torch.zeros_like(parameter) if has_gradients else None
        if parameter.grad is not None:
            recorder.note(parameter.grad, GRADIENTS)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for parameter in learning:
            parameter.grad = None


def _noting_gradients(recorder: Recorder) -> Callable[[torch.Tensor], None]:
    def note(parameter: torch.Tensor) -> None:
        if parameter.grad is not None:
            recorder.note(parameter.grad, GRADIENTS)

    return note


@contextmanager
def unpacked() -> Generator[None]:
    """Spare transformers the look at numbers that tells it that no documents are packed: ours never are.

    On fake tensors it cannot look, and would build a mask that no real pass has.

    Yields:
        Nothing.
    """
    with mock.patch("transformers.masking_utils.find_packed_sequence_indices", lambda *_, **__: None):
        yield


@torch.no_grad()
def head_alone(model: PreTrainedModel) -> nn.Module | None:
    """The output layer, if it alone maps hidden states to logits: `direct_head` for tensors without numbers.

    Args:
        model: A causal language model.

    Returns:
        The output layer, or None where the model does something more with logits.
    """
    head: Any = model.get_output_embeddings()
    if head is None or model.base_model is model:
        return None
    ids_BT = torch.zeros(1, 8, dtype=torch.int64, device=head.weight.device)
    whole, alone = Recorder(), Recorder()
    with unpacked():
        hidden_BTD = hidden_states(model, ids_BT)
        handle = model.base_model.register_forward_hook(lambda *_: whole.operations.clear())
        try:
            with whole:
                model(input_ids=ids_BT, use_cache=False)
        finally:
            handle.remove()
        with alone:
            head(hidden_BTD)
    return head if whole.operations == alone.operations else None


def _attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return flop_counter.sdpa_flop_count(query.shape, key.shape, value.shape)


def _attention_backward(gradient: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return flop_counter.sdpa_backward_flop_count(gradient.shape, query.shape, key.shape, value.shape)


_aten = torch.ops.aten
#: torch's own counts, and attention on the CPU, which it has none for.
_FLOPS: dict[Any, Callable[..., int]] = {
    **flop_counter.flop_registry,
    _aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    _aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}
