"""What is said when a model cannot be loaded."""

import json
import shutil

import pytest
import torch

from foam_cli.core.errors import ModelError
from foam_cli.core.settings import ModelSettings
from foam_cli.model.blueprint import config_of
from foam_cli.model.loading import load_base, weights_dtype


def settings(path, revision=None, init="pretrained"):
    return ModelSettings(path=str(path), revision=revision, init=init, intermediate_size=None)


@pytest.fixture
def copy(tiny_folder, tmp_path):
    return shutil.copytree(tiny_folder, tmp_path / "copy")


def test_a_folder_is_loaded(tiny_folder):
    base = load_base(settings(tiny_folder), dtype=torch.bfloat16)
    assert base.model.dtype == torch.bfloat16 and not base.model.training
    assert base.max_length == json.loads((tiny_folder / "config.json").read_text())["max_position_embeddings"]
    assert base.tokenizer.pad_token is not None


def test_the_hash_is_that_of_the_weights(tiny_folder, copy):
    assert load_base(settings(tiny_folder)).sha256 == load_base(settings(copy)).sha256
    model = load_base(settings(copy)).model
    next(model.parameters()).data[0] += 1
    model.save_pretrained(copy)
    assert load_base(settings(tiny_folder)).sha256 != load_base(settings(copy)).sha256


def test_random_weights_follow_from_the_seed_alone(tiny_folder):
    def weights(seed):
        torch.rand(3)
        model = load_base(settings(tiny_folder, init="random"), seed=seed).model
        return torch.cat([parameter.flatten() for parameter in model.parameters()])

    before = torch.get_rng_state()
    one = load_base(settings(tiny_folder, init="random"), seed=1).model
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(weights(1), weights(1)) and not torch.equal(weights(1), weights(2))
    assert not torch.equal(next(one.parameters()), next(load_base(settings(tiny_folder)).model.parameters()))


def damage(folder, how):
    if how == "no config":
        (folder / "config.json").unlink()
    elif how == "no weights":
        (folder / "model.safetensors").unlink()
    elif how == "cut weights":
        weights = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    elif how == "unknown type":
        (folder / "config.json").write_text('{"model_type": "nothing_like_it"}', encoding="utf-8")
    elif how == "other shapes":
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 7}), encoding="utf-8")


@pytest.mark.parametrize("how", ["no config", "no weights", "cut weights", "unknown type", "other shapes"])
def test_a_folder_that_cannot_be_read_is_named(how, copy):
    damage(copy, how)
    with pytest.raises(ModelError, match=f"model.path={copy}: ") as caught:
        load_base(settings(copy))
    assert "\n" not in str(caught.value) and "from the hub" not in str(caught.value)


@pytest.mark.parametrize("path", ["/no/such/folder", "./folder", "~/no/such/folder", "one_word", "a/b/c"])
def test_a_folder_that_is_not_there(path):
    with pytest.raises(ModelError, match="no such folder"):
        load_base(settings(path))


def test_a_builtin_model_that_is_not_there():
    with pytest.raises(ModelError, match=r"builtin:mega: the package has no such model"):
        load_base(settings("builtin:mega"))


def test_a_hub_model_without_a_network_says_how_to_do_without(monkeypatch):
    def unreachable(*args, **kwargs):
        raise OSError("We couldn't connect to 'https://huggingface.co'.\nCheck your connection.")

    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", unreachable)
    with pytest.raises(ModelError) as caught:
        load_base(settings("some/model", revision="abc"))
    said = str(caught.value)
    assert "some/model (revision abc)" in said and "couldn't connect" in said and "model.path=DIR" in said
    assert "\n" not in said


def test_precision_decides_the_dtype_of_the_weights():
    assert [weights_dtype(name) for name in ("fp32", "bf16_autocast", "bf16")] == [
        torch.float32, torch.float32, torch.bfloat16,
    ]  # fmt: skip


def test_random_weights_may_have_another_width(tiny_folder):
    wide = ModelSettings(path=str(tiny_folder), revision=None, init="random", intermediate_size=48)
    base, plain = load_base(wide), load_base(settings(tiny_folder, init="random"))
    sizes = [sum(one.numel() for one in loaded.model.parameters()) for loaded in (base, plain)]
    assert sizes[0] - sizes[1] == 2 * 16 * 3 * 16  # two blocks, 16 neurons more, three rows of 16
    assert base.sha256 != plain.sha256
    assert config_of(wide).intermediate_size == base.model.config.intermediate_size == 48


def test_pretrained_weights_have_the_width_that_they_have(tiny_folder):
    with pytest.raises(ValueError, match=r"model\.init=random"):
        ModelSettings(path=str(tiny_folder), revision=None, init="pretrained", intermediate_size=48)
