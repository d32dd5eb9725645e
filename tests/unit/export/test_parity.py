"""What the proof of an export compares: equal weights must count as equal in every type they run in."""

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
    assert max_difference(running, loaded, probe_BT) == 0
    assert next(running.parameters()).dtype == torch.bfloat16  # and was left as it is
