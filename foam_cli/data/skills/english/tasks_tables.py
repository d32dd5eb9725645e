"""Tasks with small tables."""

from foam_cli.data.skills.english import words
from foam_cli.data.skills.english.kind import Draw, EnglishKind, Solved


def _distinct(d: Draw, count: int, low: int, high: int) -> list[int]:
    found = list[int]()
    while len(found) < count:
        n = d.number(low, high)
        if n not in found:
            found.append(n)
    return found


def _sum_of_two(d: Draw) -> Solved:
    people = d.people(d.steps + 2)
    numbers = [d.number(3, 80) for _ in people]
    first, second = d.random.sample(range(len(people)), 2)
    rows = "; ".join(f"{who}: {n}" for who, n in zip(people, numbers, strict=True))
    total = numbers[first] + numbers[second]
    lines = [f"{people[i]} has {numbers[i]}" for i in (first, second)]
    lines.append(f"{numbers[first]} + {numbers[second]} = {total}")
    return Solved(places={"rows": rows, "a": people[first], "b": people[second]}, lines=lines, answer=total)


def _largest_value(d: Draw) -> Solved:
    things = d.some(words.THINGS, d.steps + 1)
    while True:
        rows = [(thing, d.number(2, 30), d.number(2, 30)) for thing in things]
        values = [n * price for _, n, price in rows]
        if len(set(values)) == len(values):
            break
    listing = "; ".join(f"{n} {thing} at {price} dollars apiece" for thing, n, price in rows)
    lines = [f"{thing}: {n} * {price} = {n * price}" for thing, n, price in rows]
    best = things[values.index(max(values))]
    lines.append(f"The largest is {max(values)}: {best}")
    return Solved(places={"rows": listing}, lines=lines, answer=best, options=len(things))


def _count_rows(d: Draw) -> Solved:
    people = d.people(d.steps + 3)
    rows = [(who, d.number(18, 70), d.pick(("tea", "coffee"))) for who in people]
    limit, drink = d.number(25, 60), d.pick(("tea", "coffee"))
    listing = "; ".join(f"{who}, {age}, {drinks}" for who, age, drinks in rows)
    hits = [who for who, age, drinks in rows if age > limit and drinks == drink]
    lines = [f"{who}: {age} and {drinks}, {'yes' if who in hits else 'no'}" for who, age, drinks in rows]
    return Solved(
        places={"rows": listing, "limit": limit, "drink": drink},
        lines=lines,
        answer=len(hits),
        options=len(people) + 1,
    )


def _filter(d: Draw) -> Solved:
    things = d.some(words.FOODS, d.steps + 2)
    prices = _distinct(d, len(things), 2, 40)
    limit = sorted(prices)[d.random.randrange(1, len(prices) - 1)]
    rows = "; ".join(f"{thing} {price}" for thing, price in zip(things, prices, strict=True))
    hits = sorted(thing for thing, price in zip(things, prices, strict=True) if price <= limit)
    lines = [
        f"{thing}: {price}, {'in' if price <= limit else 'out'}"
        for thing, price in zip(things, prices, strict=True)
    ]
    lines.append(f"Sorted: {', '.join(hits)}")
    return Solved(places={"rows": rows, "limit": limit}, lines=lines, answer=hits, options=2 ** len(things))


def _rank(d: Draw) -> Solved:
    people = d.people(d.steps + 2)
    scores = _distinct(d, len(people), 5, 95)
    place = d.random.randrange(1, 4)
    ordered = sorted(zip(scores, people, strict=True), reverse=True)
    rows = "; ".join(f"{who} {n}" for who, n in zip(people, scores, strict=True))
    lines = [f"{at}. {who} {n}" for at, (n, who) in enumerate(ordered[:place], 1)]
    ordinal = ("first", "second", "third")[place - 1]
    return Solved(
        places={"rows": rows, "ordinal": ordinal},
        lines=lines,
        answer=ordered[place - 1][1],
        options=len(people),
    )


def _join_tables(d: Draw) -> Solved:
    people, cities = d.people(d.steps + 1), d.some(words.CITIES, d.steps + 1)
    fares = _distinct(d, len(cities), 12, 90)
    home = {who: d.pick(cities) for who in people}
    homes = "; ".join(f"{who}: {city}" for who, city in home.items())
    costs = list(zip(cities, fares, strict=True))
    d.random.shuffle(costs)
    asked = d.random.sample(people, 2)
    fare = dict(costs)
    lines = [f"{who}: {home[who]}, {fare[home[who]]}" for who in asked]
    total = sum(fare[home[who]] for who in asked)
    lines.append(" + ".join(str(fare[home[who]]) for who in asked) + f" = {total}")
    places = {
        "homes": homes,
        "fares": "; ".join(f"{city} {n}" for city, n in costs),
        "a": asked[0],
        "b": asked[1],
    }
    return Solved(places=places, lines=lines, answer=total)


def _cheapest(d: Draw) -> Solved:
    shops = d.some(words.COMPANY_WORDS, d.steps + 1)
    units = _distinct(d, len(shops), 3, 40)
    packs = [d.number(2, 12) for _ in shops]
    rows = "; ".join(
        f"{shop}: {n} for {n * unit} dollars" for shop, n, unit in zip(shops, packs, units, strict=True)
    )
    lines = [f"{shop}: {n * unit} / {n} = {unit}" for shop, n, unit in zip(shops, packs, units, strict=True)]
    best = shops[units.index(min(units))]
    lines.append(f"The lowest is {min(units)}: {best}")
    return Solved(
        places={"thing": d.some(words.THINGS, 1)[0], "rows": rows},
        lines=lines,
        answer=best,
        options=len(shops),
    )


def _group_totals(d: Draw) -> Solved:
    cities = d.some(words.CITIES, 2 if d.steps < 4 else 3)
    while True:
        rows = [(city, d.number(3, 60)) for city in cities for _ in range(2)]
        totals = {city: sum(n for one, n in rows if one == city) for city in cities}
        if len(set(totals.values())) == len(totals):
            break
    d.random.shuffle(rows)
    lines = [
        " + ".join(str(n) for one, n in rows if one == city) + f" = {totals[city]} for {city}"
        for city in cities
    ]
    best = max(totals, key=lambda city: totals[city])
    lines.append(f"The largest is {totals[best]}: {best}")
    return Solved(
        places={"rows": "; ".join(f"{city} {n}" for city, n in rows)},
        lines=lines,
        answer=best,
        options=len(cities),
    )


def _route(d: Draw) -> Solved:
    start, end, *via = d.some(words.CITIES, 2 + d.steps)
    while True:
        legs = [(d.number(20, 95), d.number(20, 95)) for _ in via]
        totals = [a + b for a, b in legs]
        if len(set(totals)) == len(totals):
            break
    rows = "; ".join(
        f"{start} to {stop} {a} km, {stop} to {end} {b} km" for stop, (a, b) in zip(via, legs, strict=True)
    )
    lines = [f"via {stop}: {a} + {b} = {a + b}" for stop, (a, b) in zip(via, legs, strict=True)]
    best = via[totals.index(min(totals))]
    lines.append(f"The shortest is {min(totals)}: {best}")
    return Solved(
        places={"start": start, "end": end, "rows": rows}, lines=lines, answer=best, options=len(via)
    )


KINDS = {
    "sum_of_two": EnglishKind(
        solve=_sum_of_two,
        asks=(
            "Stamps collected: {rows}. How many do {a} and {b} have together?",
            "Here is a list. {rows}. What is the sum of {a} and {b}?",
            "{rows}. Add up what {a} and {b} have.",
        ),
        held_out=("From this list, {rows}, total the entries of {a} and {b}.",),
    ),
    "largest_value": EnglishKind(
        solve=_largest_value,
        asks=(
            "In the storeroom: {rows}. Which goods are worth most in all?",
            "{rows}. What is the most valuable kind of goods, counting all its pieces?",
            "We hold {rows}. Name the kind with the highest total value.",
        ),
        held_out=("Consider {rows}. The whole stock of which article has the greatest value?",),
    ),
    "count_rows": EnglishKind(
        solve=_count_rows,
        asks=(
            "Name, age, drink: {rows}. How many are older than {limit} and drink {drink}?",
            "{rows}. How many people over {limit} take {drink}?",
            "Guests (name, age, drink): {rows}. Count the {drink} drinkers above {limit}.",
        ),
        held_out=("The table says: {rows}. What number of {drink} drinkers has an age above {limit}?",),
    ),
    "filter": EnglishKind(
        solve=_filter,
        asks=(
            "Prices in dollars: {rows}. List what costs at most {limit}, in alphabetical order, as a "
            "JSON list.",
            "These are for sale: {rows}. Which of them cost {limit} dollars or less? Sort them by name, as "
            "a list.",
            "On offer: {rows}. Give a sorted list of all that cost no more than {limit} dollars.",
        ),
        held_out=("Out of {rows}, keep what is priced {limit} or lower; answer with an alphabetical list.",),
    ),
    "rank": EnglishKind(
        solve=_rank,
        asks=(
            "Scores: {rows}. Who came {ordinal}, with the highest score winning?",
            "{rows}. Who is {ordinal} if the highest score is best?",
            "After the race for points we have {rows}. Who is {ordinal} from the top?",
        ),
        held_out=("Results, more is better: {rows}. Whose rank is {ordinal}?",),
    ),
    "join_tables": EnglishKind(
        solve=_join_tables,
        asks=(
            "Homes: {homes}. Fares in euros: {fares}. What do the tickets home for {a} and {b} cost "
            "together?",
            "{homes}. A ticket costs: {fares}. {a} and {b} both go home. How many euros is that?",
            "Where people live: {homes}. Fares: {fares}. Sum the fares of {a} and {b}.",
        ),
        held_out=("Residence: {homes}. Price by town: {fares}. Total price for sending {a} and {b} home?",),
    ),
    "cheapest": EnglishKind(
        solve=_cheapest,
        asks=(
            "Offers for {thing}: {rows}. Which shop is cheapest per piece?",
            "I compare {thing}. {rows}. Where does one piece cost least?",
            "{rows}. Who sells {thing} at the lowest price apiece?",
        ),
        held_out=("Packs of {thing}: {rows}. At which shop is the price of one lowest?",),
    ),
    "group_totals": EnglishKind(
        solve=_group_totals,
        asks=(
            "Sales by branch: {rows}. Which branch sold most in all?",
            "{rows}. Add up per city: which city has the largest total?",
            "Orders came in: {rows}. Name the city with most orders.",
        ),
        held_out=("Several deliveries: {rows}. Summed by town, where is the maximum?",),
    ),
    "route": EnglishKind(
        solve=_route,
        asks=(
            "From {start} to {end} there are these ways: {rows}. Which stop lies on the shortest way?",
            "{rows}. I go from {start} to {end}. Via which city is it shortest?",
            "Ways between {start} and {end}: {rows}. Through which city should I travel to save distance?",
        ),
        held_out=("Choose the stop that makes {start} to {end} shortest: {rows}.",),
    ),
}
