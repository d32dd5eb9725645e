"""Blocks that normalise what attention and FFN say before it is added: Gemma 2 and 3, OLMo 2 and 3, GLM-4."""

from foam_cli.model.adapters.layout import PostNorms

POST_NORMS = (
    PostNorms(attention="post_attention_layernorm", ffn="post_feedforward_layernorm"),
    PostNorms(attention="post_self_attn_layernorm", ffn="post_mlp_layernorm"),
)
