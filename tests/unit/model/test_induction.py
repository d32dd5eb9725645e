import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, Qwen2Config, Qwen2ForCausalLM

from foam_cli.core.errors import ModelError
from foam_cli.model.induction import make_induction_heads


def qwen(num_key_value_heads: int = 6, num_heads: int = 6) -> Qwen2ForCausalLM:
    torch.manual_seed(0)
    return Qwen2ForCausalLM(
        Qwen2Config(
            hidden_size=192, intermediate_size=64, num_hidden_layers=3, num_attention_heads=num_heads,
            num_key_value_heads=num_key_value_heads, vocab_size=500, initializer_range=0.05,
            attn_implementation="eager",
        )
    ).eval()  # fmt: skip


def looked_at(
    model: Qwen2ForCausalLM, block: int, head: int, ids: torch.Tensor, places: torch.Tensor
) -> float:
    """Mean attention from the second half of a row to the given places."""
    with torch.no_grad():
        attention_TT = model(input_ids=ids[None], output_attentions=True).attentions[block][0, head]
    here = torch.arange(len(ids) - len(places), len(ids))
    return float(attention_TT[here, places].mean())


def test_heads_of_the_first_block_look_at_this_token_and_the_three_before():
    model = qwen()
    ids = torch.randperm(500)[:80]
    here = torch.arange(40, 80)
    for distance in range(4):
        assert looked_at(model, 0, distance, ids, here - distance) < 0.1
    make_induction_heads(model)
    for distance in range(4):
        assert looked_at(model, 0, distance, ids, here - distance) > 0.9


def test_later_heads_find_what_followed_the_same_token_before():
    model = qwen()
    row = torch.randperm(500)[:20]
    ids = torch.cat([row, row])[:39]
    next_one, one_further = torch.arange(1, 20), torch.arange(2, 21)  # seen from the second copy
    places = {0: next_one, 1: next_one, 2: one_further}
    for head, place in places.items():
        assert looked_at(model, 1, head, ids, place) < 0.1
    make_induction_heads(model)
    for head, place in places.items():
        assert looked_at(model, 1, head, ids, place) > 0.7
        assert looked_at(model, 2, head, ids, place) > 0.5


def test_heads_without_a_purpose_and_all_else_stay_as_they_were():
    model = qwen()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    make_induction_heads(model)
    for name, weight in model.state_dict().items():
        if ".self_attn." not in name:
            assert torch.equal(weight, before[name])
        else:
            rest = (slice(None), slice(160, None)) if "o_proj" in name else (slice(160, None),)
            assert torch.equal(weight[rest], before[name][rest])


@pytest.mark.parametrize(
    "model",
    [
        qwen(num_key_value_heads=2),
        qwen(num_key_value_heads=3, num_heads=3),
        GPT2LMHeadModel(GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=32)),
    ],
    ids=["shared keys", "few heads", "fused attention"],
)
def test_other_attention_is_refused(model: torch.nn.Module):
    with pytest.raises(ModelError, match=r"model\.init=random"):
        make_induction_heads(model)
