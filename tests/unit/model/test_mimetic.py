import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, Qwen2Config, Qwen2ForCausalLM

from foam_cli.core.errors import ModelError
from foam_cli.model.mimetic import tie_keys_to_queries


def qwen(num_key_value_heads: int) -> Qwen2ForCausalLM:
    torch.manual_seed(0)
    return Qwen2ForCausalLM(
        Qwen2Config(
            hidden_size=48, intermediate_size=64, num_hidden_layers=2, num_attention_heads=6,
            num_key_value_heads=num_key_value_heads, vocab_size=64,
        )
    )  # fmt: skip


def test_a_token_scores_highest_with_itself_at_the_beginning():
    model = qwen(6)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    tie_keys_to_queries(model)
    changed = {name for name, weight in model.state_dict().items() if not torch.equal(weight, before[name])}
    assert changed == {f"model.layers.{i}.self_attn.k_proj.weight" for i in (0, 1)}
    x_ND = torch.randn(40, 48)
    attention = model.model.layers[0].self_attn
    scores_NN = (x_ND @ attention.q_proj.weight.T) @ (x_ND @ attention.k_proj.weight.T).T
    assert (scores_NN.argmax(1) == torch.arange(40)).float().mean() > 0.9
    old = before["model.layers.0.self_attn.k_proj.weight"]
    old_NN = (x_ND @ attention.q_proj.weight.T) @ (x_ND @ old.T).T
    assert (old_NN.argmax(1) == torch.arange(40)).float().mean() < 0.2


def test_a_shared_key_head_becomes_the_mean_of_its_queries():
    model = qwen(2)
    tie_keys_to_queries(model, share=1.0)
    attention = model.model.layers[1].self_attn
    for group in range(2):
        rows = [attention.q_proj.weight[8 * head : 8 * head + 8] for head in range(3 * group, 3 * group + 3)]
        torch.testing.assert_close(attention.k_proj.weight[8 * group : 8 * group + 8], sum(rows) / 3)


def test_fused_attention_is_refused():
    model = GPT2LMHeadModel(GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=32))
    with pytest.raises(ModelError, match=r"model\.init=random"):
        tie_keys_to_queries(model)
