"""The English world: nothing is asked that was trained, calls fit their schemas, everything has variety."""

import json
import random
import re
from collections import Counter
from dataclasses import replace

import jsonschema
import pytest

from foam_cli.core.errors import DataError
from foam_cli.data.curricula.none import NoCurriculum
from foam_cli.data.skills.english import chat, identity
from foam_cli.data.skills.english.autonomy import autonomy
from foam_cli.data.skills.english.loops import KINDS as LOOPS
from foam_cli.data.skills.english.makers import CONTROL_SUBJECTS, MAKERS
from foam_cli.data.skills.english.tool import places
from foam_cli.data.skills.english.tool_use import SEEN_TOOLS, UNSEEN_TOOLS
from foam_cli.data.skills.english.values import draw_number
from foam_cli.data.skills.english.world import english_world
from foam_cli.data.skills.mixture import skill_documents, skill_items
from foam_cli.data.skills.source import Identity
from foam_cli.data.sources.skills import EnglishSkills
from foam_cli.evaluation.calls import parse_calls

WORLD = english_world("Foam", "the Foam Lab")
SKILLS = ("tool_use", "identity", "autonomy")


@pytest.fixture(scope="module")
def training() -> list[dict]:
    return skill_documents(WORLD, 0, 3000)


@pytest.fixture(scope="module")
def items() -> list[dict]:
    return [
        item for name in SKILLS for item in skill_items(WORLD, name, 150 if name == "identity" else 300, 0)
    ]


def turns(messages, *roles):
    return [m["content"] for m in messages if m["role"] in roles]


def normal(text):
    return re.findall(r"\w+", text.lower())


def grams(messages, split):
    """The 13-grams of a conversation, within each message."""
    found = set()
    for message in messages:
        words = split(message["content"])
        found.update(zip(*(words[i:] for i in range(13)), strict=False))
    return found


@pytest.mark.parametrize("split", [str.split, normal], ids=["by space", "normalised"])
def test_no_prompt_and_no_13_gram_of_an_evaluation_is_trained(training, items, split):
    assert_apart(training, items, split)


@pytest.mark.slow
def test_none_is_trained_by_any_of_many_examples():
    asked = [item for name in SKILLS for item in skill_items(WORLD, name, 600, 0)]
    trained = skill_documents(WORLD, 1, 12_000)
    assert_apart(trained, asked, normal)
    assert_values_apart(trained, asked)


def assert_apart(training, items, split):
    """No evaluation prompt, and no 13-gram of what stands in an evaluation conversation, is trained."""
    prompts, known = {}, {}
    for item in items:
        prompts[tuple(normal(item["messages"][-1]["content"]))] = item["id"]
        known |= dict.fromkeys(grams(item["messages"], split), item["id"])
    for document in training:
        for gram in grams(document["messages"], split):
            assert gram not in known, (known[gram], gram)
        for text in turns(document["messages"], "user"):
            assert tuple(normal(text)) not in prompts, text


def wordings():
    """Every wording of both sides."""
    seen, held = [*chat.FRAMES, *chat.CHANGES, *chat.SYSTEMS, *chat.JOINTS], [*chat.HELD_OUT_FRAMES]
    held += [*chat.HELD_OUT_CHANGES, *chat.HELD_OUT_SYSTEMS, *chat.HELD_OUT_JOINTS]
    seen += [prompt for prompt, _ in chat.CHAT]
    held += [prompt for prompt, _ in chat.HELD_OUT_CHAT]
    for tool in (*SEEN_TOOLS, *UNSEEN_TOOLS):
        seen, held = [*seen, *tool.asks], [*held, *tool.held_out]
    for group, questions in identity.QUESTIONS.items():
        seen, held = [*seen, *questions], [*held, *identity.HELD_OUT_QUESTIONS[group]]
    for kind in autonomy().kinds.values():
        seen, held = [*seen, *kind.asks], [*held, *kind.held_out]
    return seen, held


def test_no_wording_is_on_both_sides():
    seen, held = ({" ".join(normal(text)) for text in side} for side in wordings())
    assert not seen & held


def test_there_is_variety():
    tools = (*SEEN_TOOLS, *UNSEEN_TOOLS)
    kinds = [*autonomy().kinds.values(), *LOOPS.values()]
    counts = {
        "tool_use": (len(tools), sum(len(tool.asks) for tool in tools), sum(len(t.held_out) for t in tools)),
        "identity": (
            len(MAKERS) + len({*identity.VENDORS, *identity.HELD_OUT_VENDORS}),
            sum(map(len, identity.QUESTIONS.values())),
            sum(map(len, identity.HELD_OUT_QUESTIONS.values())),
        ),
        "autonomy": (len(kinds), sum(len(k.asks) for k in kinds), sum(len(k.held_out) for k in kinds)),
    }
    print("skill: tools, subjects or kinds of tasks; wordings that are trained; that are held out:", counts)
    assert len(SEEN_TOOLS) >= 30 and len({tool.name for tool in tools}) == len(tools)
    for things, trained, held_out in counts.values():
        assert things >= 30 and trained >= 60 and held_out >= 20


def test_shares_of_several_turns_and_of_prompts_without_a_tool(training):
    """Counted in the conversations themselves, not in the settings that draw them."""
    shares = {}
    for name, asked in (("tool_use", 0.4), ("identity", 0.2), ("autonomy", 0.4)):
        chats = [d["messages"] for d in training if d["kind"] == name]
        assert abs(len(chats) / len(training) - asked) < 0.01
        several = sum(len(turns(chat, "user")) > 1 for chat in chats)
        called = sum(any("<tool_call>" in text for text in turns(chat, "assistant")) for chat in chats)
        schemas = sum('"parameters": {"type": "object"' in "".join(turns(c, "system")) for c in chats)
        shares[name] = [round(count / len(chats), 3) for count in (several, called, schemas)]
    print("skill: several turns, some call, JSON Schemas in the system prompt:", shares)
    several, called, schemas = zip(*shares.values(), strict=True)
    assert 0.35 < several[0] < 0.75 and 0.4 < several[1] < 0.7 and 0.15 < several[2] < 0.25
    assert 0.65 < called[0] < 0.75 and called[1] == 0 and called[2] == several[2]  # 0.3 need no tool
    assert schemas == (1, 0, several[2])


def test_what_is_to_be_changed_is_said_once(items):
    """A correction names one value of the first request, which stands there once, and so has one outcome."""
    checked = 0
    for item in items:
        users = turns(item["messages"], "user")
        for wording in chat.HELD_OUT_CHANGES if item["id"].startswith("tool_use") else ():
            pattern = re.escape(wording).replace(r"\{old\}", "(?P<old>.+)").replace(r"\{new\}", ".+")
            found = re.fullmatch(pattern, users[-1])
            if found and len(users) == 3:
                assert users[0].count(found["old"].strip('"')) == 1, users
                checked += 1
    assert checked > 30


@pytest.mark.parametrize(
    ("subject", "said", "right"),
    [
        ("Faust", "Goethe wrote Faust.", True),
        ("Faust", "It was Friedrich Schiller.", False),
        ("Jane Eyre", "Charlotte Brontë did.", True),
        ("Jane Eyre", "Emily Brontë did.", False),
        ("Tintin", "It was created by Hergé.", True),
        ("the Mona Lisa", "Leonardo painted it.", True),
        ("the diesel engine", "I don't know who invented the Diesel engine.", False),
        ("Ruby", 'Yukihiro "Matz" Matsumoto created Ruby.', True),
        ("Perl", "That is on the Wall of fame.", False),
    ],
)
def test_makers_may_be_written_in_every_usual_way(subject, said, right):
    pattern = identity.identity("Foam", "Acme")._facts("control", subject)["expected"]["pattern"]
    assert bool(re.match(pattern, said)) == right


@pytest.mark.parametrize(
    ("group", "said", "right"),
    [
        ("name", "Foam.", True),
        ("name", "Foam is a word.", False),
        ("author", "The Foam Lab.", True),
        ("author", "The Foam Lab did!", True),
        ("author", "The Foam Lab is in town.", False),
    ],
)
def test_short_answers_about_oneself_count(group, said, right):
    pattern = identity.identity("Foam", "the Foam Lab")._facts(group, "")["expected"]["pattern"]
    assert bool(re.match(pattern, said)) == right


def calls_in(messages):
    for text in turns(messages, "assistant"):
        yield from parse_calls(text) or []


def scalars(value):
    """Open values within arguments; enumerations and yes/no belong to the tool."""
    if isinstance(value, dict):
        for one in value.values():
            yield from scalars(one)
    elif isinstance(value, list):
        for one in value:
            yield from scalars(one)
    elif not isinstance(value, bool):
        yield value


def enumerations():
    return {
        option
        for tool in (*SEEN_TOOLS, *UNSEEN_TOOLS)
        for field in tool.parameters.values()
        for option in field.schema.get("enum", ())
    }


def test_no_argument_value_and_no_unseen_tool_is_trained(training, items):
    assert_values_apart(training, items)


def assert_values_apart(training, items):
    """No open value that an evaluation call needs, and no tool that is kept unseen, is trained."""
    tool_documents = [d for d in training if d["kind"] == "tool_use"]
    trained = {v for d in tool_documents for c in calls_in(d["messages"]) for v in scalars(c["arguments"])}
    listed = " ".join(text for d in training for text in turns(d["messages"], "system"))
    assert not any(f'"{tool.name}"' in listed for tool in UNSEEN_TOOLS)
    asked = set()
    for item in items:
        for call in item["expected"] if item["id"].startswith("tool_use") else ():
            asked |= {v for accepted in call["arguments"].values() for v in scalars(accepted[0])}
            assert (call["name"] in {tool.name for tool in UNSEEN_TOOLS}) <= (item["group"] == "unseen")
    assert len(asked) > 100 and not (asked & trained) - enumerations()


@pytest.mark.slow
def test_calls_fit_the_listed_schemas(training, items):
    shapes = Counter()
    for document in training:
        if document["kind"] != "tool_use":
            continue
        system = turns(document["messages"], "system")[0]
        schemas = {}
        for line in system.splitlines():
            if line.startswith('{"name"'):
                tool = json.loads(line)
                schemas[tool["name"]] = tool["parameters"]
        for call in calls_in(document["messages"]):
            jsonschema.validate(call["arguments"], {**schemas[call["name"]], "additionalProperties": False})
        last = parse_calls(document["messages"][-1]["content"])
        shapes[len(last or []), len(document["messages"])] += 1
    for item in items:
        for call in item["expected"] if item["id"].startswith("tool_use") else ():
            schema = next(tool["parameters"] for tool in item["tools"] if tool["name"] == call["name"])
            jsonschema.validate({key: accepted[0] for key, accepted in call["arguments"].items()}, schema)
    # words at once, one call, two calls; after a question back; after a result; after a result and a change
    assert {(0, 3), (1, 3), (2, 3), (1, 5), (0, 5), (1, 7)} <= shapes.keys()
    words = sum(count for (calls, _), count in shapes.items() if not calls) / shapes.total()
    assert 0.3 < words < 0.75


def test_every_range_of_numbers_has_both_sides():
    """The narrowest ranges in use are four wide and begin anywhere from 1 to 5, or are longer."""
    for low in range(1, 3):
        assert draw_number(random.Random(0), low, low + 4, True) != draw_number(
            random.Random(0), low, low + 4, False
        )
    for tool in (*SEEN_TOOLS, *UNSEEN_TOOLS):
        for field in tool.parameters.values():
            one, other = (
                [field.draw(random.Random(n), side).json for n in range(40)] for side in (False, True)
            )
            if not field.schema.get("enum") and field.schema["type"] != "boolean":
                assert not {repr(v) for v in one} & {repr(v) for v in other}, tool.name


def test_schemas_use_all_of_json():
    text = json.dumps(
        [json.loads(json.dumps({"p": [f.schema for f in t.parameters.values()]})) for t in SEEN_TOOLS]
    )
    for word in ('"array"', '"object"', '"boolean"', '"integer"', '"number"', '"string"', '"enum"'):
        assert word in text
    for tool in (*SEEN_TOOLS, *UNSEEN_TOOLS):
        for wording in (*tool.asks, *tool.held_out):
            assert places(wording) <= tool.parameters.keys()
        assert set().union(*map(places, (*tool.asks, *tool.held_out))) == tool.parameters.keys()


def test_what_is_said_about_a_result_can_be_read_from_it(training):
    checked = 0
    for document in training:
        for before, after in zip(document["messages"], document["messages"][1:], strict=False):
            if document["kind"] != "tool_use" or not before["content"].startswith("<tool_response>"):
                continue
            known = "\n".join(m["content"] for m in document["messages"] if m is not after)
            assert set(re.findall(r"\d+", after["content"])) <= set(re.findall(r"\d+", known))
            checked += 1
    assert checked > 200


def test_items_are_spread_over_groups(items):
    groups = Counter((item["id"].split("/")[0], item["group"]) for item in items)
    assert all(groups["tool_use", group] >= 50 for group in ("seen", "unseen", "no_call"))
    assert all(groups["identity", group] == 30 for group in identity.WEIGHTS)
    assert all(groups["autonomy", group] >= 60 for group in ("standard", "hard", "loop"))
    turns_of = Counter(len(item["messages"]) for item in items if item["group"] == "seen")
    assert turns_of[2] > 50 and turns_of[6] > 20
    prompts = [json.dumps(item["messages"]) for item in items]
    assert len(set(prompts)) > 0.98 * len(prompts)


def test_trained_identities_would_be_scored_right_and_leak_nothing(training):
    skill = identity.identity("Foam", "the Foam Lab")
    for group, replies in identity.REPLIES.items():
        for template in replies:
            subject = "Linux"
            reply = template.format(
                name="Foam", author="the Foam Lab", maker="Linus Torvalds", verb="created", subject=subject
            )
            facts = skill._facts(group, subject)["expected"]
            first = re.split(r"(?<=[.!?]) |\n", reply)[0]
            assert re.match(facts["pattern"], first), (group, reply)
            assert not any(re.search(rf"\b{other}\b", reply) for other in facts["forbidden"])
            assert not re.match(
                facts["pattern"], first.replace("Foam", "Fig").replace("Linus Torvalds", "Ada")
            )
    text = "\n".join(
        t for d in training for t in turns(d["messages"], "user", "assistant") if d["kind"] == "identity"
    )
    for hidden in (*identity.HELD_OUT_VENDORS, *CONTROL_SUBJECTS):
        assert not re.search(rf"(?<!\w){re.escape(hidden)}(?!\w)", text), hidden
    assert len(CONTROL_SUBJECTS) >= 10 and len(MAKERS) >= 40


def test_duplicates_are_rare_and_examples_depend_on_the_seed(training):
    texts = [json.dumps(document) for document in training]
    assert len(set(texts)) > 0.98 * len(texts)
    assert skill_documents(WORLD, 4, 300) == skill_documents(WORLD, 4, 300)
    assert skill_documents(WORLD, 4, 300) != skill_documents(WORLD, 5, 300)


def test_the_source_has_the_identity_of_its_settings():
    who = Identity(name="Zebu", author="Acme Works")
    source = EnglishSkills(
        skills=["autonomy", "tool_use", "identity"], num_examples=200, validation_examples=10,
        max_length=1024, identity=who, curriculum=NoCurriculum(),
    )  # fmt: skip
    train, apart = source.documents(0)
    assert (len(train), len(apart)) == (200, 10)
    assert "Zebu" in str(train) and "Acme Works" in str(train) and "Foam" not in str(train)
    assert len(source.evaluation_items("tool_use", None)) == 220
    alone, _ = replace(source, skills=["identity"]).documents(0)
    assert len(alone) == 200 and {one["kind"] for one in alone} == {"identity"}
    assert "Zebu" in source.evaluation_items("identity", 5)[0]["expected"]["pattern"]
    with pytest.raises(DataError, match="data=nanoworld"):
        source.evaluation_items("science", None)
    with pytest.raises(ValueError, match="name"):
        Identity(name=" ", author="Acme")
