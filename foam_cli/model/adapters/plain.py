"""Plain FFNs, y = W_down φ(W_up x + b) + c: GPT-2 (transposed), Phi, OPT, GPT-NeoX, Bloom and their like."""

from foam_cli.model.adapters.layout import FFNLayout

LAYOUTS = (
    FFNLayout(up="c_fc", gate=None, down="c_proj", activation="act", transposed=True),
    FFNLayout(up="c_fc", gate=None, down="c_proj", activation="act", transposed=False),
    FFNLayout(up="fc1", gate=None, down="fc2", activation="activation_fn", transposed=False),
    FFNLayout(up="fc_in", gate=None, down="fc_out", activation="act", transposed=False),
    FFNLayout(up="up_proj", gate=None, down="down_proj", activation="act_fn", transposed=False),
    FFNLayout(up="up_proj", gate=None, down="down_proj", activation="act", transposed=False),
    FFNLayout(up="dense_h_to_4h", gate=None, down="dense_4h_to_h", activation="act", transposed=False),
    FFNLayout(up="dense_h_to_4h", gate=None, down="dense_4h_to_h", activation="gelu_impl", transposed=False),
)
