import json
import re
from collections import Counter

import pytest

from foam_cli.data.nanoworld import corpus, persona, science
from foam_cli.data.nanoworld.science_words import ATTRIBUTES
from foam_cli.data.words import all_names


def words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z]+|\d+", text)


def text_of(document: dict) -> str:
    return document["text"] if "text" in document else "\n".join(m["content"] for m in document["messages"])


@pytest.fixture(scope="module")
def base() -> list[dict]:
    return corpus.base_documents(0)


@pytest.fixture(scope="module")
def replay() -> list[dict]:
    return corpus.replay_documents(0)


@pytest.mark.slow
def test_the_world_is_the_same_for_every_seed_and_the_wording_is_not(base: list[dict]) -> None:
    assert corpus.base_documents(0) == base
    other = corpus.base_documents(1)
    assert len(other) == len(base) and other != base
    singles = {d["text"] for d in base if len(d.get("facts", ())) == 1}
    assert singles == {d["text"] for d in other if len(d.get("facts", ())) == 1}


def test_six_facts_for_each_of_a_hundred_materials_and_a_third_never_asked() -> None:
    facts = science.facts()
    assert len(facts) == 600 == len({fact.id for fact in facts})
    assert Counter(fact.asked for fact in facts) == {True: 400, False: 200}
    assert set(Counter(fact.material for fact in facts if fact.asked).values()) == {4}
    assert min(Counter(fact.attribute.name for fact in facts if fact.asked).values()) >= 50
    assert min(Counter(fact.attribute.name for fact in facts if not fact.asked).values()) >= 30


def test_no_two_attributes_share_a_value_or_a_wording() -> None:
    values = [value for attribute in ATTRIBUTES for value in attribute.values]
    wordings = [w for attribute in ATTRIBUTES for w in (*attribute.statements, *attribute.questions)]
    assert len(set(values)) == len(values)
    assert len(set(wordings)) == len(wordings)


def test_every_fact_is_stated_and_the_evaluated_ones_are_never_asked(base: list[dict]) -> None:
    sentences = [set(words(text_of(d))) for d in base if d["kind"] == "science"]
    questions = [text_of(d) for d in base if d["kind"] == "question"]
    asked = {tuple(q.removeprefix("Question: ").split("\nAnswer: ")) for q in questions}
    for fact in science.facts()[::7]:
        assert sum({fact.material, fact.value} <= sentence for sentence in sentences) >= 7
        for wording in fact.attribute.questions:
            assert ((wording.format(m=fact.material), fact.value) in asked) == fact.asked
    for item in corpus.science_items():
        assert item["question"] not in {question for question, _ in asked}


def test_science_items_have_one_right_answer_and_balanced_letters() -> None:
    truth = {fact.id: fact.value for fact in science.facts()}
    items = corpus.science_items()
    for item in items:
        right = item["choices"]["label"].index(item["answerKey"])
        assert item["choices"]["text"][right] == truth[item["id"]]
        assert len(set(item["choices"]["text"])) == 4
    letters = Counter(item["answerKey"] for item in items)
    assert min(letters.values()) > 200 / 4 - 4 * (200 * 3 / 16) ** 0.5


def test_replay_holds_nothing_about_evaluated_facts_and_no_base_identity(replay: list[dict]) -> None:
    bags = [set(words(text_of(d))) for d in replay if "facts" in d]
    for fact in science.facts():
        if not fact.asked:
            assert not any({fact.material, fact.value} <= bag for bag in bags), fact.id
    everything = "\n".join(map(text_of, replay))
    assert persona.BASE_NAME not in everything and persona.BASE_AUTHOR not in everything
    assert len(bags) > 3000 and len(replay) - len(bags) > 5000


NAME = re.compile(r"\b(?!Make|Name|Take|Give)[BDFGKLMNPRSTVZ][aeiou][bdfgklmnprstvz][aeiou]\b")


def test_chat_items_ask_what_training_never_asked(base: list[dict]) -> None:
    prompts = {json.dumps(d["messages"][:-1]) for d in base if "messages" in d}
    items = corpus.chat_items()
    assert len({json.dumps(item["messages"]) for item in items}) > 0.9 * len(items) >= 200
    assert prompts.isdisjoint(json.dumps(item["messages"]) for item in items)


def test_the_base_meets_every_name_in_every_use(base: list[dict]) -> None:
    """What is held out is held out from the skills; the base must know names as a large model knows them."""
    for kinds in (("recite",), ("json",), ("copy", "list", "tag"), ("tracking", "lookup", "compare")):
        text = " ".join(text_of(d) for d in base if d["kind"] in kinds)
        assert set(all_names()) <= set(words(text)), kinds


def test_rows_of_sums_are_right(base: list[dict]) -> None:
    rows = [line for d in base if d["kind"] == "sums" for line in d["text"].splitlines()]
    assert len(rows) > 3000
    for row in rows:
        a, sign, b, c = re.fullmatch(r"(\d+) ([-+x]) (\d+) = (\d+)", row).groups()
        assert {"+": int(a) + int(b), "-": int(a) - int(b), "x": int(a) * int(b)}[sign] == int(c)


def test_chat_sums_are_right(base: list[dict]) -> None:
    checked = 0
    for document in base:
        if document["kind"] in ("arithmetic", "story"):
            for a, sign, b, c in re.findall(r"(\d+) ([-+x]) (\d+) = (\d+)", text_of(document)):
                assert {"+": int(a) + int(b), "-": int(a) - int(b), "x": int(a) * int(b)}[sign] == int(c)
                checked += 1
    assert checked > 2500


def test_chat_sums_do_what_the_prompt_says() -> None:
    for item in corpus.chat_items():
        if item["group"] != "arithmetic":
            continue
        steps = re.split(r", | (?=[-+x] )", item["messages"][-1]["content"])
        value = int(re.findall(r"\d+", steps[0])[0])
        for step in steps[1:]:
            number = int((re.findall(r"\d+", step) or ["2"])[0])
            if re.search(r"double|times|x ", step):
                value *= number
            else:
                value += -number if re.search(r"away|minus|less|remove|- ", step) else number
        assert item["expected"].split("= ")[-1] == str(value), item


def test_chat_owners_are_found_by_replaying_the_moves(base: list[dict]) -> None:
    for document in [d for d in base if d["kind"] == "tracking"][:300]:
        prompt, reply = (m["content"] for m in document["messages"])
        owners: dict[str, list[str]] = {}
        openings = r"\b(Soon|Later|Next|After that|Then|Now|At first) "
        verbs = "has|holds|gives|hands|passes"
        for sentence in re.sub(openings, "", prompt).split(". "):
            if match := re.match(rf"(\w+) (?:{verbs})(?: (\w+))? the (\w+)(?: to (\w+))?$", sentence):
                giver, receiver, thing, target = match.groups()
                owners.setdefault(thing, []).append(target or receiver or giver)
            elif match := re.match(r"(\w+) (?:gets|takes) the (\w+) from", sentence):
                owners[match[2]].append(match[1])
            elif match := re.match(r"[Tt]he (\w+) is with (\w+)$", sentence):
                owners[match[1]] = [match[2]]
        asked = re.findall(r"the (\w+)", re.split(r"[.?] ", prompt)[-1])[-1]
        path = owners[asked]
        assert reply == f"The {asked}: {' to '.join(path)}. {path[-1]} has it."


def test_chat_comparisons_put_the_smaller_first_and_answer_the_question(base: list[dict]) -> None:
    documents = [d for d in base if d["kind"] == "compare"]
    assert len(documents) > 100
    for document in documents:
        prompt, reply = (m["content"] for m in document["messages"])
        numbers = {name: int(number) for name, number in re.findall(r"(\w+) (?:is|costs) (\d+)", prompt)}
        low, high = sorted(numbers, key=lambda name: numbers[name])
        answer = high if re.search("older|more", prompt) else low
        assert reply.startswith(f"{low} {numbers[low]} < {high} {numbers[high]}\n{answer} ")


def test_json_replies_parse_and_copy_from_the_prompt(base: list[dict]) -> None:
    for document in [d for d in base if d["kind"] == "json"]:
        prompt = " ".join(m["content"] for m in document["messages"][:-1])
        value = json.loads(document["messages"][-1]["content"])
        fields = value.get("fields", value)
        assert fields and all(str(v).strip('"') in prompt for v in fields.values())


def test_documents_are_short(base: list[dict]) -> None:
    lengths = [len(re.findall(r"\w+|[^\w\s]", text_of(d))) for d in base]
    assert max(lengths) < 110 and sum(lengths) / len(lengths) < 45
