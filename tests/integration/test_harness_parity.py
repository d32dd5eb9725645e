"""The same numbers as lm-evaluation-harness, which runs beside foam on the same models and texts."""

import json
import math
import os
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from foam_cli.evaluation.prompts import encode_pairs, prefix_id
from foam_cli.evaluation.subject import Subject
from foam_cli.evaluation.tasks.arc import Arc
from foam_cli.evaluation.tasks.wikitext import Wikitext, split_pages

pytestmark = [pytest.mark.real, pytest.mark.filterwarnings("ignore")]  # the harness's own

BATCH_TOKENS = 4096


@pytest.fixture(scope="module")
def data() -> Path:
    folder = os.environ.get("FOAM_REAL_DATA")
    if not folder:
        pytest.skip("FOAM_REAL_DATA names no folder")
    return Path(folder)


@pytest.fixture(scope="module")
def harness():
    try:
        import lm_eval
        from lm_eval.models.huggingface import HFLM
    except ImportError:
        pytest.skip("the harness is not installed: pip install 'foam-cli[lm-eval]'")
    assert lm_eval is not None
    return HFLM


@pytest.fixture(scope="module")
def subject(data) -> Subject:
    folder = data / "models" / "stories260K"
    return Subject(
        model=AutoModelForCausalLM.from_pretrained(folder).eval(),
        tokenizer=AutoTokenizer.from_pretrained(folder),
        max_length=512,
        batch_tokens=BATCH_TOKENS,
    )


@pytest.fixture(scope="module")
def hflm(harness, subject):
    return harness(
        pretrained=subject.model, tokenizer=subject.tokenizer, batch_size=16, max_length=512, device="cpu"
    )


def run(hflm, config: dict, limit: int | None) -> dict:
    """One task of the harness, its data read from a local file."""
    import lm_eval
    from lm_eval.api.task import ConfigurableTask

    found = lm_eval.simple_evaluate(
        hflm, tasks=[ConfigurableTask(config=config)], limit=limit, log_samples=True, bootstrap_iters=0
    )
    assert found is not None
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("subset", "task"), [("Easy", "arc_easy"), ("Challenge", "arc_challenge")])
def test_arc_choice_by_choice(subject, hflm, data, tmp_path, subset, task):
    file = data / "arc" / f"ARC-{subset}-validation.jsonl"
    import lm_eval
    import yaml

    official = Path(lm_eval.__file__).parent / "tasks" / "arc" / "arc_easy.yaml"  # the other set includes it
    local = {
        "task": task,
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {"test": str(file)}, "cache_dir": str(tmp_path)},
        "training_split": None,
        "validation_split": None,
    }
    theirs = run(hflm, {**yaml.safe_load(official.read_text()), **local}, limit=100)
    samples = {sample["doc"]["id"]: sample for sample in theirs["samples"][task]}
    ours = Arc(subset=subset, path=data / "arc", split="validation", num_items=None).run(subject, None)
    rows = {row["id"]: row for row in ours.items}
    assert len(samples) == 100
    for name, sample in samples.items():
        logprobs = [score for score, _ in sample["filtered_resps"]]
        assert rows[name]["logprobs"] == pytest.approx(logprobs, abs=1e-4)
        assert rows[name]["logprobs"].index(max(rows[name]["logprobs"])) == logprobs.index(max(logprobs))
        assert (rows[name]["correct"], rows[name]["correct_norm"]) == (sample["acc"], sample["acc_norm"])


@pytest.mark.slow
def test_wikitext_word_perplexity(subject, hflm, data):
    from lm_eval.tasks.wikitext.preprocess_wikitext import process_results, wikitext_detokenizer

    path = data / "wikitext2" / "wiki.valid.tokens"
    ours = Wikitext(path=path, num_items=6).run(subject, None)
    pages = split_pages(path.read_text())[::10]
    from lm_eval.api.instance import Instance

    requests = [
        Instance(
            request_type="loglikelihood_rolling",
            doc={"page": page},
            arguments=(wikitext_detokenizer({"page": page}),),
            idx=0,
        )
        for page in pages
    ]
    loglikelihoods = hflm.loglikelihood_rolling(requests, disable_tqdm=True)
    for metric in ("word_perplexity", "byte_perplexity"):
        parts = [
            process_results({"page": page}, [loglikelihood])[metric]
            for page, loglikelihood in zip(pages, loglikelihoods, strict=True)
        ]
        total, units = sum(part[0] for part in parts), sum(part[1] for part in parts)
        assert ours.metrics[metric].value == pytest.approx(math.exp(-total / units), rel=1e-6)


CHOICES = ["a plant", " two words", "12", "\u00e9t\u00e9 \u2603", "\nnew line", "", "  ", "don't", "A."]
CONTEXTS = ["Question: what?\nAnswer:", "ends with space ", "two  ", "\u4f60\u597d", "x", "tab\t", "a\n\n"]


@pytest.mark.parametrize("name", ["tokenizers/gpt2", "tokenizers/qwen2.5", "models/stories260K"])
@pytest.mark.parametrize("with_bos", [False, True])
def test_pairs_are_cut_where_the_harness_cuts_them(data, harness, name, with_bos):
    """Byte-level, byte-level with another splitting, and one with a marker for leading space."""
    tokenizer = AutoTokenizer.from_pretrained(data / name)
    tokenizer.eos_token = tokenizer.eos_token or "<|endoftext|>"  # GPT-2's files alone name none
    lm = harness.__new__(harness)  # only what tokenizes: no model is needed for it
    lm.tokenizer, lm.backend = tokenizer, "causal"
    lm.custom_prefix_token_id, lm.add_bos_token = None, None
    if with_bos:
        tokenizer = _with_bos(tokenizer)
        lm.tokenizer = tokenizer
    file = data / "arc" / "ARC-Challenge-validation.jsonl"
    questions = [json.loads(line) for line in file.read_text().splitlines()[:40]]
    pairs = [(context, after) for context in CONTEXTS for after in CHOICES]
    pairs += [
        (f"Question: {q['question']}\nAnswer:", f" {c}") for q in questions for c in q["choices"]["text"]
    ]
    for (context, after), (left, right) in zip(pairs, encode_pairs(tokenizer, pairs), strict=True):
        their_left, their_right = lm._encode_pair(context, after)
        assert (left, right) == (their_left or [prefix_id(tokenizer)], their_right), (context, after)
        assert with_bos is False or left[0] == tokenizer.bos_token_id


def _with_bos(tokenizer):
    """The same tokenizer, made to write BOS before every text."""
    from tokenizers.processors import TemplateProcessing

    tokenizer.bos_token = tokenizer.bos_token or tokenizer.eos_token
    bos = tokenizer.bos_token
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, tokenizer.bos_token_id)]
    )
    return tokenizer
