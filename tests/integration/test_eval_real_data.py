"""Published data and a pretrained model; an independent computation beside foam's."""

import json
import math
import os
import re
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from foam_cli.evaluation.subject import Subject
from foam_cli.evaluation.tasks.arc import Arc
from foam_cli.evaluation.tasks.perplexity import Perplexity
from foam_cli.evaluation.tasks.wikitext import Wikitext, detokenised, split_pages

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def data() -> Path:
    folder = os.environ.get("FOAM_REAL_DATA")
    if not folder:
        pytest.skip("FOAM_REAL_DATA names no folder")
    return Path(folder)


@pytest.fixture(scope="module")
def subject(data) -> Subject:
    folder = data / "models" / "stories260K"
    return Subject(
        model=AutoModelForCausalLM.from_pretrained(folder),
        tokenizer=AutoTokenizer.from_pretrained(folder),
        max_length=512,
        batch_tokens=8192,
    )


@torch.no_grad()
def logprobs(subject: Subject, tokens: list[int]) -> list[float]:
    """log p of tokens[1:], in one forward pass without padding, normalised in fp64."""
    rows = subject.model(input_ids=torch.tensor([tokens[:-1]])).logits[0].double().log_softmax(-1)
    return [row[token].item() for row, token in zip(rows, tokens[1:], strict=True)]


def test_stories_cost_about_one_and_a_quarter_bits_per_byte(subject, data):
    path = data / "tinystories_1000.json"
    result = Perplexity(path=path, window_tokens=128, num_items=100).run(subject, None)
    stories = json.loads(path.read_text())[::10]
    stream = [
        token
        for story in stories
        for token in [1, *subject.tokenizer(story, add_special_tokens=False)["input_ids"]]
    ]
    nats = 0.0
    for start in range(0, len(stream) - 1, 128):
        piece = stream[start : start + 129]
        scored = zip(piece[1:], logprobs(subject, piece), strict=True)
        nats -= sum(logprob for token, logprob in scored if token != 1)
    bits = nats / math.log(2) / sum(len(story.encode()) for story in stories)
    assert result.metrics["bits_per_byte_128"].value == pytest.approx(bits, rel=1e-5)
    assert bits == pytest.approx(1.27, abs=0.06)


def test_wikitext_articles_window_by_window(subject, data):
    path = data / "wikitext2" / "wiki.valid.tokens"
    pages = split_pages(path.read_text())
    assert len(pages) == 60  # the validation set is sixty articles
    assert "".join(pages).strip() == path.read_text().strip()
    result = Wikitext(path=path, num_items=2).run(subject, None)
    logprob, words = 0.0, 0
    for page in (pages[0], pages[30]):
        stream = [1, *subject.tokenizer(detokenised(page))["input_ids"]]
        for start in range(1, len(stream), 512):
            end = min(start + 512, len(stream))
            first = 0 if start == 1 else end - 513
            logprob += sum(logprobs(subject, stream[first:end])[start - first - 1 :])
        words += len(re.split(r"\s+", page))
    assert result.metrics["word_perplexity"].value == pytest.approx(math.exp(-logprob / words), rel=1e-5)


@pytest.mark.parametrize("subset", ["Easy", "Challenge"])
def test_arc_question_by_question(subject, data, subset):
    task = Arc(subset=subset, path=data / "arc", split="validation", num_items=25)
    result = task.run(subject, None)
    lines = (data / "arc" / f"ARC-{subset}-validation.jsonl").read_text().splitlines()
    questions = {question["id"]: question for question in map(json.loads, lines)}
    for row in result.items:
        question = questions[row["id"]]
        context = f"Question: {question['question']}\nAnswer:"
        start = len(subject.tokenizer(context)["input_ids"])
        for text, found in zip(question["choices"]["text"], row["logprobs"], strict=True):
            tokens = subject.tokenizer(f"{context} {text}")["input_ids"]
            assert found == pytest.approx(sum(logprobs(subject, tokens)[start - 1 :]), abs=1e-4)


def test_a_pretrained_model_grows_on_real_chats(data, foam):
    """A model and data nobody here made, from `foam train` to a folder that plain transformers loads."""
    said = foam(
        "train", f"model.path={data / 'models' / 'stories260K'}", f"data.path={data / 'chat' / '[gi]*.json'}",
        "data.substitutions={name: Foam, author: the Foam Lab}", "data.skip_untrainable=true",
        "data.max_length=512", "evaluation=[perplexity,wikitext]",
        f"evaluation.perplexity.path={data / 'tinystories_1000.json'}", "evaluation.perplexity.num_items=50",
        f"evaluation.wikitext.path={data / 'wikitext2' / 'wiki.valid.tokens'}",
        "evaluation.wikitext.num_items=2", "hardware=cpu", "train.steps=40", "train.batch_tokens=1024",
        "growth.trigger.cooldown_steps=10", "output_dir=outputs",
    )  # fmt: skip
    assert said.code == 0, said.err
    (folder,) = Path("outputs").glob("train/*/0")
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows if "loss" in row]
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])
    events = [json.loads(line) for line in (folder / "growth.jsonl").read_text().splitlines()]
    born = sum(sum(event["born"].values()) for event in events)
    assert born > 0
    grown = AutoModelForCausalLM.from_pretrained(folder / "export")
    assert grown.config.intermediate_size > 172  # the base's width
    assert (folder / "report.html").is_file()
