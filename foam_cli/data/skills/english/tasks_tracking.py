"""Tasks with things, people and money that move."""

from itertools import pairwise

from foam_cli.data.skills.english import words
from foam_cli.data.skills.english.kind import Draw, EnglishKind, Solved, joined

_COLOURS = ("red", "blue", "green", "yellow", "white", "black")


def _owner(d: Draw) -> Solved:
    people, (asked, other) = d.people(d.steps + 2), d.some(words.ONE_THING, 2)
    facts = [f"{people[0]} has the {asked}.", f"{people[-1]} has the {other}."]
    path = [people[0]]
    for who in people[1 : d.steps + 1]:
        facts.append(
            d.say(
                ("{a} gives the {t} to {b}.", "{b} takes the {t} from {a}."),
                ("{a} passes {b} the {t}.",),
                a=path[-1],
                b=who,
                t=asked,
            )
        )
        path.append(who)
    facts.insert(
        d.random.randrange(2, len(facts)),
        d.say(
            ("{a} lends the {t} to {b}.",),
            ("The {t} goes from {a} to {b}.",),
            a=people[-1],
            b=people[0],
            t=other,
        ),
    )
    return Solved(
        places={"facts": " ".join(facts), "asked": asked},
        lines=[f"The {asked}: {', then '.join(path)}"],
        answer=path[-1],
        options=len(people),
    )


def _stock(d: Draw) -> Solved:
    asked, other = d.some(words.THINGS, 2)
    value = start = d.number(20, 90)
    moves, lines = list[str](), list[str]()
    for _ in range(d.steps):
        comes, n = d.pick((True, False)), d.number(2, 18)
        comes = comes or n > value
        after = value + n if comes else value - n
        arrives = d.say(("arrive", "are delivered"), ("come in",))
        leaves = d.say(("are sold", "are taken out"), ("leave the store",))
        moves.append(f"{n} {asked} {arrives if comes else leaves}")
        lines.append(f"{value} {'+' if comes else '-'} {n} = {after}")
        value = after
    moves.insert(
        d.random.randrange(len(moves)),
        f"{d.number(2, 18)} {other} {d.say(('are sold',), ('leave the store',))}",
    )
    return Solved(
        places={
            "start": start,
            "more": d.number(20, 80),
            "asked": asked,
            "other": other,
            "moves": ", ".join(moves),
        },
        lines=lines,
        answer=value,
    )


def _grid(d: Draw) -> Solved:
    x = y = 0
    moves, lines = list[str](), list[str]()
    for _ in range(d.steps):
        name, dx, dy = d.pick((("north", 0, 1), ("south", 0, -1), ("east", 1, 0), ("west", -1, 0)))
        n = d.number(1, 12)
        x, y = x + n * dx, y + n * dy
        moves.append(f"{n} {name}")
        lines.append(f"{n} {name}: [{x}, {y}]")
    return Solved(places={"moves": ", ".join(moves), "who": d.people(1)[0]}, lines=lines, answer=[x, y])


def _queue(d: Draw) -> Solved:
    people = d.people(3 + d.steps)
    line, rest = people[:3], people[3:]
    start = ", ".join(line)
    facts, lines = list[str](), list[str]()
    for who in rest:
        if d.pick((True, False)) and len(line) > 1:
            gone = line.pop(0)
            facts.append(
                d.say(
                    ("{who} is served and leaves", "{who} leaves the front"),
                    ("{who} has been served and goes home",),
                    who=gone,
                )
            )
        else:
            line.append(who)
            facts.append(d.say(("{who} joins at the end",), ("{who} lines up behind the others",), who=who))
        lines.append(", ".join(line))
    place = d.random.randrange(len(line))
    ordinal = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")[place]
    return Solved(
        places={"start": start, "facts": ", ".join(facts), "ordinal": ordinal},
        lines=lines,
        answer=line[place],
        options=len(people),
    )


def _switches(d: Draw) -> Solved:
    rooms = d.random.sample(("kitchen", "hall", "attic", "cellar", "study", "garage"), 4)
    on = {room: d.pick((True, False)) for room in rooms}
    places = {
        "rows": joined([f"{room} {'on' if state else 'off'}" for room, state in on.items()]),
        "who": d.people(1)[0],
    }
    lines, pressed = list[str](), [d.pick(rooms) for _ in range(d.steps)]
    for room in pressed:
        on[room] = not on[room]
        lines.append(f"{room} {'on' if on[room] else 'off'}")
    lit = sorted(room for room in rooms if on[room])
    lines.append(f"On: {', '.join(lit) or 'none'}")
    return Solved(places={**places, "pressed": ", ".join(pressed)}, lines=lines, answer=lit, options=16)


def _boxes(d: Draw) -> Solved:
    thing = d.some(words.ONE_THING, 1)[0]
    names, rooms = d.random.sample(_COLOURS, 3), d.some(words.CITIES, 3)
    where = dict(zip(names, rooms, strict=True))
    inside = names[0]
    facts, lines = list[str](), [f"{thing}: {inside} box in {where[inside]}"]
    for _ in range(d.steps):
        if d.pick((True, False)):
            inside = d.pick([one for one in names if one != inside])
            facts.append(
                d.say(
                    ("the {t} is put into the {box} box", "somebody moves the {t} to the {box} box"),
                    ("the {t} is shifted to the {box} one",),
                    t=thing,
                    box=inside,
                )
            )
        else:
            moved = d.pick(names)
            where[moved] = d.pick([city for city in rooms if city != where[moved]])
            facts.append(
                d.say(
                    ("the {box} box is sent to {city}", "the {box} box travels to {city}"),
                    ("{city} receives the {box} one",),
                    box=moved,
                    city=where[moved],
                )
            )
        lines.append(f"{thing}: {inside} box in {where[inside]}")
    start = joined([f"the {box} box is in {city}" for box, city in zip(names, rooms, strict=True)])
    return Solved(
        places={"thing": thing, "start": start, "first": names[0], "facts": ", then ".join(facts)},
        lines=lines,
        answer=where[inside],
        options=3,
    )


def _accounts(d: Draw) -> Solved:
    people = d.people(3)
    money = {who: d.number(20, 95) for who in people}
    start = joined([f"{who} has {n} dollars" for who, n in money.items()])
    facts, lines, asked = list[str](), list[str](), d.pick(people)
    lines.append(f"{asked}: {money[asked]}")
    for _ in range(d.steps):
        giver, taker = d.random.sample(people, 2)
        n = d.number(2, 15)
        if money[giver] < n:
            giver, taker = taker, giver
        money[giver] -= n
        money[taker] += n
        facts.append(
            d.say(
                ("{a} gives {b} {n} dollars", "{a} pays {n} dollars to {b}"),
                ("{b} receives {n} dollars from {a}",),
                a=giver,
                b=taker,
                n=n,
            )
        )
        if asked in (giver, taker):
            lines.append(f"{asked}: {money[asked]}")
    return Solved(
        places={"start": start, "facts": ". Then ".join(facts), "asked": asked},
        lines=lines,
        answer=money[asked],
    )


def _order(d: Draw) -> Solved:
    people = d.people(d.steps + 1)
    facts = [f"{a} is taller than {b}" for a, b in pairwise(people)]
    d.random.shuffle(facts)
    tallest = d.pick((True, False))
    answer = people[0] if tallest else people[-1]
    return Solved(
        places={"facts": ", ".join(facts), "which": "tallest" if tallest else "shortest"},
        lines=[" > ".join(people)],
        answer=answer,
        options=len(people),
    )


KINDS = {
    "owner": EnglishKind(
        solve=_owner,
        asks=(
            "{facts} Who has the {asked} now?",
            "{facts} Where is the {asked}: with whom?",
            "Follow the {asked}. {facts} Who ends up with it?",
        ),
        held_out=("{facts} Name the final holder of the {asked}.",),
    ),
    "stock": EnglishKind(
        solve=_stock,
        asks=(
            "A store has {start} {asked} and {more} {other}. Today {moves}. How many {asked} are there now?",
            "We begin with {start} {asked} and {more} {other}; {moves}. What is the stock of {asked}?",
            "In stock: {start} {asked}, {more} {other}. Then {moves}. Count the {asked}.",
        ),
        held_out=(
            "The store holds {more} {other} and {start} {asked}. Events: {moves}. How many {asked} remain?",
        ),
    ),
    "grid": EnglishKind(
        solve=_grid,
        asks=(
            "{who} stands at [0, 0]; east is +x and north is +y. Walk: {moves}. Where is {who}? Answer "
            "[x, y].",
            "On a grid (x grows to the east, y to the north) {who} starts at the origin and walks "
            "{moves}. Give the position as [x, y].",
            "Starting from [0, 0], {who} goes {moves}, with x to the east and y to the north. Final [x, y]?",
        ),
        held_out=(
            "East increases x, north increases y. From the origin {who} moves {moves}. State the end "
            "point as [x, y].",
        ),
    ),
    "queue": EnglishKind(
        solve=_queue,
        asks=(
            "In a queue stand {start}, in this order. Then {facts}. Who is {ordinal} in the queue?",
            "Waiting in line: {start}. {facts}. Who is {ordinal} now?",
            "The line is {start} (front to back). After that {facts}. Who stands {ordinal}?",
        ),
        held_out=("Front to back: {start}. What happens: {facts}. Tell me who is {ordinal}.",),
    ),
    "switches": EnglishKind(
        solve=_switches,
        asks=(
            "Lights: {rows}. {who} presses these switches, one after the other: {pressed}. Which lights "
            "are on? Give a sorted list.",
            "At first: {rows}. Then {who} flips {pressed}. List the lights that are on, alphabetically.",
            "{who} finds {rows} and toggles {pressed}. What is lit? Answer with an alphabetical list.",
        ),
        held_out=("State of the lamps: {rows}. Toggled by {who}: {pressed}. Sorted list of those burning?",),
    ),
    "boxes": EnglishKind(
        solve=_boxes,
        asks=(
            "The {thing} is in the {first} box. {start}. Now {facts}. In which city is the {thing}?",
            "We have boxes: {start}. The {first} one holds the {thing}. Then {facts}. Where is the {thing}?",
            "At the start, {start}, with the {thing} in the {first} box. After this {facts}. Name the "
            "city where the {thing} is.",
        ),
        held_out=(
            "Boxes travel: {start}; inside the {first} one lies the {thing}. Steps: {facts}. Which city "
            "has the {thing}?",
        ),
    ),
    "accounts": EnglishKind(
        solve=_accounts,
        asks=(
            "{start}. {facts}. How many dollars does {asked} have?",
            "At noon {start}. Afterwards: {facts}. What does {asked} have in the end?",
            "Purses: {start}. {facts}. How much is in the purse of {asked}?",
        ),
        held_out=("To begin, {start}. Payments: {facts}. State the dollars of {asked}.",),
    ),
    "order": EnglishKind(
        solve=_order,
        asks=(
            "{facts}. Who is the {which}?",
            "Of some friends, {facts}. Name the {which}.",
            "Given that {facts}, who is {which} of all?",
        ),
        held_out=("Heights compared: {facts}. Find the {which} person.",),
    ),
}
