"""Gated FFNs, y = W_down [φ(W_gate x) ⊙ (W_up x)]: Llama, Qwen, Mistral, Gemma, SmolLM; fused: Phi-3, GLM."""

from foam_cli.model.adapters.layout import FFNLayout

LAYOUTS = (
    FFNLayout(up="up_proj", gate="gate_proj", down="down_proj", activation="act_fn", transposed=False),
    FFNLayout(
        up="gate_up_proj", gate="gate_up_proj", down="down_proj", activation="activation_fn", transposed=False
    ),
)
