"""Every drill is solved again from its first lines alone."""

import re

from foam_cli.core.seeds import rng
from foam_cli.data.nanoworld import drills
from foam_cli.data.words import all_names


def draw(function, count: int = 300) -> list[list[str]]:
    random = rng(0, "test", function.__name__)
    return [function(random).split("\n") for _ in range(count)]


def test_orders_are_ascending_and_people_are_ordered_by_their_numbers():
    for first, second, given, ordered in draw(drills.order):
        for line in (first, second):
            numbers = [int(number) for number in line.split(" < ")]
            assert numbers == sorted(set(numbers)) and len(numbers) == 5
        number_of = {name: int(number) for name, number in re.findall(r"(\w+) (\d+)", given)}
        assert sorted(number_of, key=number_of.__getitem__) == ordered.split(" < ")


def test_rows_come_two_or_three_times():
    found = draw(drills.rows)
    assert {len(lines) for lines in found} == {2, 3}
    for lines in found:
        assert len(set(lines)) == 1 and 3 <= len(lines[0].split()) <= 10


def test_every_entry_of_a_table_comes_twice_more_with_its_own_number():
    for lines in draw(drills.tables):
        text = "\n".join(lines)
        names = [name for name in all_names() if re.search(rf"\b{name}\b", text)]
        table = re.findall(r"([A-Z]\w+) (\d+)", text)[: len(names)]
        entries = lines[-2 * len(names) :]
        pairs = [(re.search(r"[A-Z]\w+", line)[0], re.search(r"\d+", line)[0]) for line in entries]
        assert sorted(pairs) == sorted(table * 2)


def test_handovers_end_where_replaying_the_moves_ends():
    for sentences, *answers in draw(drills.handovers):
        ways: dict[str, list[str]] = {}
        for sentence in re.findall(r"[^.]+\.", sentences):
            thing = re.search(r"[Tt]he (\w+)", sentence)[1]
            people = re.findall(r"\b(?!The\b)[A-Z]\w+", sentence)
            if thing not in ways:
                ways[thing] = people
                continue
            if "gets" in sentence:
                people.reverse()
            assert ways[thing][-1] == people[0]
            ways[thing].append(people[1])
        expected = [f"The {thing}: {', '.join(way)}." for thing, way in ways.items()]
        expected += [f"{way[-1]} has the {thing}." for thing, way in ways.items()]
        assert sorted(answers) == sorted(expected)


def test_chains_are_put_in_order():
    for pairs, chain, again in draw(drills.chains):
        follower = dict(pair.split(" to ") for pair in pairs.split(", "))
        (first,) = set(follower) - set(follower.values())
        way = [first]
        while way[-1] in follower:
            way.append(follower[way[-1]])
        assert chain == again == " ".join(way) and len(way) == len(follower) + 1


def test_a_larger_set_of_drills_begins_with_the_smaller():
    small, large = drills.drill_documents(0, 200), drills.drill_documents(0, 400)
    texts = {document["text"] for document in large}
    assert all(document["text"] in texts for document in small)
    assert {document["kind"] for document in small} == set(drills.KINDS)
