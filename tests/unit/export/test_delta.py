"""A growth delta: small, refused on the wrong base, switched off at run time, and stackable."""

import subprocess
import sys

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_families import tiny_family

import foam_cli
from foam_cli.core.errors import ExportError, ModelError
from foam_cli.core.growth import GrowthPlan, NeuronBirths
from foam_cli.export.facts import ExportFacts
from foam_cli.model.blocks import insert_block
from foam_cli.model.neurons import growable_ffns, make_growable
from foam_cli.model.surgery import apply

FAMILIES = ("gpt2", "qwen2", "qwen2-untied", "opt", "phi3", "gemma2", "llama-biased", "bloom", "mpt")


def tokens():
    return torch.randint(2, 97, (3, 12), generator=torch.Generator().manual_seed(1))


def facts(**changes):
    known = {
        "source": "someone/base", "command": "foam train seed=3", "seed": 3, "versions": {}, "metrics": {},
        "intervals": {}, "history": [{"event": 1}], "probe_BT": tokens(), "tolerance": 1e-5,
    }  # fmt: skip
    return ExportFacts(**{**known, **changes})


def logits(model):
    with torch.no_grad():
        return model(tokens(), use_cache=False).logits


def grown(name="llama", seed=5, num=3, blocks=(0,), dtype=torch.float32):
    """Random neurons in every block, blocks inserted among them with weights of their own."""
    model = tiny_family(name, dtype)
    make_growable(model, num)
    generator = torch.Generator().manual_seed(seed)
    for after in blocks:
        block = insert_block(model, after, 7)
        with torch.no_grad():
            for parameter in (p for n, p in block.named_parameters() if ".bank." not in n):
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    births = []
    for index, ffn in enumerate(growable_ffns(model)):
        rows = [
            None if like is None else 0.3 * torch.randn(num, *like.shape[1:], generator=generator)
            for like in (
                ffn.bank.up_CD,
                ffn.bank.gate_CD,
                ffn.bank.bias_C,
                ffn.bank.gate_bias_C,
                ffn.bank.down_CD,
            )
        ]
        births.append(
            NeuronBirths(
                block=index,
                up_GD=rows[0],
                gate_GD=rows[1],
                bias_G=rows[2],
                gate_bias_G=rows[3],
                down_GD=rows[4],
                sources=(None,) * num,
            )
        )
    apply(model, GrowthPlan(event=1, step=3, reason="test", neurons=tuple(births)), 3)
    return model


@pytest.mark.parametrize("name", FAMILIES)
def test_base_plus_delta_is_the_grown_model_and_detached_it_is_the_base(name, tmp_path):
    model, base = grown(name), tiny_family(name)
    report = foam_cli.save_delta(model, tiny_family(name), tmp_path / "growth.safetensors", facts())
    before = logits(base)
    loaded = foam_cli.load_grown(base, tmp_path / "growth.safetensors")
    assert loaded is base
    assert (logits(loaded) - before).abs().max() > 1e-2
    assert (logits(loaded) - logits(model)).abs().max() <= 1e-6
    with foam_cli.growth_detached(loaded):
        assert torch.equal(logits(loaded), before)
    assert (logits(loaded) - logits(model)).abs().max() <= 1e-6
    assert (report.num_blocks, report.num_neurons) == (1, 3 * len(growable_ffns(model)))
    prompt = tokens()[:1]
    cached = loaded.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=4, do_sample=False,
        eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    for _ in range(4):
        with torch.no_grad():
            prompt = torch.cat([prompt, model(prompt, use_cache=False).logits[:, -1:].argmax(-1)], dim=1)
    assert cached.tolist() == prompt.tolist()


def test_only_what_growth_added_is_written(tmp_path):
    model = grown(blocks=())
    report = foam_cli.save_delta(model, tiny_family("llama"), tmp_path / "g.safetensors", facts())
    tensors = load_file(tmp_path / "g.safetensors")
    assert sum(tensor.numel() for tensor in tensors.values()) == 2 * 3 * 3 * 32 == report.num_parameters
    with safe_open(tmp_path / "g.safetensors", framework="pt") as opened:
        assert "someone/base" in opened.metadata()["provenance"]
    assert [file.name for file in tmp_path.iterdir()] == ["g.safetensors"]


def test_a_base_in_a_folder_is_loaded(tiny_folder, tmp_path):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_folder)
    insert_block(model, 1, 3).mlp.down_proj.weight.data.normal_()
    file = tmp_path / "g.safetensors"
    foam_cli.save_delta(model, AutoModelForCausalLM.from_pretrained(tiny_folder), file, facts(tolerance=1e-4))
    loaded = foam_cli.load_grown(tiny_folder, file)
    assert (logits(loaded) - logits(model.eval())).abs().max() <= 1e-5


def test_a_base_in_bf16_is_the_same_base(tmp_path):
    foam_cli.save_delta(grown(), tiny_family("llama"), tmp_path / "g.safetensors", facts())
    loaded = foam_cli.load_grown(tiny_family("llama", torch.bfloat16), tmp_path / "g.safetensors")
    expected = logits(grown())
    assert (logits(loaded).float() - expected).abs().max() <= 0.05 * expected.abs().max()


@pytest.mark.parametrize("other", ["one weight", "another family", "a width"])
def test_the_wrong_base_is_refused_and_left_alone(other, tmp_path):
    foam_cli.save_delta(grown(), tiny_family("llama"), tmp_path / "g.safetensors", facts())
    base = tiny_family("mistral" if other == "another family" else "llama")  # of the very same weights
    if other == "a width":
        base = tiny_family("llama", intermediate_size=64)
    if other == "one weight":
        with torch.no_grad():
            base.model.layers[1].mlp.up_proj.weight[3, 4] += 0.01
    before = logits(base)
    with pytest.raises(ModelError, match="someone/base"):
        foam_cli.load_grown(base, tmp_path / "g.safetensors")
    assert torch.equal(logits(base), before) and not growable_ffns(base)


@pytest.mark.slow
@pytest.mark.parametrize("first_blocks", [(), (0,), (1,), (1, 1)])
def test_two_deltas_of_one_base_stack(first_blocks, tmp_path):
    one, two = grown(seed=1, blocks=first_blocks), grown(seed=2, num=70, blocks=(1, 0))
    foam_cli.save_delta(one, tiny_family("llama"), tmp_path / "1.safetensors", facts())
    foam_cli.save_delta(two, tiny_family("llama"), tmp_path / "2.safetensors", facts())
    base = tiny_family("llama")
    before = logits(base)
    model = foam_cli.load_grown(
        foam_cli.load_grown(base, tmp_path / "1.safetensors"), tmp_path / "2.safetensors"
    )
    assert len(model.model.layers) == 2 + len(first_blocks) + 2
    own = [block.mlp for block in model.model.layers if not hasattr(block, "foam_birth_step")]
    for index, ffn in enumerate(own):  # the sum over neurons: both deltas speak beside the same core
        x = torch.randn(5, 32, generator=torch.Generator().manual_seed(index))
        mine = [
            [b.mlp for b in m.model.layers if not hasattr(b, "foam_birth_step")][index] for m in (one, two)
        ]
        expected = ffn.core(x) + mine[0].bank(x) + mine[1].bank(x)
        torch.testing.assert_close(ffn(x), expected, atol=1e-5, rtol=1e-5)
    with foam_cli.growth_detached(model):
        assert torch.equal(logits(model), before)


@pytest.mark.parametrize("change", ["trained", "recycled"])
def test_a_changed_core_is_refused(change, tmp_path):
    model = grown()
    with torch.no_grad():
        if change == "trained":
            model.model.norm.weight[3] += 0.01
        else:
            nothing = torch.zeros(0, 32)
            births = NeuronBirths(
                block=0,
                up_GD=nothing,
                gate_GD=nothing,
                bias_G=None,
                down_GD=nothing,
                sources=(),
                recycled=(4,),
            )
            apply(model, GrowthPlan(event=2, step=9, reason="test", neurons=(births,)), 9)
    with pytest.raises(ExportError, match="train=grown"):
        foam_cli.save_delta(model, tiny_family("llama"), tmp_path / "g.safetensors", facts())
    assert not list(tmp_path.iterdir())


def test_a_difference_is_refused_and_nothing_is_left(tmp_path):
    model = grown()
    growable_ffns(model)[1].register_forward_hook(lambda _module, _inputs, output: 1.05 * output)
    with pytest.raises(ExportError, match="differs from the running model"):
        foam_cli.save_delta(model, tiny_family("llama"), tmp_path / "g.safetensors", facts())
    assert not list(tmp_path.iterdir())


def test_damaged_and_foreign_files_are_refused(tmp_path):
    file = tmp_path / "g.safetensors"
    foam_cli.save_delta(grown(), tiny_family("llama"), file, facts())
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelError, match="damaged"):
        foam_cli.load_grown(tiny_family("llama"), file)
    save_file({"a": torch.zeros(2)}, file)
    with pytest.raises(ModelError, match="no growth delta"):
        foam_cli.load_grown(tiny_family("llama"), file)
    with pytest.raises(ExportError, match="will not be overwritten"):
        foam_cli.save_delta(grown(), tiny_family("llama"), file, facts())
    with pytest.raises(ModelError, match="cannot be read"):
        foam_cli.load_grown(tiny_family("llama"), tmp_path / "absent.safetensors")


@pytest.mark.slow
def test_public_names_are_there_and_do_not_import_torch():
    code = (
        "import sys, foam_cli, foam_cli.cli.main; assert 'torch' not in sys.modules; "
        "assert 'load_grown' in dir(foam_cli); foam_cli.load_grown; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="absent"):
        foam_cli.absent  # noqa: B018
