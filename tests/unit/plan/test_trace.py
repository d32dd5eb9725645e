"""Passes recorded on shapes alone, against what autograd, the allocator and paper say of real ones."""

import contextlib
from itertools import cycle

import pytest
import torch
from tiny_families import NAMES, family_config, tiny_family
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from foam_cli.model.blueprint import blueprint, move_tensors
from foam_cli.model.heads import direct_head, logits_at
from foam_cli.model.trace import head_alone, trace_pass

B, T = 4, 24
PRECISIONS = {
    "fp32": (torch.float32, False),
    "autocast": (torch.float32, True),
    "bf16": (torch.bfloat16, False),
}
FAMILIES = ("gpt2", "qwen2", "gemma2", "phi3", "opt", "gpt_neox")
CHANGES = {"vocab_size": 211}


def fast(chosen, rest):
    return [*chosen, *(pytest.param(*one, marks=pytest.mark.slow) for one in rest if one not in chosen)]


EVERYTHING = [(family, precision) for family in FAMILIES for precision in PRECISIONS]


def cast(autocast):
    return torch.autocast("cpu", dtype=torch.bfloat16) if autocast else contextlib.nullcontext()


def on_shapes(family, dtype=torch.float32, autocast=False, freeze=(), **options):
    model = blueprint(family_config(family, **CHANGES), dtype)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not any(word in name for word in freeze))
    with FakeTensorMode():
        move_tensors(model, "cpu")
        return trace_pass(model, head_alone(model), (B, T), autocast=cast(autocast), **options)


def real(family, dtype=torch.float32):
    model = tiny_family(family, dtype, **CHANGES).train()
    return model, direct_head(model)


def ids(model):
    return torch.randint(2, 97, (B, T)), torch.arange(B * T), torch.randint(2, 97, (B * T,))


@pytest.mark.parametrize(("family", "precision"), fast([("gpt2", "bf16"), ("qwen2", "autocast")], EVERYTHING))
def test_activations_are_what_autograd_saves(family, precision):
    dtype, autocast = PRECISIONS[precision]
    model, head = real(family, dtype)
    mine = {parameter.untyped_storage().data_ptr() for parameter in (*model.parameters(), *model.buffers())}
    saved = {}

    def pack(tensor):
        saved[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    output = model.get_output_embeddings()
    counted = []
    handle = output.register_forward_pre_hook(lambda *_: counted.append(dict(saved)))
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), cast(autocast):
        tokens, positions, _ = ids(model)
        logits = logits_at(model, head, tokens, positions)
        handle.remove()
    before = sum(t.untyped_storage().nbytes() for p, t in counted[0].items() if p not in mine)
    del logits
    found = on_shapes(family, dtype, autocast).kept_bytes
    assert found == pytest.approx(before, rel=0.10)


@pytest.mark.parametrize(("family", "precision"), fast([("qwen2", "autocast")], EVERYTHING[:9]))
def test_the_fullest_moment_is_the_allocators(family, precision):
    dtype, autocast = PRECISIONS[precision]
    model, head = real(family, dtype)
    batch = ids(model)

    def one_pass():
        with cast(autocast):
            logits = logits_at(model, head, *batch[:2])
        loss = F.cross_entropy(logits.float(), batch[2], reduction="sum")
        del logits
        loss.backward()

    one_pass()
    model.zero_grad()
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as seen:
        one_pass()
    events = [event for event in seen.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    found = sum(on_shapes(family, dtype, autocast).fullest.values())
    assert found == pytest.approx(most, rel=0.10)


@pytest.mark.parametrize(
    # every family once, the precisions in turn
    ("family", "precision"),
    fast([("phi3", "bf16")], list(zip(NAMES, cycle(PRECISIONS), strict=False))),
)
def test_shapes_say_what_numbers_say(family, precision):
    dtype, autocast = PRECISIONS[precision]
    model, head = real(family, dtype)
    seen = trace_pass(model, head, (B, T), autocast=cast(autocast))
    found = on_shapes(family, dtype, autocast)
    assert (found.flops, found.kept_bytes) == (seen.flops, seen.kept_bytes)
    assert sum(found.fullest.values()) == sum(seen.fullest.values())


def matmul_parameters(model):
    return sum(p.numel() for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n)


def test_operations_are_those_on_paper():
    model, _ = real("llama")
    config = model.config
    dense = 2 * B * T * (matmul_parameters(model) - model.lm_head.weight.numel() + 211 * 32)
    attention = 4 * B * config.num_attention_heads * T * T * (32 // 4) * len(model.model.layers)
    found = on_shapes("llama")
    assert found.forward_flops == pytest.approx(dense + attention, rel=0.02)
    # Backward: twice the dense part; attention's two products become five, one of them computed again.
    assert found.flops == pytest.approx(3 * dense + 3.5 * attention, rel=0.02)


@pytest.mark.parametrize(
    "family", ["gpt2", *(pytest.param(one, marks=pytest.mark.slow) for one in FAMILIES[1:])]
)
def test_operations_are_those_that_torch_counts(family):
    model, head = real(family)
    if family != "gemma2":
        model.set_attn_implementation("eager")  # torch counts no fused attention on the CPU
    tokens, positions, _ = ids(model)
    with FlopCounterMode(display=False) as counter:
        logits_at(model, head, tokens, positions)
    assert on_shapes(family).forward_flops == pytest.approx(counter.get_total_flops(), rel=0.02)


def test_a_frozen_core_saves_operations_gradients_and_activations():
    whole, head_only = on_shapes("llama"), on_shapes("llama", freeze=("embed", "layers", "norm"))
    assert head_only.forward_flops == whole.forward_flops
    weight = 2 * B * T * 211 * 32
    assert head_only.flops - head_only.forward_flops == weight  # the head's own gradient alone
    assert head_only.kept_bytes < 0.1 * whole.kept_bytes
    nothing = on_shapes("llama", freeze=("",))
    assert nothing.flops == nothing.forward_flops and nothing.kept_bytes < 0.1 * whole.kept_bytes


def test_gradients_of_earlier_passes_lie_beside_the_activations():
    first, second = on_shapes("llama"), on_shapes("llama", has_gradients=True)
    numel = sum(parameter.numel() for parameter in tiny_family("llama", **CHANGES).parameters())
    assert second.fullest["gradients"] == 4 * numel
    assert sum(second.fullest.values()) > sum(first.fullest.values())


def test_ties_and_freezing_survive_the_move():
    model = blueprint(family_config("gpt2"), torch.float32)
    model.get_input_embeddings().weight.requires_grad_(False)
    names = {name for name, _ in model.named_parameters()}
    with FakeTensorMode():
        move_tensors(model, "cpu")
    assert {name for name, _ in model.named_parameters()} == names
    assert model.lm_head.weight is model.transformer.wte.weight and not model.lm_head.weight.requires_grad
    assert not any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))
