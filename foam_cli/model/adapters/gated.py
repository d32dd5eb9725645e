"""Gated FFNs, y = W_down [φ(W_gate x) ⊙ (W_up x)]: Llama, Qwen 2 and 3, Mistral, Gemma, SmolLM."""

from foam_cli.model.adapters.layout import FFNLayout

LAYOUTS = (
    FFNLayout(up="up_proj", gate="gate_proj", down="down_proj", activation="act_fn", transposed=False),
)
