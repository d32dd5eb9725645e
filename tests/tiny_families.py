"""A tiny random model of every family: two or three blocks, hidden size 32, 97 tokens."""

import torch
from transformers import AutoConfig, AutoModelForCausalLM

SHARED = {
    "vocab_size": 97, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
    "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1,
}  # fmt: skip

#: What each family states besides `SHARED`, or instead of it; ("gpt2", "untied") is a variant of gpt2.
FAMILIES = {
    ("gpt2", ""): {"n_inner": 48, "intermediate_size": None},
    ("qwen2", ""): {"tie_word_embeddings": True},
    ("qwen2", "untied"): {"tie_word_embeddings": False},
    ("qwen3", ""): {"head_dim": 8},
    ("llama", ""): {},
    ("llama", "biased"): {"mlp_bias": True, "attention_bias": True, "tie_word_embeddings": True},
    ("mistral", ""): {"sliding_window": 8},
    ("gemma2", ""): {"head_dim": 8, "sliding_window": 8, "query_pre_attn_scalar": 8, "num_hidden_layers": 3},
    ("phi", ""): {},
    ("phi3", ""): {},
    ("opt", ""): {"ffn_dim": 48, "intermediate_size": None, "word_embed_proj_dim": 32},
    ("gpt_neox", ""): {},
    ("gpt_neox", "serial"): {"use_parallel_residual": False, "tie_word_embeddings": True},
    ("smollm3", ""): {"num_hidden_layers": 3, "no_rope_layers": [1, 0, 1]},
    ("olmo2", ""): {},
    # Families beyond those: each has a layout that an adapter states already, none has code of its own.
    ("stablelm", ""): {},
    ("starcoder2", ""): {"sliding_window": 8},
    ("granite", ""): {"residual_multiplier": 0.7, "logits_scaling": 3.0},
    ("cohere", ""): {},
    ("glm4", ""): {"head_dim": 8},
    ("gemma3_text", ""): {
        "head_dim": 8, "sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"],
    },
    ("gptj", ""): {"rotary_dim": 8, "n_inner": 48, "intermediate_size": None, "tie_word_embeddings": False},
    ("falcon", ""): {"ffn_hidden_size": 48, "intermediate_size": None, "new_decoder_architecture": False},
    ("nemotron", ""): {},
}  # fmt: skip
#: Neurons can grow in it, blocks cannot: its config does not say block by block how they attend.
WITHOUT_BLOCKS = {("gpt_neo", ""): {"num_layers": 2, "num_hidden_layers": None}}
#: Their configs have no name for the width of the FFN, so grown neurons go into a delta.
FIXED_WIDTH = {
    ("bloom", ""): {"intermediate_size": None},
    ("mpt", ""): {"intermediate_size": None, "max_seq_len": 64},
}
NAMES = ["-".join(filter(None, family)) for family in FAMILIES]
FIXED_WIDTH_NAMES = [kind for kind, _ in FIXED_WIDTH]

_DROPOUTS = (
    "attn_pdrop", "embd_pdrop", "resid_pdrop", "dropout", "attention_dropout", "hidden_dropout",
    "residual_dropout", "embedding_dropout",
)  # fmt: skip


def family_config(name, **changes):
    kind, _, variant = name.partition("-")
    stated = {**SHARED, **(FAMILIES | WITHOUT_BLOCKS | FIXED_WIDTH)[kind, variant], **changes}
    config = AutoConfig.for_model(kind, **{key: value for key, value in stated.items() if value is not None})
    for dropout in _DROPOUTS:
        if hasattr(config, dropout):
            setattr(config, dropout, 0.0)
    return config


def tiny_family(name, dtype=torch.float32, **changes):
    """A random model in which nothing is zero by construction, in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(family_config(name, **changes))
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.15)
    return model.to(dtype).eval()
