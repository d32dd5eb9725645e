"""Whatever goes wrong is said in one message, with the right exit code, and loses nothing."""

import errno
import fcntl
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from foam_cli.core.errors import ConfigError
from foam_cli.engine import checkpoint, loop

USAGE, FAILURE = 2, 1


def is_one_message(said, code, *fragments):
    assert said.code == code, said
    assert said.err.count("error: ") == 1 and "Traceback" not in said.err + said.out
    message = " ".join(said.err.partition("error: ")[2].split())
    for fragment in fragments:
        assert fragment in message
    return message


def lines(*rows):
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


def chat(question, answer):
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (["train", "train.stepz=5"], ["train.stepz", "Did you mean 'steps'?"]),
        (["train", "+train.stepz=5"], ["train.stepz", "Did you mean 'steps'?"]),
        (["train", "train.steps=many"], ["train.steps='many'", "wanted a whole number"]),
        (["train", "train.steps=0"], ["train.steps=0", "must be at least 1"]),
        (["train", "growth=v4"], ["growth=v4", "Did you mean 'v3'?", "Options of growth"]),
        (["train", "train.steps"], ["train.steps", "key=value"]),
        (["train", "train=grown", "growth=none"], ["nothing would be trained"]),
        (["train", "--resume", "nowhere"], ["nowhere", "not a run folder"]),
        (["train", "--resume", "nowhere", "seed=1"], ["seed=1"]),
        (["train", "--resume", "auto"], ["no unfinished run"]),
        (["train", "--config-dir", "nowhere"], ["--config-dir nowhere", "no such folder"]),
        (["train", "growth.trigger._target_=os.system"], ["os.system", "refused"]),
        (["eval", "science"], ["run=DIR", "model.path=DIR"]),
        (["eval", "sience", "model=nano"], ["Did you mean 'science'?"]),
        (["eval", "run=nowhere", "science"], ["nowhere"]),
        (["ablate", "sweeep"], ["Did you mean 'sweep'?"]),
        (["export", "nowhere"], ["nowhere"]),
        (["report", "nowhere"], ["nowhere"]),
    ],
    ids=" ".join,
)
def test_wrong_usage(words, fragments, foam, tmp_path):
    is_one_message(foam(*words), USAGE, *fragments)
    assert not list(tmp_path.rglob("*"))  # nothing was begun


@pytest.mark.parametrize("words", [["tarin"], ["train", "--nothing"], ["export"]])
def test_unknown_commands_and_options(words, foam):
    said = foam(*words)
    assert said.code == USAGE and "Usage: foam" in said.err and "Traceback" not in said.err


def test_an_unknown_format(foam):
    is_one_message(foam("export", "somewhere", "format=zip"), USAGE, "format=zip", "hf, delta")


def test_debug_shows_the_traceback(foam):
    with pytest.raises(ConfigError, match="Did you mean 'v3'"):
        foam("train", "growth=v4", "--debug")


def test_json_keeps_stdout_clean(foam):
    said = foam("train", "growth=v4", "--json")
    assert said.out == "" and said.code == USAGE


# ---------------------------------------------------------------- data


def test_a_missing_file(foam, small):
    is_one_message(
        foam("train", *small, "data.path=gone/*.jsonl"), FAILURE, "data.path=gone/*.jsonl", "no such"
    )


def test_a_line_that_is_not_json(foam, small, tmp_path):
    (tmp_path / "bad.jsonl").write_text(lines(chat("a", "b"), "{oops}", chat("c", "d")), encoding="utf-8")
    is_one_message(foam("train", *small, "data.path=bad.jsonl"), FAILURE, "bad.jsonl, line 2", "not JSON")


def test_a_long_example_is_truncated_and_counted(foam, small, tmp_path):
    (tmp_path / "long.jsonl").write_text(lines(*[chat("a", "b" * 200)] * 3), encoding="utf-8")
    said = foam("train", *small, "data.path=long.jsonl", "data.max_length=64", "train.steps=1")
    assert said.code == 0 and "2 truncated" in said.out


def test_a_long_example_without_a_target_is_an_error(foam, small, tmp_path):
    (tmp_path / "long.jsonl").write_text(lines(*[chat("a" * 200, "b")] * 3), encoding="utf-8")
    said = foam("train", *small, "data.path=long.jsonl", "data.max_length=64")
    is_one_message(said, FAILURE, "long.jsonl, line", "no token to learn", "data.max_length")


@pytest.mark.parametrize(
    ("words", "helps", "does_not"),
    [
        (["data=files", "data.max_length=64"], ["Raise data.max_length", "skip_untrainable=true"], "a model"),
        (["data=files", "data.max_length=2048"], ["Choose a model", "skip_untrainable=true"], "max_length"),
        (["data=nanoworld", "data.max_length=8"], ["Raise data.max_length."], "skip_untrainable"),
        (["data=skills", "data.max_length=9999"], ["Choose a model that reads longer texts."], "data."),
    ],
    ids=" ".join,
)
def test_only_what_helps_is_advised_where_there_is_no_target(words, helps, does_not, foam, small, tmp_path):
    question = "a" * 2000
    (tmp_path / "long.jsonl").write_text(lines(*[chat(question, "b")] * 3), encoding="utf-8")
    plain = [one for one in small if not one.startswith("data.path=")]
    more = ["data.path=long.jsonl"] if "data=files" in words else ["data.num_examples=20"]
    said = foam("train", *plain, *words, *more, "replay=none")
    message = is_one_message(said, FAILURE, "no token to learn", *helps)
    assert does_not not in message.partition("tokens.")[2]


# ---------------------------------------------------------------- models


def test_a_model_that_is_not_there(foam, small):
    is_one_message(foam("train", *small, "model.path=./gone"), FAILURE, "model.path=./gone", "no such folder")


def test_a_hub_model_without_a_network(foam, small, monkeypatch):
    def unreachable(*args, **kwargs):
        raise OSError("We couldn't connect to 'https://huggingface.co' to load the files.\nMore words.")

    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", unreachable)
    said = foam("train", *[word for word in small if "model.path" not in word], "model=gpt2")
    is_one_message(said, FAILURE, "openai-community/gpt2", "couldn't connect", "model.path=DIR")


def test_a_model_whose_feed_forward_layers_are_not_understood(foam, small, tiny_folder, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer, MambaConfig

    config = MambaConfig(vocab_size=300, hidden_size=8, state_size=4, num_hidden_layers=2, time_step_rank=2)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "mamba")
    AutoTokenizer.from_pretrained(tiny_folder).save_pretrained(tmp_path / "mamba")
    said = foam("train", *small, "model.path=mamba", "data.max_length=32")
    is_one_message(said, FAILURE, "backbone.layers.0", "An adapter", "out-projection", "activation")


# ---------------------------------------------------------------- the run itself


def newest_run(tmp_path):
    (folder,) = (path.parent for path in tmp_path.glob("outputs/*/*/*/config.yaml"))
    return folder


def status(folder):
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))["status"]


@pytest.mark.slow
def test_a_full_disk_leaves_the_earlier_checkpoint_whole(foam, small, tmp_path, monkeypatch):
    saved = []

    def fills_up(tensors, file):
        saved.append(file)
        if len(saved) > 4:  # three files a checkpoint: the second one breaks off in the middle
            raise OSError(errno.ENOSPC, "No space left on device", str(file))
        save_file(tensors, file)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", fills_up)
        said = foam("train", *small)
    folder = newest_run(tmp_path)
    is_one_message(said, FAILURE, "No space left on device", f"--resume {folder.relative_to(tmp_path)}")
    assert [one.name for one in (folder / "checkpoints").iterdir()] == ["step_00000002"]
    assert checkpoint.damage(folder / "checkpoints" / "step_00000002") is None and status(folder) == "failed"
    assert foam("train", "--resume", folder).code == 0 and status(folder) == "finished"


def test_a_folder_in_use(foam, small, tmp_path):
    assert foam("train", *small, "train.steps=2").code == 0
    folder = newest_run(tmp_path)
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    with (folder / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        is_one_message(
            foam("train", "--resume", folder), FAILURE, str(folder), "another run is writing there"
        )
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_an_output_folder_that_cannot_be_made(foam, small, tmp_path):
    (tmp_path / "outputs").write_text("a file", encoding="utf-8")
    is_one_message(foam("train", *small), FAILURE, "outputs", "output_dir")


def test_a_gradient_that_is_not_a_number_is_never_applied(foam, small, tmp_path, monkeypatch):
    seen = {}

    def poisoned(*given, real=loop.forward_backward):
        one, loss = given[0], real(*given)
        seen["steps"] = seen.get("steps", 0) + 1
        if seen["steps"] == 4:
            seen["model"] = one.model
            seen["weights"] = {name: value.clone() for name, value in one.model.state_dict().items()}
            next(p for p in one.model.parameters() if p.grad is not None).grad.view(-1)[0] = torch.nan
        return loss

    monkeypatch.setattr(loop, "forward_backward", poisoned)
    said = foam("train", *small)
    is_one_message(said, FAILURE, "step 4", "the step was not taken", "example ", "train.lr")
    after = seen["model"].state_dict()
    assert all(torch.equal(after[name], value) for name, value in seen["weights"].items())
    folder = newest_run(tmp_path)
    assert checkpoint.damage(folder / "checkpoints" / "step_00000002") is None and status(folder) == "failed"


def test_weights_that_are_not_numbers_stop_the_first_step(foam, small, tiny_folder, tmp_path):
    broken = shutil.copytree(tiny_folder, tmp_path / "broken")
    tensors = load_file(broken / "model.safetensors")
    next(iter(tensors.values())).view(-1)[:] = torch.nan
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    is_one_message(foam("train", *small, "model.path=broken"), FAILURE, "step 1", "loss is nan", "example ")
