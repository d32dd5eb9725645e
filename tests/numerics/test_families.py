"""Every family: growth changes nothing, a step moves what it should, an export is the same model."""

import copy
import re

import pytest
import torch
from tiny_families import FIXED_WIDTH_NAMES, NAMES, tiny_family
from tiny_tokenizer import byte_tokenizer
from transformers import AutoModelForCausalLM, MixtralConfig, Qwen2MoeConfig

from foam_cli.core.errors import ExportError, ModelError
from foam_cli.core.growth import BlockBirth, GrowthPlan, NeuronBirths
from foam_cli.core.settings import HardwareSettings, TrainSettings
from foam_cli.engine.measure import Measurements
from foam_cli.engine.optimizers import Optimizers
from foam_cli.export.facts import ExportFacts
from foam_cli.export.huggingface import export_hf
from foam_cli.growth.context import GrowthContext
from foam_cli.growth.initializers.copy_noise import CopyNoise
from foam_cli.growth.initializers.duplicate import Duplicate
from foam_cli.growth.initializers.gradmax import GradMax
from foam_cli.growth.initializers.split import Split
from foam_cli.growth.signals import PressureTracker
from foam_cli.model.blocks import block_births, growth_detached, insert_block
from foam_cli.model.neurons import growable_ffns, make_growable
from foam_cli.model.sites import find_blocks, find_ffn_sites
from foam_cli.model.surgery import apply

#: Names of the tensors of the FFN in any family, told by eye.
FFN = re.compile(r"\.(mlp|fc1|fc2|ffn)\.")
#: One of every layout; the others, which differ in attention and norms, are slow together.
QUICK = {
    "gpt2",
    "llama-biased",
    "gemma2",
    "phi3",
    "opt",
    "gpt_neox",
    "olmo2",
    "bloom",
}
GROWING = [
    name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
    for name in [*NAMES, *FIXED_WIDTH_NAMES]
]
LR = 1e-3


def tokens(num=16, rows=3):
    return torch.randint(2, 97, (rows, num), generator=torch.Generator().manual_seed(1))


def newborn(ffn, block, seed=0, silent=True):
    """Three random neurons; silent ones have a zero out-column."""
    bank, generator = ffn.bank, torch.Generator().manual_seed(seed)

    def rows(like):
        return None if like is None else 0.3 * torch.randn(3, *like.shape[1:], generator=generator)

    down_GD = rows(bank.down_CD)
    return NeuronBirths(
        block=block,
        up_GD=rows(bank.up_CD),
        gate_GD=rows(bank.gate_CD),
        bias_G=rows(bank.bias_C),
        gate_bias_G=rows(bank.gate_bias_C),
        down_GD=torch.zeros_like(down_GD) if silent else down_GD,
        sources=(None,) * 3,
    )


def grow_neurons(model, silent=True):
    births = tuple(newborn(ffn, i, i, silent) for i, ffn in enumerate(growable_ffns(model)))
    apply(model, GrowthPlan(event=1, step=0, reason="test", neurons=births), 0)


def grow_blocks(model, *after):
    blocks = tuple(BlockBirth(after=index) for index in after)
    apply(model, GrowthPlan(event=2, step=1, reason="test", blocks=blocks), 1)
    return [block for block, birth in zip(find_blocks(model)[1], block_births(model), strict=True) if birth]


def grown(name, dtype=torch.float32):
    """A model with neurons that speak, neurons erased from its core, and a block that has learnt."""
    model = tiny_family(name, dtype)
    make_growable(model, 3)
    grow_neurons(model, silent=False)
    ffns = growable_ffns(model)
    erased = NeuronBirths(
        block=1,
        up_GD=torch.zeros(0, 32),
        gate_GD=None if ffns[1].bank.gate_CD is None else torch.zeros(0, 32),
        bias_G=None if ffns[1].bank.bias_C is None else torch.zeros(0),
        down_GD=torch.zeros(0, 32),
        sources=(),
        recycled=(4, 40),
    )
    apply(model, GrowthPlan(event=2, step=0, reason="test", neurons=(erased,)), 0)
    (block,) = grow_blocks(model, 0)
    with torch.no_grad():
        for parameter in (p for n, p in block.named_parameters() if ".bank." not in n):
            generator = torch.Generator().manual_seed(parameter.numel())
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


@pytest.mark.parametrize("name", GROWING)
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float64, 1e-9), pytest.param(torch.float32, 1e-5, marks=pytest.mark.slow)],
)
def test_growth_of_neurons_and_of_blocks_preserves_the_function(name, dtype, tolerance):
    model = tiny_family(name, dtype)
    before = model(tokens()).logits.detach()
    assert before.abs().max() > 1e-2 and before.dtype == dtype
    make_growable(model, 3)
    grow_neurons(model)
    assert (model(tokens()).logits - before).abs().max() <= tolerance
    grow_blocks(model, 0, 1)
    assert (model(tokens()).logits - before).abs().max() <= tolerance


@pytest.mark.slow
@pytest.mark.parametrize("name", GROWING)
@pytest.mark.parametrize("rule", [Split(alpha=0.25), Duplicate()])
def test_copies_are_like_their_sources_in_every_family(name, rule):
    model = tiny_family(name, torch.float64)
    before = model(tokens()).logits.detach()
    context = GrowthContext(
        step=0, seed=0, ffns=make_growable(model, 3), signals=(), validation_losses=(), block_births=()
    )
    births = tuple(rule.bear(context, block, (3, 40, 7), 1) for block in range(len(context.ffns)))
    apply(model, GrowthPlan(event=1, step=0, reason="test", neurons=births), 0)
    assert (model(tokens()).logits - before).abs().max() <= 1e-5  # banks are fp32


@pytest.mark.parametrize("name", GROWING)
def test_detached_growth_of_a_frozen_core_is_the_base_bit_for_bit(name):
    base = tiny_family(name).requires_grad_(False)
    model = tiny_family(name).requires_grad_(False)
    make_growable(model, 3)
    grow_neurons(model, silent=False)
    for block in grow_blocks(model, 0, 1):
        for parameter in block.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    with growth_detached(model):
        assert torch.equal(model(tokens()).logits, base(tokens()).logits)
    assert (model(tokens()).logits - base(tokens()).logits).abs().max() > 1e-3


@pytest.mark.parametrize("name", GROWING)
def test_a_grown_neuron_adds_what_its_formula_says(name):
    model = tiny_family(name)
    block_input, ffn = [], make_growable(model, 3)[1]
    ffn.register_forward_hook(lambda _, args, output: block_input.append((args, output.clone())))
    grow_neurons(model, silent=False)
    model(tokens())
    (x, *others), y = block_input[0]
    born, act = newborn(ffn, 1, 1, silent=False), ffn.views.activation
    pre = x @ born.up_GD.T + (0 if born.bias_G is None else born.bias_G)
    gate_bias = 0 if born.gate_bias_G is None else born.gate_bias_G
    h = act(pre) if born.gate_GD is None else act(x @ born.gate_GD.T + gate_bias) * pre
    torch.testing.assert_close(y - ffn.core(x, *others), h @ born.down_GD, atol=1e-5, rtol=1e-4)


def settings(parameters):
    train = TrainSettings(
        parameters=parameters, lora=None, steps=100, lr=LR, grown_lr=LR, batch_tokens=64, accumulate=1,
        warmup_steps=0, final_lr_frac=1.0, weight_decay=0.0, beta1=0.9, beta2=0.95, clip_norm=1.0,
        log_every_steps=5, validate_every_steps=None,
    )  # fmt: skip
    hardware = HardwareSettings(
        device="cpu", precision="fp32", optimizer="adamw", threads=1, compile=False, deterministic=False,
        memory_gib=None, nominal_tflops=None,
    )  # fmt: skip
    return train, hardware


def moved_by_a_step(model, optimizers, step=0):
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    model(tokens(), labels=tokens(), use_cache=False).loss.backward()
    optimizers.step(step, {}, lambda _: 1.0)
    return {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}


@pytest.mark.parametrize("name", GROWING)
@pytest.mark.parametrize("parameters", ["grown", "ffn"])
def test_one_step_moves_grown_rows_and_what_shall_train(name, parameters):
    model = tiny_family(name)
    make_growable(model, 3)
    grow_neurons(model)
    fires: dict[int, torch.Tensor] = {}  # a ReLU neuron that no token wakes learns nothing

    def watch(index):
        def note(bank, args, output):
            h_BTC = (
                bank.hidden(args[0]).unflatten(-2, (-1, 16)) if args[0].ndim == 2 else bank.hidden(args[0])
            )
            fires[index] = h_BTC[:, :-1].flatten(0, 1).any(0)  # no loss depends on the last token

        return note

    for index, ffn in enumerate(growable_ffns(model)):
        ffn.bank.register_forward_hook(watch(index))
    moved = moved_by_a_step(model, Optimizers(model, *settings(parameters)))
    # Out-columns are zero at birth, so at first they are all that has a gradient.
    banks = {n for n, _ in model.named_parameters() if n.endswith(".bank.down_CD")}
    cores = {n for n, _ in model.named_parameters() if FFN.search(n) and ".bank." not in n}
    assert len(banks) == len(growable_ffns(model)) and len(cores) >= 2 * len(banks)
    assert moved == (banks | cores if parameters == "ffn" else banks)
    for index, ffn in enumerate(growable_ffns(model)):
        assert 2 <= fires[index].sum() <= 3
        assert torch.equal(ffn.bank.down_CD.any(dim=1), fires[index])
        assert not any(rows[~ffn.bank.live_C].any() for rows in ffn.bank.parameters())


@pytest.mark.parametrize("name", GROWING)
def test_ffn_tensors_are_the_same_ones_without_banks(name):
    model = tiny_family(name)
    moved = moved_by_a_step(model, Optimizers(model, *settings("ffn")))
    assert moved == {n for n, _ in model.named_parameters() if FFN.search(n)}


@pytest.mark.parametrize("name", GROWING)
def test_steps_move_a_new_block_alone_and_softly(name):
    model = tiny_family(name)
    before = model(tokens()).logits.detach()
    optimizers = Optimizers(model, *settings("grown"))
    (block,) = grow_blocks(model, 0)
    optimizers.add_block(block, 1)
    mine = {n for n, p in model.named_parameters() if any(p is other for other in block.parameters())}
    first = moved_by_a_step(model, optimizers)
    assert first and first < mine
    # One step at 1e-3 is a small step: a branch that were zero under an RMSNorm would speak at full size.
    assert (model(tokens()).logits - before).abs().max() <= 0.1 * before.abs().max()
    later = moved_by_a_step(model, optimizers, 1) | moved_by_a_step(model, optimizers, 2)
    assert len(later) > len(first) and later <= mine
    assert {n for n in mine if n.endswith("weight") and FFN.search(n)} <= later


@pytest.mark.parametrize("name", GROWING)
@pytest.mark.parametrize("frozen", [False, True])
def test_neurons_are_measured_and_copied(name, frozen):
    model = tiny_family(name)
    model.requires_grad_(not frozen)
    ffns = make_growable(model, 3)
    grow_neurons(model)
    tracker = PressureTracker(ffns, every_steps=1, pressure_decay=0.0, activity_decay=0.0)
    with tracker.watch(0):
        model(tokens(), labels=tokens(), use_cache=False).loss.backward()
    context = GrowthContext(
        step=0, seed=0, ffns=ffns, signals=tracker.signals, validation_losses=(), block_births=()
    )
    views, signals = ffns[1].views, tracker.signals[1]
    width = views.width
    alive_N = torch.arange(width + 64) < width + 3
    assert not signals.mean_abs_N[~alive_N].any() and signals.mean_abs_N[:width].any()
    if not frozen:  # the norm of what belongs to a neuron, gate and up together
        grads = [p.grad for p, _ in views.neuron_parameters() if p.ndim == 2][:-1]
        rows = [g.T if views.layout.transposed else g for g in grads]
        square_F = sum(part.square().sum(1) for g in rows for part in g.split(width))
        torch.testing.assert_close(signals.pressure_N[:width], square_F.sqrt(), rtol=1e-4, atol=1e-8)
    born = CopyNoise(noise_frac=0.1, num_neighbours=8).bear(context, 1, (4, 40, width + 1), event=1)
    before = model(tokens()).logits
    apply(model, GrowthPlan(event=2, step=0, reason="test", neurons=(born,)), 0)
    assert (model(tokens()).logits - before).abs().max() <= 1e-5


def facts(probe_BT):
    return ExportFacts(
        source="tiny", command="foam train", seed=0, versions={}, metrics={}, intervals={}, history=[],
        probe_BT=probe_BT, tolerance=1e-4,
    )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_an_export_is_the_running_model_with_and_without_a_cache(name, tmp_path):
    model = grown(name)
    running = copy.deepcopy(model)
    export_hf(model, byte_tokenizer(), tmp_path / "out", facts(tokens()))
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "out", trust_remote_code=False)
    assert type(loaded) is type(model)
    assert loaded.config.num_hidden_layers == len(find_blocks(running)[1])
    with torch.no_grad():
        difference = (loaded(tokens()).logits - running(tokens()).logits).abs().max()
    assert difference <= 1e-4
    assert (loaded.lm_head if hasattr(loaded, "lm_head") else loaded.embed_out).weight.shape[0] == 97
    tied = loaded.get_output_embeddings().weight is loaded.get_input_embeddings().weight
    assert tied == running.config.tie_word_embeddings
    prompt = expected = tokens(12, 1)  # longer than the sliding windows
    for _ in range(8):
        with torch.no_grad():
            following = running(expected, use_cache=False).logits[:, -1].argmax(-1, keepdim=True)
        expected = torch.cat([expected, following], dim=1)
    for one in (loaded, running):
        out = one.generate(
            prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=8, do_sample=False,
            use_cache=True, eos_token_id=None, pad_token_id=0,
        )  # fmt: skip
        assert out.tolist() == expected.tolist()


@pytest.mark.parametrize("name", FIXED_WIDTH_NAMES)
def test_an_ffn_that_adds_the_residual_stream_itself_is_measured_like_others(name):
    """GradMax knows the gradient of its newborns beforehand, so what it was shown must be right."""
    model = tiny_family(name)
    ffns = make_growable(model, 3)

    def loss():
        return model(tokens(), labels=tokens(), use_cache=False).loss

    measure = Measurements(model, lambda pool: [loss])
    context = GrowthContext(
        step=0, seed=0, ffns=ffns, signals=(), validation_losses=(), block_births=(None,) * 2, measure=measure
    )
    births = GradMax(column_frac=0.5, num_candidates=8).bear(context, 1, (0, 1, 2), event=1)
    whole = measure.loss_with((births,))
    assert whole == pytest.approx(loss().item(), abs=1e-6)
    sample = measure.ffn_samples("new")[1]
    sigma = torch.linalg.svdvals(sample.g_TD.T @ sample.x_TD)[:3]
    apply(model, GrowthPlan(event=1, step=0, reason="test", neurons=(births,)), 0)
    loss().backward()
    c = 0.5 * ffns[1].views.down_FD.norm(dim=1).mean()
    found = ffns[1].bank.up_CD.grad[:3].norm()
    torch.testing.assert_close(found, 0.5 * c * sigma.norm(), rtol=1e-4, atol=0)


@pytest.mark.parametrize("name", FIXED_WIDTH_NAMES)
def test_where_a_config_has_no_width_blocks_are_exported_and_neurons_are_refused(name, tmp_path):
    model = tiny_family(name)
    make_growable(model, 3)
    for parameter in grow_blocks(model, 0)[0].parameters():
        if parameter.ndim == 2 and parameter.shape[0] != 64:
            torch.nn.init.normal_(parameter, std=0.1)
    expected = model(tokens()).logits.detach()
    export_hf(model, byte_tokenizer(), tmp_path / "out", facts(tokens()))
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert loaded.config.num_hidden_layers == 3
    assert (loaded(tokens()).logits - expected).abs().max() <= 1e-5
    grow_neurons(model, silent=False)
    with pytest.raises(ExportError, match=r"131 instead of 128 neurons.*export\.format=delta"):
        export_hf(model, byte_tokenizer(), tmp_path / "again", facts(tokens()))


def test_both_kinds_of_embeddings_are_among_the_families():
    kinds = {tiny_family(name).config.tie_word_embeddings for name in ("qwen2", "qwen2-untied")}
    assert kinds == {True, False}


@pytest.mark.parametrize("config", [MixtralConfig, Qwen2MoeConfig])
def test_a_mixture_of_experts_is_refused_by_name(config):
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config(num_hidden_layers=2))
    with pytest.raises(ModelError, match=r"model\.layers\.0 .*mixture of experts.*cannot be grown"):
        find_ffn_sites(model)


def test_an_ffn_that_computes_something_else_is_refused():
    model = tiny_family("llama")
    mlp = find_ffn_sites(model)[1].views.module
    mlp.forward = lambda x: mlp.down_proj(torch.tanh(mlp.act_fn(mlp.gate_proj(x)) * mlp.up_proj(x)))
    with pytest.raises(ModelError, match=r"model\.layers\.1\.mlp .*computes something else"):
        make_growable(model, 3)
    assert not growable_ffns(model)


@pytest.mark.parametrize(
    ("name", "changes", "why"),
    [
        ("opt", {"do_layer_norm_before": False}, "cannot be the identity"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, r"block 1 .*attn\.scaling depends"),
        ("gpt_neo", {"attention_types": [[["global", "local"], 1]]}, "cannot be built .* with 3 blocks"),
    ],
)
def test_a_block_that_cannot_be_inserted_exactly_is_refused_and_nothing_changes(name, changes, why):
    model = tiny_family(name, **changes)
    before, blocks = model(tokens()).logits.detach(), list(find_blocks(model)[1])
    with pytest.raises(ModelError, match=why):
        insert_block(model, 0, 1)
    assert list(find_blocks(model)[1]) == blocks and model.config.num_hidden_layers == 2
    assert torch.equal(model(tokens()).logits, before)
    make_growable(model, 3)  # neurons can still grow
    grow_neurons(model)
    assert torch.equal(model(tokens()).logits, before)
