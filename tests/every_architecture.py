"""Every causal language model of the installed transformers, built tiny, and what can grow in it."""

import copy
import tempfile
import warnings
from typing import NamedTuple

import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from foam_cli.core.errors import FoamError
from foam_cli.core.growth import GrowthPlan, NeuronBirths
from foam_cli.export.merge import merge
from foam_cli.model.blocks import insert_block
from foam_cli.model.neurons import growable_ffns, make_growable
from foam_cli.model.sites import find_blocks
from foam_cli.model.surgery import apply

#: Small values under every name that a configuration may have for them.
SIZES = {
    "vocab_size": 97, "max_position_embeddings": 64, "n_positions": 64, "seq_length": 64, "max_seq_len": 64,
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "word_embed_proj_dim", "embedding_size"), 32),
    **dict.fromkeys(("intermediate_size", "n_inner", "ffn_dim", "decoder_ffn_dim", "ffn_hidden_size"), 48),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "num_layers", "decoder_layers", "n_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "num_heads", "decoder_attention_heads", "n_heads"), 4),
    "num_key_value_heads": 2, "head_dim": 8, "rotary_dim": 8, "sliding_window": 8, "query_pre_attn_scalar": 8,
    "q_lora_rank": 8, "kv_lora_rank": 8, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 8,
    "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1, "sep_token_id": 1, "cls_token_id": 0,
    "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4, "num_experts_per_tok": 2,
    "moe_intermediate_size": 16, "shared_expert_intermediate_size": 16, "n_group": 1, "topk_group": 1,
    "first_k_dense_replace": 1, "is_decoder": True,
}  # fmt: skip
#: What a few need besides.
MORE = {
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "falcon": {"new_decoder_architecture": False, "num_kv_heads": 2},
    **{
        name: {"num_key_value_heads": 4}  # latent attention has as many of both kinds
        for name in (
            "axk1", "axk2", "deepseek_v2", "deepseek_v3", "deepseek_v32", "dots3_note_text", "glm4_moe_lite",
            "glm_moe_dsa", "longcat_flash", "minicpm3", "youtu",
        )
    },
}  # fmt: skip
MAX_PARAMETERS = 4_000_000
YES = "yes"


class Verdict(NamedTuple):
    """Whether neurons grow, blocks grow, and a grown model is exported; otherwise why not."""

    neurons: str
    blocks: str
    export: str


def model_types():
    """Every model type that `AutoModelForCausalLM` builds of one class, text in and text out."""
    return sorted(name for name, found in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.items() if isinstance(found, str))


def tiny(model_type):
    """A random model that nothing is zero in, or None where the sizes above do not make a small one."""
    known = {**vars(AutoConfig.for_model(model_type)), **AutoConfig.for_model(model_type).attribute_map}
    stated = {name: value for name, value in SIZES.items() if name in known} | MORE.get(model_type, {})
    config = AutoConfig.for_model(model_type, **stated)
    for name in vars(config):
        if ("dropout" in name or "pdrop" in name) and isinstance(getattr(config, name), float):
            setattr(config, name, 0.0)
    if hasattr(config, "text_config") or hasattr(config, "vision_config"):
        return None
    with torch.device("meta"):
        size = sum(p.numel() for p in AutoModelForCausalLM.from_config(copy.deepcopy(config)).parameters())
    if size > MAX_PARAMETERS:
        return None
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.15)
    return model.eval()


def tokens():
    return torch.randint(2, 97, (2, 12), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def logits(model):
    return model(input_ids=tokens(), use_cache=False).logits


def grow(model, *, silent):
    births = []
    for block, ffn in enumerate(growable_ffns(model)):
        bank, generator = ffn.bank, torch.Generator().manual_seed(block)
        likes = (bank.up_CD, bank.gate_CD, bank.bias_C, bank.gate_bias_C, bank.down_CD)
        up, gate, bias, gate_bias, down = (
            None if like is None else 0.3 * torch.randn(3, *like.shape[1:], generator=generator)
            for like in likes
        )
        births.append(
            NeuronBirths(
                block=block, up_GD=up, gate_GD=gate, bias_G=bias, gate_bias_G=gate_bias,
                down_GD=torch.zeros_like(down) if silent else down, sources=(None,) * 3,
            )
        )  # fmt: skip
    apply(model, GrowthPlan(event=1, step=0, reason="test", neurons=tuple(births)), 0)


def verdict(model_type):
    """Grow a tiny model of a type in every way; None where no tiny one can be built or run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = tiny(model_type)
            before = None if model is None else logits(model)
        except Exception:  # whatever a class of transformers may not like about the sizes
            return None
        if before is None or before.shape[:2] != (2, 12) or not before.isfinite().all():
            return None
        neurons, blocks = _neurons(model_type, before), _blocks(model_type, before)
        return Verdict(neurons, blocks, _export(model_type, with_blocks=blocks == YES))


def _neurons(model_type, before):
    model = tiny(model_type)
    try:
        make_growable(model, 3)
    except FoamError as error:
        return reason(error)
    grow(model, silent=True)
    assert (logits(model) - before).abs().max() <= 1e-4, "silent neurons are heard"
    grow(model, silent=False)
    assert (logits(model) - before).abs().max() > 1e-3, "neurons are not heard"
    return YES


def _blocks(model_type, before):
    model = tiny(model_type)
    try:
        for after in reversed(range(len(find_blocks(model)[1]))):
            insert_block(model, after, 1)
    except FoamError as error:
        return reason(error)
    assert (logits(model) - before).abs().max() <= 1e-4, "a new block is heard"
    return YES


def _export(model_type, *, with_blocks):
    model = tiny(model_type)
    try:
        make_growable(model, 3)
        for block in [insert_block(model, 0, 1)] if with_blocks else []:
            for parameter in (p for name, p in block.named_parameters() if ".bank." not in name):
                torch.nn.init.normal_(parameter, std=0.1)
        grow(model, silent=False)
        expected = logits(model)
        merged = merge(model)[0]
    except FoamError as error:
        return reason(error)
    if (logits(reloaded(merged)) - expected).abs().max() <= 1e-3:
        return YES
    plain = tiny(model_type)
    difference = (logits(reloaded(plain)) - logits(plain)).abs().max()
    assert difference > 1e-3, f"{model_type}: an export is another model"
    return "transformers reloads another model"


def reloaded(model):
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return AutoModelForCausalLM.from_pretrained(folder).eval()


#: What an error says, and the words for it in a table.
REASONS = {
    "mixture of experts": "mixture of experts",
    "of no known layout": "layout not known",
    "feed-forward modules (": "several FFNs in a block",
    "computes something else": "FFN computes more",
    "does not map 0 to 0": "activation not 0 at 0",
    "cannot be the identity": "norm on the residual stream",
    "attention out-projections": "attention not found",
    "block's number": "depends on the block's number",
    "cannot be built from its config": "config not block by block",
    "ModuleList": "no list of blocks",
    "does not run with another number": "config not block by block",
    "of a config that states": "config not block by block",
    "cannot be stated": "blocks only, or as a delta",
    "does not build the grown shapes": "as a delta",
}


def reason(error):
    """An error's words in the table."""
    return next(words for said, words in REASONS.items() if said in str(error))
