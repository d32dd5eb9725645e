"""What the proof of an export compares: equal weights must count as equal in every type they run in."""

import copy

import pytest
import torch
from tiny_families import tiny_family
from transformers import AutoModelForCausalLM

from foam_cli.export.parity import max_difference


@pytest.mark.parametrize("family", ["qwen2", "gpt2"])
def test_a_bf16_model_is_its_fp32_copy_at_far_positions_too(family, tmp_path):
    """Rotary frequencies are fp32 in a bf16 model; rounded, they would turn far positions elsewhere."""
    tiny_family(family, dtype=torch.bfloat16, max_position_embeddings=512).save_pretrained(tmp_path)
    running = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.bfloat16)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    probe_BT = torch.randint(2, 97, (1, 512), generator=torch.Generator().manual_seed(0))
    assert max_difference(running, loaded, probe_BT, tolerance=1.0) == 0
    assert next(running.parameters()).dtype == torch.bfloat16  # and was left as it is


def test_another_order_of_a_sum_is_no_difference_but_another_weight_is():
    """Neurons of an FFN in another order are the same FFN, whose sums are rounded differently."""
    model = tiny_family("gpt2").eval()
    turned, changed = copy.deepcopy(model), copy.deepcopy(model)
    mlp = turned.transformer.h[0].mlp
    with torch.no_grad():
        mlp.c_fc.weight.copy_(mlp.c_fc.weight.flip(1))
        mlp.c_fc.bias.copy_(mlp.c_fc.bias.flip(0))
        mlp.c_proj.weight.copy_(mlp.c_proj.weight.flip(0))
        changed.transformer.h[0].mlp.c_proj.weight[0, 0] += 1e-2
    probe_BT = torch.randint(2, 97, (2, 24), generator=torch.Generator().manual_seed(0))

    def difference(other, tolerance: float) -> float:
        return max_difference(model, other, probe_BT, tolerance)

    assert difference(turned, tolerance=1.0) > 1e-8  # fp32 was enough
    assert difference(turned, tolerance=0.0) < 1e-12
    assert difference(changed, tolerance=0.0) == pytest.approx(difference(changed, tolerance=1.0), rel=1e-2)
    assert next(model.parameters()).dtype == torch.float32  # and was left as it is
