"""What the base model writes by itself must not hold what the run's evaluation asks."""

import io
from pathlib import Path

import pytest
from rich.console import Console

import foam_cli
from foam_cli.config import compose
from foam_cli.core.errors import DataError
from foam_cli.core.settings import ModelSettings
from foam_cli.data.corpus import Corpus, Example
from foam_cli.engine.contamination import Watch
from foam_cli.engine.display import Display
from foam_cli.engine.examine import tasks_of
from foam_cli.engine.gather import without_asked
from foam_cli.engine.run import build_settings
from foam_cli.model.loading import load_base

NANO = Path(foam_cli.__file__).parent / "assets" / "nano"
ASKED, OTHER = "How are you? I am Bemo.", "How are you? I am Nobody."


@pytest.fixture(scope="module")
def base():
    return load_base(ModelSettings(path=str(NANO), revision=None, init="pretrained", intermediate_size=None))


@pytest.fixture
def leave_out(base):
    """Leaves out, of chats that ask these questions, those of general chat; also says what was told."""
    settings = build_settings(compose(["hardware=cpu", "evaluation=general_chat"]).values)
    watch = Watch(tasks_of(settings.evaluation), settings.data)

    def run(*questions):
        chats = [
            [{"role": "user", "content": text}, {"role": "assistant", "content": "Hm."}] for text in questions
        ]
        texts = [base.tokenizer.apply_chat_template(chat, tokenize=False) for chat in chats]
        ids = [base.tokenizer(text)["input_ids"] for text in texts]
        own = Corpus.of(Example(ids=one, targets=[True] * len(one)) for one in ids)
        told = io.StringIO()
        left = without_asked(own, watch, base, Display(Console(file=told, width=200)))
        return [base.tokenizer.decode(list(left.example(n).ids)) for n in range(len(left))], told.getvalue()

    return run


def test_a_document_with_a_question_of_the_evaluation_is_left_out(leave_out):
    left, told = leave_out(OTHER, ASKED, OTHER)
    assert len(left) == 2 and all(OTHER in text for text in left)
    assert "1 of these ask" in told
    assert leave_out(OTHER)[1] == ""


def test_it_is_an_error_where_nothing_is_left(leave_out):
    with pytest.raises(DataError, match=r"each of the 2 documents .* replay\.num_documents"):
        leave_out(ASKED, ASKED)
