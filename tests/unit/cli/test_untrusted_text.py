"""Text from data, models and hubs: it is shown as it is, and nothing in it acts."""

import ast
from pathlib import Path

import pytest
from rich.console import Console
from tiny_tokenizer import CHATML, byte_tokenizer

import foam_cli
from foam_cli.core.errors import DataError
from foam_cli.core.metric import Metric, TaskResult
from foam_cli.core.text import one_line, visible
from foam_cli.data.encode import encode_documents
from foam_cli.engine.ablate import side_by_side
from foam_cli.engine.display import Display
from foam_cli.engine.evaluate import _table
from foam_cli.evaluation.prompts import render_prompt, stop_ids
from foam_cli.export.card import escape_markdown
from foam_cli.model.chat import render_chat

SHOWN = "[red]a[/red] [link=http://evil.example]b[/link] :bomb: "
HOSTILE = f"{SHOWN}\x1b[31mc\x1b]0;title\x07 \r\u202ed\x9b2J [/] \\[e\\"

CHAT = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
#: Templates that reach for Python: each would succeed in an environment without a sandbox, or never end.
ATTACKS = {
    "classes": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals": "{{ cycler.__init__.__globals__.os.system('true') }}",
    "builtins": "{{ raise_exception.__globals__['__builtins__']['open']('/etc/passwd').read() }}",
    "format": "{{ '{0.__class__.__mro__}'.format(messages).pop() }}",
    "attribute filter": "{{ (messages | attr('__class__')).__mro__ }}",
    "changes its input": "{{ messages.append({'role': 'user'}) }}",
    "changes a turn": "{{ messages[0].update({'content': 'x'}) }}",
    "endless": "{% for n in range(10 ** 9) %}{% endfor %}",
    "arithmetic": "{{ 1 / 0 }}",
    "syntax": "{% for %}",
    "several lines": "{{ raise_exception('a\nb\x1b[31m') }}",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_template_stays_in_its_sandbox(name):
    tokenizer = byte_tokenizer(ATTACKS[name] + CHATML)
    said = set()
    for use in (
        lambda: render_chat(tokenizer, CHAT),
        lambda: encode_documents([{"messages": CHAT}], tokenizer, max_length=64, loss_on="assistant"),
        lambda: render_prompt(tokenizer, CHAT[:1]),
        lambda: stop_ids(tokenizer),
    ):
        with pytest.raises(DataError, match="does not suit the model's chat template: ") as caught:
            use()
        said.add(str(caught.value).removeprefix("example 0: "))
    for text in said:
        assert "\n" not in text and "\x1b" not in text and "uid=" not in text and "root:" not in text


def test_the_turns_are_not_the_templates_to_change():
    turns = [dict(turn) for turn in CHAT]
    with pytest.raises(DataError):
        render_chat(byte_tokenizer(ATTACKS["changes a turn"]), turns)
    assert turns == CHAT


def test_templates_are_run_in_one_place_only():
    """No jinja environment but that of the report, and no call of a template but the one that is guarded."""
    calls, environments = set(), set()
    for file in Path(foam_cli.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            name = file.relative_to(Path(foam_cli.__file__).parent).as_posix()
            if isinstance(node, ast.Attribute) and node.attr == "apply_chat_template":
                calls.add(name)
            if isinstance(node, ast.Import | ast.ImportFrom) and "jinja2" in ast.dump(node):
                environments.add(name)
    assert calls == {"model/chat.py"} and environments == {"report/html.py"}


# ---------------------------------------------------------------- what a terminal is given


def captured(show) -> str:
    console = Console(width=400, force_terminal=True, color_system="truecolor", legacy_windows=False)
    with console.capture() as capture:
        show(console)
    return capture.get()


def harmless(text: str) -> bool:
    """No control sequence but rich's own colours, no link, no letter that cannot be seen."""
    import re

    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return not set(plain) & set("\x1b\x07\r\x9b\u202e") and "]8;" not in text


def test_a_line_is_shown_as_it_is():
    text = captured(lambda console: Display(console).say(HOSTILE))
    assert SHOWN in text and "\\x1b[31mc" in text and "[/] \\[e\\" in text
    assert "\x1b" not in text and harmless(text)
    assert "\x1b[2m" in captured(lambda console: Display(console).say("words", style="dim"))


def test_a_bar_is_shown_as_it_is():
    def show(console):
        with Display(console).bar(f"final: {HOSTILE}", total=2) as update:
            update(1, "[bold]w[/bold]")

    text = captured(show)
    assert SHOWN in text


def test_tables_show_names_as_they_are():
    result = TaskResult(
        task=HOSTILE, metrics={HOSTILE: Metric(value=0.5, n=2)}, items=[], recipe="", data_sha256="",
        primary=HOSTILE,
    )  # fmt: skip
    text = captured(lambda console: console.print(_table({HOSTILE: result}, {HOSTILE: HOSTILE})))
    assert text.count(SHOWN) == 3 and harmless(text)
    spread = {"median": 0.5, "min": 0.5, "max": 0.5, "values": [0.5]}
    metrics = {f"forgotten/{HOSTILE}": spread}
    arm = {
        "metrics": metrics,
        "primary": {HOSTILE: "acc"},
        "roles": {},
        "seen": {HOSTILE: HOSTILE},
        "seeds": [0],
    }
    document = {"arms": {HOSTILE: arm}, "study": HOSTILE, "seeds": [0]}
    text = captured(lambda console: console.print(side_by_side(document), width=2000))
    assert text.count("[red]a[/red]") >= 4 and harmless(text)
    document["arms"] = {f"{n}{HOSTILE}": arm for n in range(5)}
    text = captured(lambda console: console.print(side_by_side(document), width=2000))
    assert text.count("[red]a[/red]") >= 7 and harmless(text)


def test_an_error_is_shown_as_it_is(foam, monkeypatch):
    def fail(*args, **kwargs):
        raise DataError(HOSTILE)

    monkeypatch.setattr("foam_cli.engine.run.run_training", fail)
    said = foam("train")
    assert said.code == 1 and SHOWN in said.err and harmless(said.err)


def test_letters_that_cannot_be_seen_are_written_out():
    assert visible("a\x1b[31m\x9bé\u202e\n\t") == "a\\x1b[31m\\x9bé\\u202e\n\t"
    assert visible("plain [red]") == "plain [red]"
    assert one_line(ValueError("a\n  b\x07")) == "a b\\x07"
    assert "\x1b" not in escape_markdown(HOSTILE) and "\u202e" not in escape_markdown(HOSTILE)
