"""`foam eval lm_eval`: the harness asks, foam answers; data and task files are local."""

import json
import sys

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # the harness's own warnings

QUESTIONS = [
    {"q": f"{n} and {n} make", "choices": ["a pair", "none", f"{2 * n}"], "gold": 2} for n in range(8)
]
SHARED = """
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}, cache_dir: {cache}}}
test_split: test
doc_to_text: "{{{{q}}}}"
"""
CHOICE = """task: local_choice
output_type: multiple_choice
doc_to_target: gold
doc_to_choice: "{{{{choices}}}}"
metric_list: [{{metric: acc}}, {{metric: acc_norm}}]
"""
WRITTEN = """task: local_written
output_type: generate_until
doc_to_target: "{{{{choices[2]}}}}"
generation_kwargs: {{until: ["e", "\\n"], max_gen_toks: 12, do_sample: false}}
metric_list: [{{metric: exact_match}}]
"""
ROLLING = """task: local_rolling
output_type: loglikelihood_rolling
doc_to_target: "{{{{q}}}}"
metric_list: [{{metric: word_perplexity}}, {{metric: bits_per_byte}}]
"""


@pytest.fixture
def tasks(tmp_path):
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps(question) + "\n" for question in QUESTIONS))
    folder = tmp_path / "tasks"
    folder.mkdir()
    for name, text in (("choice", CHOICE), ("written", WRITTEN), ("rolling", ROLLING)):
        (folder / f"{name}.yaml").write_text((text + SHARED).format(file=file, cache=tmp_path / "cache"))
    return folder


def test_tasks_agree_with_the_harness_model(foam, tasks, tiny_folder):
    lm_eval = pytest.importorskip("lm_eval", reason="the extra lm-eval is not installed")
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    names = ["local_choice", "local_written", "local_rolling"]
    said = foam(
        "eval", "lm_eval", f"tasks=[{','.join(names)},no_such_task]",
        f"evaluation.lm_eval.include_path={tasks}",
        str(tiny_folder), "hardware=cpu", "output_dir=outputs", "--json",
    )  # fmt: skip
    assert said.code == 1, said.err
    document = json.loads(said.out)
    assert list(document["failed"]) == ["lm_eval/no_such_task"], document["failed"]
    assert "no task 'no_such_task'" in document["failed"]["lm_eval/no_such_task"]
    model = AutoModelForCausalLM.from_pretrained(tiny_folder)
    theirs = lm_eval.simple_evaluate(
        HFLM(
            pretrained=model, tokenizer=AutoTokenizer.from_pretrained(tiny_folder), device="cpu", batch_size=4
        ),
        tasks=names, task_manager=TaskManager(include_path=str(tasks)), bootstrap_iters=0,
    )  # fmt: skip
    for task in names:
        ours = {key for key in document["metrics"] if key.startswith(f"lm_eval/{task}/")}
        assert len(ours) == (1 if task == "local_written" else 2)
        numbers = {key.split(",")[0]: value for key, value in theirs["results"][task].items()}
        for key in ours:
            assert document["metrics"][key] == pytest.approx(numbers[key.rpartition("/")[2]], rel=1e-5)
    replies = [sample["filtered_resps"][0] for sample in theirs["samples"]["local_written"]]
    (folder,) = (tasks.parent / "outputs" / "eval").glob("tiny-*")
    rows = [json.loads(line) for line in (folder / "lm_eval/local_written.jsonl").read_text().splitlines()]
    assert [row["answer"] for row in rows] == replies
    assert torch.is_grad_enabled()


def test_without_the_extra_it_says_how_to_get_it(foam, tiny_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    said = foam("eval", "lm_eval", "tasks=[arc_easy]", str(tiny_folder), "hardware=cpu")
    assert said.code == 2
    assert "pip install 'foam-cli[lm-eval]'" in said.err


def test_tasks_without_lm_eval_mean_nothing(foam, tiny_folder):
    said = foam("eval", "science", "tasks=[arc_easy]", str(tiny_folder))
    assert said.code == 2 and "foam eval lm_eval tasks=[arc_easy]" in said.err
