"""An export must be the running model: compared with its logits, never with the exporter's own word."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from foam_cli.core.errors import ExportError
from foam_cli.export.facts import ExportFacts
from foam_cli.export.huggingface import MARKER, export_hf
from foam_cli.model.blocks import insert_block
from foam_cli.model.neurons import growable_ffns, make_growable, num_parameters_in_use

VOCABULARY = 61
WIDTH = 50  # not a multiple of 64, as real widths may be
SHARED = {"vocab_size": VOCABULARY, "hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4}
GATED = SHARED | {"intermediate_size": WIDTH, "num_key_value_heads": 2, "max_position_embeddings": 32}
MODELS = {
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**GATED, tie_word_embeddings=True)),
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**GATED, mlp_bias=True, tie_word_embeddings=False)),
    "gpt2": lambda: GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCABULARY,
            n_embd=24,
            n_layer=3,
            n_head=4,
            n_positions=32,
            n_inner=WIDTH,
            bos_token_id=0,
            eos_token_id=1,
        )
    ),
}
# Per block: live slots, and pretrained neurons that were recycled.
LIVE = ([0, 3, 70], [], list(range(5, 95)))
RECYCLED = ([1, 2, 49], [], [7])
IN_USE = [WIDTH - len(dead) + len(live) for live, dead in zip(LIVE, RECYCLED, strict=True)]  # 50, 50, 139


def probe() -> torch.Tensor:
    return torch.randint(2, VOCABULARY, (3, 11), generator=torch.Generator().manual_seed(5))


def facts(**changes: Any) -> ExportFacts:
    known: dict[str, Any] = {
        "source": "someone/base",
        "command": "foam train seed=3",
        "seed": 3,
        "versions": {"foam": "0.1.0"},
        "metrics": {"base/science/acc": 0.99, "final/science/acc": 0.5},
        "intervals": {"final/science/acc": [0.4, 0.6, 100]},
        "history": [
            {"event": 1, "step": 200, "reason": "pressure", "born": {"0": 3}, "parameters_before": 10}
        ],
        "probe_BT": probe(),
        "tolerance": 1e-4,
    }
    return ExportFacts(**(known | changes))


def grown(kind: str) -> Any:
    """A model with random neurons in random slots, and with neurons erased from its core."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = MODELS[kind]()
        ffns = make_growable(model, 128)
        with torch.no_grad():
            for parameter in model.parameters():  # biases are zero at birth: make them matter
                parameter.add_(0.02 * torch.randn_like(parameter))
            for ffn, live, dead in zip(ffns, LIVE, RECYCLED, strict=True):
                for rows in ffn.bank.parameters():
                    rows.zero_()
                    rows[live] = 0.3 * torch.randn(len(live), *rows.shape[1:])
                ffn.bank.live_C[live] = True
                ffn.bank.recount()
                for parameter, dim in ffn.views.neuron_parameters():
                    parameter.index_fill_(dim, torch.tensor(dead, dtype=torch.long), 0)
                ffn.core_live_F[dead] = False
    return model.train()


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    words = {"<unk>": 0, "<end>": 1} | {f"w{index}": index for index in range(2, VOCABULARY)}
    backend = Tokenizer(WordLevel(words, unk_token="<unk>"))
    backend.pre_tokenizer = Whitespace()
    wrapped = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", eos_token="<end>")
    wrapped.chat_template = "{% for m in messages %}{{ m['content'] }} {% endfor %}"
    return wrapped


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return copy.deepcopy(model).eval()(input_ids=probe()).logits


@pytest.mark.parametrize("kind", MODELS)
def test_plain_transformers_loads_the_running_model(kind: str, tokenizer: Any, tmp_path: Path):
    model = grown(kind)
    report = export_hf(model, tokenizer, tmp_path / "out", facts())
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "out", trust_remote_code=False)
    assert type(loaded) is type(model)
    difference = (loaded.eval()(input_ids=probe()).logits - logits(model)).abs().max().item()
    assert difference < 1e-5
    assert report.max_abs_dlogits == pytest.approx(difference, abs=2e-6)
    assert (report.width, report.num_neurons) == (192, IN_USE)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["n_inner" if kind == "gpt2" else "intermediate_size"] == 192
    assert "auto_map" not in config
    assert not list((tmp_path / "out").glob("*.py"))


@pytest.mark.parametrize("kind", MODELS)
def test_growth_matters_to_the_comparison(kind: str, tokenizer: Any, tmp_path: Path):
    model = grown(kind)
    before = logits(model)
    with torch.no_grad():
        for ffn in growable_ffns(model):
            ffn.bank.down_CD.zero_()
    assert (logits(model) - before).abs().max() > 1e-2


@pytest.mark.parametrize("kind", MODELS)
def test_neurons_in_use_and_nothing_else_are_written(kind: str, tokenizer: Any, tmp_path: Path):
    model = grown(kind)
    report = export_hf(model, tokenizer, tmp_path / "out", facts())
    tensors = load_file(tmp_path / "out" / "model.safetensors")
    name = "transformer.h.{}.mlp.c_proj.weight" if kind == "gpt2" else "model.layers.{}.mlp.down_proj.weight"
    for block, in_use in enumerate(IN_USE):
        down_WD = tensors[name.format(block)] if kind == "gpt2" else tensors[name.format(block)].T
        alive_W = down_WD.abs().sum(1) > 0
        assert alive_W.tolist() == [True] * in_use + [False] * (192 - in_use)
    per_neuron = {"qwen2": 3 * 24, "llama": 3 * 24 + 2, "gpt2": 2 * 24 + 1}[kind]
    padding = sum(192 - in_use for in_use in IN_USE) * per_neuron
    assert report.num_parameters == num_parameters_in_use(model) + padding


@pytest.mark.parametrize("kind", MODELS)
def test_inserted_blocks_are_carried(kind: str, tokenizer: Any, tmp_path: Path):
    model = grown(kind)
    block = insert_block(model, 1, 40)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
        for ffn in growable_ffns(block):
            ffn.bank.erase(range(ffn.bank.capacity))
    report = export_hf(model, tokenizer, tmp_path / "out", facts())
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert loaded.config.num_hidden_layers == report.num_blocks == 4
    assert (loaded.eval()(input_ids=probe()).logits - logits(model)).abs().max() < 1e-5


def test_a_model_that_never_grew_is_exported_too(tokenizer: Any, tmp_path: Path):
    model = MODELS["qwen2"]()
    report = export_hf(model, tokenizer, tmp_path / "out", facts(history=[]))
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert (report.width, report.num_neurons) == (64, [WIDTH] * 3)
    assert (loaded.eval()(input_ids=probe()).logits - logits(model)).abs().max() < 1e-5


def test_tied_embeddings_stay_tied(tokenizer: Any, tmp_path: Path):
    export_hf(grown("qwen2"), tokenizer, tmp_path / "out", facts())
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert loaded.lm_head.weight is loaded.model.embed_tokens.weight
    assert "lm_head.weight" not in load_file(tmp_path / "out" / "model.safetensors")


@pytest.mark.parametrize("kind", MODELS)
def test_generation_continues_as_the_running_model_would(kind: str, tokenizer: Any, tmp_path: Path):
    model = grown(kind)
    export_hf(model, tokenizer, tmp_path / "out", facts())
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    prompt = probe()[:1, :4]
    expected = prompt
    for _ in range(6):  # greedy by hand, without a cache
        with torch.no_grad():
            following = copy.deepcopy(model).eval()(input_ids=expected).logits[:, -1].argmax(-1, keepdim=True)
        expected = torch.cat([expected, following], dim=1)
    mask = torch.ones_like(prompt)
    out = loaded.generate(
        prompt, attention_mask=mask, max_new_tokens=6, do_sample=False, eos_token_id=None, pad_token_id=0
    )
    assert out.tolist() == expected.tolist()


def test_tokenizer_and_chat_template_come_along(tokenizer: Any, tmp_path: Path):
    export_hf(grown("gpt2"), tokenizer, tmp_path / "out", facts())
    loaded = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert loaded("w7 w9")["input_ids"] == [7, 9]
    assert loaded.apply_chat_template([{"role": "user", "content": "w5"}], tokenize=False) == "w5 "


def test_the_running_model_is_left_alone(tokenizer: Any, tmp_path: Path):
    model = grown("qwen2")
    model.config.use_cache = False
    model.model.layers[1].eval()
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    config, randomness = model.config.to_dict(), torch.get_rng_state()
    export_hf(model, tokenizer, tmp_path / "out", facts())
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert model.config.to_dict() == config
    assert torch.equal(torch.get_rng_state(), randomness)
    assert json.loads((tmp_path / "out" / "config.json").read_text())["use_cache"] is True


def test_bf16_weights_are_exported_as_they_compute(tokenizer: Any, tmp_path: Path):
    model = grown("qwen2")
    for name, parameter in model.named_parameters():
        if ".bank." not in name:
            parameter.data = parameter.data.bfloat16()
    export_hf(model, tokenizer, tmp_path / "out", facts())
    tensors = load_file(tmp_path / "out" / "model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.bfloat16}
    bank = growable_ffns(model)[0].bank
    live_DG = tensors["model.layers.0.mlp.down_proj.weight"][:, WIDTH - 3 : WIDTH]
    assert torch.equal(live_DG, bank.down_CD[bank.live_C].T.bfloat16())


def test_a_difference_is_refused_and_nothing_is_left(tokenizer: Any, tmp_path: Path):
    model = grown("gpt2")
    # What the export cannot know of: the running model scales what its second FFN says.
    growable_ffns(model)[1].register_forward_hook(lambda _module, _inputs, output: 1.05 * output)
    with pytest.raises(ExportError, match="differ from the running model's"):
        export_hf(model, tokenizer, tmp_path / "out", facts())
    assert list(tmp_path.iterdir()) == []


def test_logits_that_are_not_numbers_are_refused(tokenizer: Any, tmp_path: Path):
    model = grown("llama")
    with torch.no_grad():
        model.lm_head.weight[0, 0] = torch.nan
    with pytest.raises(ExportError, match="nan"):
        export_hf(model, tokenizer, tmp_path / "out", facts())


@pytest.mark.parametrize("content", [{"thesis.tex": "mine"}, {MARKER: "not json"}, {MARKER: "[]"}])
def test_a_foreign_folder_is_not_overwritten(content: dict[str, str], tokenizer: Any, tmp_path: Path):
    target = tmp_path / "mine"
    target.mkdir()
    for name, text in content.items():
        (target / name).write_text(text)
    with pytest.raises(ExportError, match="mine"):
        export_hf(grown("qwen2"), tokenizer, target, facts())
    assert {file.name: file.read_text() for file in target.iterdir()} == content
    assert [folder.name for folder in tmp_path.iterdir()] == ["mine"]


def test_a_file_is_not_overwritten(tokenizer: Any, tmp_path: Path):
    target = tmp_path / "model.bin"
    target.write_text("precious")
    with pytest.raises(ExportError, match="not a folder"):
        export_hf(grown("qwen2"), tokenizer, target, facts())
    assert target.read_text() == "precious"


def test_an_empty_folder_and_an_older_export_are_replaced(tokenizer: Any, tmp_path: Path):
    target = tmp_path / "out"
    target.mkdir()
    export_hf(grown("qwen2"), tokenizer, target, facts(seed=1))
    (target / "stale.txt").write_text("old")
    export_hf(grown("qwen2"), tokenizer, target, facts(seed=2))
    assert json.loads((target / MARKER).read_text())["seed"] == 2
    assert not (target / "stale.txt").exists()
    assert [folder.name for folder in tmp_path.iterdir()] == ["out"]


class StoppedTokenizer:
    """Stands for whatever ends an export half-way."""

    def __init__(self, error: BaseException):
        self.error = error

    def save_pretrained(self, folder: Path) -> None:
        (folder / "tokenizer.json").write_text("half")
        raise self.error


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), RuntimeError("torn"), OSError(28, "No space left on device")]
)
def test_an_interrupted_export_leaves_the_old_one(error: BaseException, tokenizer: Any, tmp_path: Path):
    target = tmp_path / "out"
    export_hf(grown("qwen2"), tokenizer, target, facts())
    before = {file.name: file.read_bytes() for file in target.iterdir()}
    expected = ExportError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected):
        export_hf(grown("llama"), StoppedTokenizer(error), target, facts())
    assert {file.name: file.read_bytes() for file in target.iterdir()} == before
    assert [folder.name for folder in tmp_path.iterdir()] == ["out"]


def test_the_marker_says_what_was_measured(tokenizer: Any, tmp_path: Path):
    told = facts()
    report = export_hf(grown("gpt2"), tokenizer, tmp_path / "out", told)
    marker = json.loads((tmp_path / "out" / MARKER).read_text())
    assert marker["source"] == "someone/base"
    assert marker["max_abs_dlogits"] == report.max_abs_dlogits <= marker["tolerance"] == 1e-4
    assert marker["growth"] == told.history
    assert marker["versions"] == {"foam": "0.1.0"}


def test_models_with_code_of_their_own_are_refused(tokenizer: Any, tmp_path: Path):
    class Own(Qwen2ForCausalLM):
        pass

    with pytest.raises(ExportError, match="Own comes from"):
        export_hf(Own(Qwen2Config(**GATED)), tokenizer, tmp_path / "out", facts())
