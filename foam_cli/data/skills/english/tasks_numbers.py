"""Tasks with numbers: chains, measures, rates."""

from foam_cli.data.skills.english import words
from foam_cli.data.skills.english.kind import Draw, EnglishKind, Solved, joined, sum_lines


def _chain(d: Draw) -> Solved:
    value = start = d.number(5, 40)
    steps, lines = list[str](), list[str]()
    for _ in range(d.steps):
        sign = d.pick("+-*")
        n = d.number(2, 9) if sign == "*" else d.number(2, max(5, min(value, 60)))
        after = {"+": value + n, "-": value - n, "*": value * n}[sign]
        trained = {
            "+": ("add {n}", "increase it by {n}"),
            "-": ("subtract {n}", "take away {n}"),
            "*": ("multiply by {n}", "take it {n} times"),
        }
        held = {"+": ("make it {n} larger",), "-": ("make it {n} smaller",), "*": ("scale it by {n}",)}
        steps.append(d.say(trained[sign], held[sign], n=n))
        lines.append(f"{value} {sign} {n} = {after}")
        value = after
    return Solved(places={"start": start, "steps": ", then ".join(steps)}, lines=lines, answer=value)


def _average(d: Draw) -> Solved:
    count = d.steps + 1
    people = d.people(count)
    numbers = [d.number(5, 70) for _ in people]
    while sum(numbers) % count:
        numbers[-1] = d.number(5, 90)
    rows = joined([f"{who} {n}" for who, n in zip(people, numbers, strict=True)])
    lines = [*sum_lines(numbers), f"{sum(numbers)} / {count} = {sum(numbers) // count}"]
    return Solved(places={"rows": rows}, lines=lines, answer=sum(numbers) // count)


def _units(d: Draw) -> Solved:
    big, small, factor, thing = d.pick(
        (
            ("m", "cm", 100, "a rope"),
            ("kg", "g", 1000, "a bag of flour"),
            ("l", "ml", 1000, "a tank"),
            ("km", "m", 1000, "a trail"),
        )
    )
    rows = [(d.number(1, 9), d.number(5, 95)) for _ in range(d.steps)]
    parts = [a * factor + b for a, b in rows]
    lines = [f"{a} {big} {b} {small} = {a * factor + b} {small}" for a, b in rows] + sum_lines(parts)
    listing = joined([f"{a} {big} {b} {small}" for a, b in rows])
    return Solved(places={"parts": listing, "small": small, "thing": thing}, lines=lines, answer=sum(parts))


def _recipe(d: Draw) -> Solved:
    base, times = d.number(2, 6), d.number(2, 7)
    foods = d.some(words.FOODS, d.steps)
    grams = [d.number(2, 40) * 10 for _ in foods]
    rows = joined([f"{g} g of {food}" for food, g in zip(foods, grams, strict=True)])
    lines = [f"{base * times} / {base} = {times}"]
    lines += [f"{food}: {g} * {times} = {g * times}" for food, g in zip(foods, grams, strict=True)]
    lines += sum_lines([g * times for g in grams])
    places = {"dish": d.some(words.DISHES, 1)[0], "base": base, "rows": rows, "guests": base * times}
    return Solved(places=places, lines=lines, answer=sum(grams) * times)


def _trip(d: Draw) -> Solved:
    legs = [(d.number(1, 6), d.number(20, 99)) for _ in range(d.steps)]
    listing = joined(
        [f"{hours} {'hour' if hours == 1 else 'hours'} at {speed} km/h" for hours, speed in legs]
    )
    lines = [f"{hours} * {speed} = {hours * speed}" for hours, speed in legs]
    lines += sum_lines([hours * speed for hours, speed in legs])
    return Solved(
        places={"who": d.people(1)[0], "legs": listing}, lines=lines, answer=sum(h * s for h, s in legs)
    )


def _area(d: Draw) -> Solved:
    rooms = d.random.sample(("kitchen", "bedroom", "hall", "bathroom", "study", "cellar", "attic"), d.steps)
    sizes = [(d.number(2, 9), d.number(3, 12)) for _ in rooms]
    rows = joined([f"the {room} is {a} m by {b} m" for room, (a, b) in zip(rooms, sizes, strict=True)])
    lines = [f"{room}: {a} * {b} = {a * b}" for room, (a, b) in zip(rooms, sizes, strict=True)]
    lines += sum_lines([a * b for a, b in sizes])
    return Solved(
        places={"rows": rows, "who": d.people(1)[0]}, lines=lines, answer=sum(a * b for a, b in sizes)
    )


def _points(d: Draw) -> Solved:
    kinds = [
        ("wins", d.number(2, 12), d.pick((2, 3))),
        ("draws", d.number(2, 12), 1),
        ("bonus rounds", d.number(2, 9), d.pick((5, 6, 7, 8))),
        ("penalties", d.number(2, 6), d.pick((-1, -2, -3))),
        ("fair-play awards", d.number(2, 6), 4),
    ]
    rows = kinds[: d.steps]
    rules = joined([f"{name} count {worth}" for name, _, worth in rows])
    found = joined([f"{n} {name}" for name, n, _ in rows])
    lines, total = list[str](), 0
    for name, n, worth in rows:
        lines.append(f"{name}: {n} * {worth} = {n * worth}")
    for _, n, worth in rows:
        total += n * worth
    lines.append(
        " + ".join(f"({n * worth})" if worth < 0 else f"{n * worth}" for _, n, worth in rows) + f" = {total}"
    )
    return Solved(
        places={"city": d.some(words.CITIES, 1)[0], "rules": rules, "found": found}, lines=lines, answer=total
    )


def _temperature(d: Draw) -> Solved:
    value = start = d.number(1, 25)
    moves, lines = list[str](), list[str]()
    for _ in range(d.steps):
        up, n = d.pick((True, False)), d.number(2, 15)
        moves.append(
            d.say(("it rises by {n} degrees",), ("it gets {n} degrees warmer",), n=n)
            if up
            else d.say(("it falls by {n} degrees",), ("it gets {n} degrees colder",), n=n)
        )
        after = value + n if up else value - n
        lines.append(f"{value} {'+' if up else '-'} {n} = {after}")
        value = after
    return Solved(
        places={"city": d.some(words.CITIES, 1)[0], "start": start, "moves": ", then ".join(moves)},
        lines=lines,
        answer=value,
    )


def _tank(d: Draw) -> Solved:
    into = [d.number(8, 40) for _ in range(d.steps - 1)]
    out, minutes, start = d.number(2, 7), d.number(3, 20), d.number(10, 90)
    net = sum(into) - out
    lines = [
        *sum_lines(into),
        f"{sum(into)} - {out} = {net}",
        f"{net} * {minutes} = {net * minutes}",
        f"{start} + {net * minutes} = {start + net * minutes}",
    ]
    pipes = joined([f"{n} litres" for n in into])
    return Solved(
        places={"start": start, "pipes": pipes, "out": out, "minutes": minutes},
        lines=lines,
        answer=start + net * minutes,
    )


KINDS = {
    "chain": EnglishKind(
        solve=_chain,
        asks=(
            "Start with {start}. Then {steps}. What is the result?",
            "Take the number {start}, {steps}. Which number do you get?",
            "I think of {start}. I {steps}. Where do I end up?",
        ),
        held_out=("Begin at {start} and {steps}. What comes out?",),
    ),
    "average": EnglishKind(
        solve=_average,
        asks=(
            "The points are: {rows}. What is the average?",
            "These are results of a test: {rows}. Find the mean.",
            "How many points do they have on average? {rows}",
        ),
        held_out=("In a game the scores were {rows}. Calculate the mean score.",),
    ),
    "units": EnglishKind(
        solve=_units,
        asks=(
            "Put together {parts} for {thing}. How many {small} is that?",
            "Add {parts}. Give the total in {small}.",
            "For {thing} you need {parts}. What is the sum in {small}?",
        ),
        held_out=("How much are {parts} together, in {small}?",),
    ),
    "recipe": EnglishKind(
        solve=_recipe,
        asks=(
            "A recipe of {dish} for {base} people takes {rows}. How many grams are needed in all for "
            "{guests} people?",
            "For {base} portions of {dish} you need {rows}. What do the ingredients for {guests} "
            "portions weigh together, in grams?",
            "{dish} for {base}: {rows}. I cook for {guests}. How many grams of ingredients is that "
            "altogether?",
        ),
        held_out=(
            "Cooking {dish}, {base} eaters need {rows}. Scale this to {guests} eaters and add the grams up.",
        ),
    ),
    "trip": EnglishKind(
        solve=_trip,
        asks=(
            "{who} drives {legs}. How many kilometres is that?",
            "On the way {who} travels {legs}. How long is the way in km?",
            "What distance does {who} cover in {legs}?",
        ),
        held_out=("{who} is on the road for {legs}. Give the kilometres driven.",),
    ),
    "area": EnglishKind(
        solve=_area,
        asks=(
            "In the flat of {who} {rows}. How many square metres are these together?",
            "{who} lays new floors: {rows}. What is the whole area in square metres?",
            "{who} measured: {rows}. Give the total floor space in square metres.",
        ),
        held_out=("Carpets for {who}: {rows}. How many square metres does one have to buy?",),
    ),
    "points": EnglishKind(
        solve=_points,
        asks=(
            "In the league of {city}, {rules}. A team has {found}. How many points is that?",
            "Points in {city}: {rules}. How many points are {found} worth?",
            "A club from {city} has {found}; {rules}. What is its score?",
        ),
        held_out=("By the rules of {city}, {rules}. Count the points for {found}.",),
    ),
    "temperature": EnglishKind(
        solve=_temperature,
        asks=(
            "In {city} it is {start} degrees. During the day {moves}. How warm is it at the end?",
            "The thermometer in {city} shows {start} degrees, then {moves}. What does it show now?",
            "At dawn {city} has {start} degrees; {moves}. What is the temperature after that?",
        ),
        held_out=("{city} begins the day at {start} degrees; {moves}. How many degrees are there finally?",),
    ),
    "tank": EnglishKind(
        solve=_tank,
        asks=(
            "A tank holds {start} litres. Every minute {pipes} flow in and {out} litres flow out. How "
            "many litres are in it after {minutes} minutes?",
            "There are {start} litres in a pool; {pipes} come in per minute while {out} litres leak. "
            "What is in it {minutes} minutes later?",
            "Into a barrel with {start} litres run {pipes} a minute, and {out} litres a minute run out. "
            "How full is it after {minutes} minutes, in litres?",
        ),
        held_out=(
            "Per minute, {pipes} enter a basin that had {start} litres, and {out} litres leave it. What "
            "does it contain once {minutes} minutes have passed?",
        ),
    ),
}
