import json
import re
from collections import Counter

import jsonschema
import pytest

from foam_cli.data.nanoworld import corpus
from foam_cli.data.skills.mixture import skill_documents, skill_items
from foam_cli.data.skills.nano import identity
from foam_cli.data.skills.nano.creators import CONTROL_SUBJECTS, CREATORS
from foam_cli.data.skills.nano.tools import SEEN_TOOLS, UNSEEN_TOOLS
from foam_cli.data.skills.nano.world import nano_world

NAME, AUTHOR = "Foam", "the Foam Lab"
WORLD = nano_world(NAME, AUTHOR)
VERBS = {"x": r"double|times", "+": r"add|plus|on top|more", "-": r"take away|minus|remove|less"}


def prompt_of(messages: list[dict]) -> str:
    return "\n".join(m["content"] for m in messages if m["role"] != "assistant")


@pytest.fixture(scope="module")
def training() -> list[dict]:
    return [d for seed in (0, 1) for d in skill_documents(WORLD, seed, 4000)]


@pytest.fixture(scope="module")
def items() -> list[dict]:
    return [
        *skill_items(WORLD, "tool_use", 220, 1),
        *skill_items(WORLD, "identity", 100, 1),
        *skill_items(WORLD, "autonomy", 180, 1),
    ]


def test_examples_depend_on_the_seed_alone() -> None:
    assert skill_documents(WORLD, 3, 200) == skill_documents(WORLD, 3, 200)
    assert skill_documents(WORLD, 3, 200) != skill_documents(WORLD, 4, 200)
    assert Counter(d["kind"] for d in skill_documents(WORLD, 3, 200)) == {
        "tool_use": 80, "identity": 38, "autonomy": 82,
    }  # fmt: skip


@pytest.mark.slow
def test_no_evaluation_prompt_and_no_13_gram_of_one_is_trained_on(
    training: list[dict], items: list[dict]
) -> None:
    chat = [d for d in corpus.base_documents(0) if "messages" in d]
    prompts = {m["content"] for d in (*training, *chat) for m in d["messages"] if m["role"] == "user"}
    grams: set[tuple[str, ...]] = set()
    for document in (*training, *chat):
        words = "\n".join(m["content"] for m in document["messages"]).split()
        grams.update(zip(*(words[i:] for i in range(13)), strict=False))
    for item in items:
        assert item["messages"][-1]["content"] not in prompts, item
        words = prompt_of(item["messages"]).split()
        assert not grams.intersection(zip(*(words[i:] for i in range(13)), strict=False)), item


def test_item_counts_per_group(items: list[dict]) -> None:
    groups = Counter((item["id"].split("/")[0], item["group"]) for item in items)
    assert (
        groups["tool_use", "seen"] == 120
        and groups["tool_use", "no_call"] == 60
        and groups["tool_use", "unseen"] == 40
    )
    assert all(groups["identity", group] == 20 for group in identity.WEIGHTS)
    assert groups["autonomy", "standard"] == 120 and groups["autonomy", "hard"] == 60
    assert len({item["id"] for item in items}) == len(items) == 500
    assert len({prompt_of(item["messages"]) for item in items}) > 490


def test_trained_calls_name_a_listed_tool_and_copy_their_arguments(training: list[dict]) -> None:
    num_calls = 0
    for document in training:
        if document["kind"] != "tool_use":
            continue
        system, user, reply = (m["content"] for m in document["messages"])
        if not reply.startswith("<tool_call>"):
            assert "<tool_call>" not in reply
            continue
        call = json.loads(reply.removeprefix("<tool_call>").removesuffix("</tool_call>"))
        signature = re.search(rf"\b{call['name']}\(([^)]*)\)", system)
        assert signature and signature[1].split(", ") == list(call["arguments"])
        assert all(str(value) in user for value in call["arguments"].values())
        num_calls += 1
    assert num_calls > 2000


def test_expected_calls_meet_their_schema_and_unseen_tools_stay_unseen(
    training: list[dict], items: list[dict]
) -> None:
    trained = " ".join(prompt_of(d["messages"]) for d in training)
    unseen = {tool.name for tool in UNSEEN_TOOLS}
    assert not any(f"{name}(" in trained for name in unseen)
    for item in items:
        for call in item["expected"] if item["id"].startswith("tool_use") else []:
            schema = next(tool["parameters"] for tool in item["tools"] if tool["name"] == call["name"])
            arguments = {name: accepted[0] for name, accepted in call["arguments"].items()}
            jsonschema.validate(arguments, schema)
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate(arguments | {"more": 1}, schema)
            assert all(str(value) in item["messages"][-1]["content"] for value in arguments.values())
            assert (call["name"] in unseen) == (item["group"] == "unseen")


def test_argument_values_of_the_evaluation_are_never_trained_on(
    training: list[dict], items: list[dict]
) -> None:
    trained: set[str] = set()
    for document in training:
        reply = document["messages"][-1]["content"]
        if reply.startswith("<tool_call>"):
            trained.update(map(str, json.loads(reply[11:-12])["arguments"].values()))
    for item in items:
        if item["id"].startswith("tool_use"):
            asked = {str(value[0]) for call in item["expected"] for value in call["arguments"].values()}
            assert not trained & asked


def test_tools_are_listed_in_every_number_and_the_right_one_in_every_place(items: list[dict]) -> None:
    places = Counter(
        (len(item["tools"]), [tool["name"] for tool in item["tools"]].index(item["expected"][0]["name"]))
        for item in items
        if item["group"] in ("seen", "unseen")
    )
    assert set(places) == {(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)}


def test_wordings_of_tools_name_every_parameter_and_are_not_shared() -> None:
    for tool in (*SEEN_TOOLS, *UNSEEN_TOOLS):
        for wording in (*tool.wordings, *tool.held_out):
            assert set(re.findall(r"{(\w+)}", wording)) == set(tool.parameters)
        assert not set(tool.wordings) & set(tool.held_out)


def test_trained_identities_would_be_scored_right(training: list[dict]) -> None:
    patterns = {item["group"]: item["expected"] for item in skill_items(WORLD, "identity", 100, 0)}
    replies = {d["messages"][-1]["content"] for d in training if d["kind"] == "identity"}
    own = [reply for reply in replies if " created " not in reply]
    assert len(own) == 4
    for reply in own:
        assert any(re.match(e["pattern"], reply) for group, e in patterns.items() if group != "control")
        assert not any(word in reply for word in patterns["name"]["forbidden"])


@pytest.mark.parametrize(
    ("group", "reply", "right"),
    [
        ("name", "My name is Foam.", True),
        ("name", "My name is Pebble.", False),
        ("name", "My name is Foamy.", False),
        ("name", "They say my name is Foam.", False),
        ("author", "The people at the Foam Lab made me.", False),
        ("author", "I was made by the Foam Lab.", True),
        ("author", "I was made by Quarry Works.", False),
        ("both", "I am Foam.", False),
        ("both", "I am Foam, made by the Foam Lab.", True),
        ("premise", "No, I am Foam.", True),
        ("premise", "Yes, I am Claude.", False),
    ],
)
def test_identity_patterns_tell_right_from_wrong(group: str, reply: str, right: bool) -> None:
    item = next(i for i in skill_items(WORLD, "identity", 100, 0) if i["group"] == group)
    assert bool(re.match(item["expected"]["pattern"], reply)) == right


def test_controls_ask_for_things_that_no_skill_example_mentions(
    training: list[dict], items: list[dict]
) -> None:
    trained = " ".join(prompt_of(d["messages"]) for d in training)
    for subject in CONTROL_SUBJECTS:
        assert subject not in trained
    controls = [item for item in items if item["group"] == "control"]
    for item in controls:
        subject = next(s for s in CREATORS if s in item["messages"][-1]["content"])
        assert re.match(item["expected"]["pattern"], f"{CREATORS[subject]} created {subject}.")
        assert not re.match(item["expected"]["pattern"], f"{AUTHOR} created {subject}.")
        assert item["expected"]["forbidden"] == [NAME, AUTHOR]


def test_a_false_premise_of_the_evaluation_names_a_vendor_that_training_does_not(
    training: list[dict],
) -> None:
    trained = " ".join(prompt_of(d["messages"]) for d in training)
    assert not any(vendor in trained for vendor in identity.HELD_OUT_VENDORS)
    premises = [i for i in skill_items(WORLD, "identity", 100, 2) if i["group"] == "premise"]
    assert all(any(v in i["messages"][-1]["content"] for v in identity.HELD_OUT_VENDORS) for i in premises)


def solve_sum(prompt: str) -> tuple[int, int]:
    chain = prompt.split(". ", maxsplit=1)[0].split(", ")
    value = int(re.findall(r"\d+", chain[0])[0])
    for step in chain[1:]:
        sign = next(sign for sign, verbs in VERBS.items() if re.search(verbs, step))
        number = 2 if sign == "x" else int(re.findall(r"\d+", step)[0])
        value = {"+": value + number, "-": value - number, "x": value * number}[sign]
    return value, len(chain) - 1


def solve_tracking(prompt: str) -> tuple[str, int]:
    holder: dict[str, str] = {}
    changes: Counter[str] = Counter()
    for sentence in re.split(r"(?<=\.) ", prompt)[:-1]:
        people, thing = (
            re.findall(
                r"\b(?!(?:Then|Now|At|The|Today|Here|Next|Later|Soon|After|So)\b)[A-Z][a-z]+", sentence
            ),
            re.findall(r"\bthe ([a-z]+)|\bThe ([a-z]+)", sentence),
        )
        name = next(filter(None, thing[0]))
        if len(people) == 2:
            changes[name] += 1
            giver_first = re.search(r"gives|hands|passes", sentence)
            assert holder[name] == people[0 if giver_first else 1]
            people = people[1:] if giver_first else people[:1]
        holder[name] = people[0]
    asked = re.findall(r"\bthe ([a-z]+)", prompt)[-1]
    asked = (
        asked
        if asked in holder
        else next(t for t in re.findall(r"[a-z]+", prompt.rsplit(". ", maxsplit=1)[-1]) if t in holder)
    )
    return holder[asked], changes[asked]


def solve_lookup(prompt: str) -> tuple[int, int]:
    table = {name: int(number) for name, number in re.findall(r"([A-Z][a-z]+) (\d+)", prompt)}
    question = prompt.split(". ")[1]
    asked = [name for name in table if re.search(rf"\b{name}\b", question)]
    assert len(asked) == 2
    return sum(table[name] for name in asked), len(table)


SOLVERS = {"arithmetic": solve_sum, "tracking": solve_tracking, "lookup": solve_lookup}
DEPTHS = {
    ("arithmetic", "standard"): {2, 3}, ("arithmetic", "hard"): {4}, ("tracking", "standard"): {1, 2},
    ("tracking", "hard"): {3}, ("lookup", "standard"): {3}, ("lookup", "hard"): {5},
}  # fmt: skip


def test_expected_answers_and_depths_are_those_of_an_independent_solver() -> None:
    depths: dict[tuple[str, str], set[int]] = {}
    for item in skill_items(WORLD, "autonomy", 600, 5):
        answer, depth = SOLVERS[item["kind"]](prompt_of(item["messages"]))
        assert answer == item["expected"] and type(answer) is type(item["expected"]), item
        depths.setdefault((item["kind"], item["group"]), set()).add(depth)
    assert depths == DEPTHS


def test_trained_answers_are_those_of_an_independent_solver(training: list[dict]) -> None:
    for document in [d for d in training if d["kind"] == "autonomy"][:600]:
        prompt, reply = (m["content"] for m in document["messages"])
        *working, last = reply.split("\n")
        kind = (
            "tracking"
            if isinstance(json.loads(last)["answer"], str)
            else "lookup"
            if ":" in prompt
            else "arithmetic"
        )
        assert SOLVERS[kind](prompt)[0] == json.loads(last)["answer"]
        assert working
        for a, sign, b, c in re.findall(r"(\d+) ([-+x]) (\d+) = (\d+)", reply):
            assert {"+": int(a) + int(b), "-": int(a) - int(b), "x": int(a) * int(b)}[sign] == int(c)


def test_guessing_does_as_badly_as_the_items_say() -> None:
    for item in skill_items(WORLD, "autonomy", 180, 1):
        if item["kind"] == "tracking":
            people = set(
                re.findall(r"\b(?!(?:Then|Now|At|The|Who|Tell)\b)[A-Z][a-z]+", prompt_of(item["messages"]))
            )
            assert item["chance"] == pytest.approx(1 / len(people))
