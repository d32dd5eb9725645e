"""Tasks with money."""

from foam_cli.data.skills.english import words
from foam_cli.data.skills.english.kind import Draw, EnglishKind, Solved, joined, sum_lines


def _shopping(d: Draw) -> Solved:
    things = d.some(words.THINGS, d.steps)
    rows = [(thing, d.number(2, 12), d.number(2, 30)) for thing in things]
    listing = joined([f"{n} {thing} at {price} dollars each" for thing, n, price in rows])
    costs = [n * price for _, n, price in rows]
    lines = [f"{thing}: {n} * {price} = {n * price}" for thing, n, price in rows] + sum_lines(costs)
    return Solved(places={"who": d.people(1)[0], "list": listing}, lines=lines, answer=sum(costs))


def _change(d: Draw) -> Solved:
    things = d.some(words.ONE_THING, d.steps)
    prices = [d.number(3, 40) for _ in things]
    paid = -(-sum(prices) // 50) * 50
    listing = joined([f"a {thing} for {price} dollars" for thing, price in zip(things, prices, strict=True)])
    lines = [*sum_lines(prices), f"{paid} - {sum(prices)} = {paid - sum(prices)}"]
    return Solved(
        places={"who": d.people(1)[0], "list": listing, "paid": paid}, lines=lines, answer=paid - sum(prices)
    )


def _whole_reductions(d: Draw) -> tuple[int, list[int]]:
    """A price, and reductions after each of which it is still a whole number."""
    while True:
        start = price = d.number(3, 60) * 100
        percents = [d.pick((10, 20, 25, 50)) for _ in range(d.steps - 1)]
        rest = 0
        for percent in percents:
            price, cents = divmod(price * (100 - percent), 100)
            rest += cents
        if not rest:
            return start, percents


def _discounts(d: Draw) -> Solved:
    start, percents = _whole_reductions(d)
    price, offs, lines = start, list[str](), list[str]()
    for percent in percents:
        off = price * percent // 100
        offs.append(f"{percent} percent")
        lines += [f"{percent}% of {price} = {off}", f"{price} - {off} = {price - off}"]
        price -= off
    extra = d.number(2, 9)
    lines.append(f"{price} - {extra} = {price - extra}")
    places = {
        "thing": d.some(words.ONE_THING, 1)[0],
        "start": start,
        "offs": ", then from there by ".join(offs),
        "extra": extra,
    }
    return Solved(places=places, lines=lines, answer=price - extra)


def _wages(d: Draw) -> Solved:
    days = d.random.sample(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"), d.steps)
    hours = [d.number(2, 9) for _ in days]
    rate, fee = d.number(9, 40), d.number(2, 9)
    rows = joined([f"{n} hours on {day}" for day, n in zip(days, hours, strict=True)])
    lines = [
        *sum_lines(hours),
        f"{sum(hours)} * {rate} = {sum(hours) * rate}",
        f"{sum(hours) * rate} - {fee} = {sum(hours) * rate - fee}",
    ]
    places = {"who": d.people(1)[0], "rows": rows, "rate": rate, "fee": fee}
    return Solved(places=places, lines=lines, answer=sum(hours) * rate - fee)


def _savings(d: Draw) -> Solved:
    start, weekly = d.number(45, 90), d.number(3, 30)
    weeks = d.number(6, 12) if d.hard else d.number(2, 6)
    spent = [d.number(2, 15) for _ in range(d.steps - 1)]
    total = start + weekly * weeks - sum(spent)
    lines, value = (
        [f"{weekly} * {weeks} = {weekly * weeks}", f"{start} + {weekly * weeks} = {start + weekly * weeks}"],
        start + weekly * weeks,
    )
    for one in spent:
        lines.append(f"{value} - {one} = {value - one}")
        value -= one
    costs = joined(
        [
            f"{one} dollars for a {thing}"
            for one, thing in zip(spent, d.some(words.ONE_THING, len(spent)), strict=True)
        ]
    )
    places = {"who": d.people(1)[0], "start": start, "weekly": weekly, "weeks": weeks, "costs": costs}
    return Solved(places=places, lines=lines, answer=total)


def _shares(d: Draw) -> Solved:
    people = d.people(d.steps)
    shares = [d.number(1, 9) for _ in people]
    unit = d.number(3, 40)
    asked = d.random.randrange(len(people))
    total = unit * sum(shares)
    lines = [
        *sum_lines(shares),
        f"{total} / {sum(shares)} = {unit}",
        f"{unit} * {shares[asked]} = {unit * shares[asked]}",
    ]
    places = {
        "people": joined(people),
        "ratio": ":".join(map(str, shares)),
        "total": total,
        "asked": people[asked],
    }
    return Solved(places=places, lines=lines, answer=unit * shares[asked])


def _budget(d: Draw) -> Solved:
    things = d.some(words.THINGS, d.steps)
    rows = [(thing, d.number(2, 12), d.number(2, 25)) for thing in things]
    cost = sum(n * price for _, n, price in rows)
    money = max(5, cost + d.pick((-1, 1)) * d.number(2, 15))
    listing = joined([f"{n} {thing} at {price} dollars each" for thing, n, price in rows])
    lines = [f"{thing}: {n} * {price} = {n * price}" for thing, n, price in rows] + sum_lines(
        [n * p for _, n, p in rows]
    )
    lines.append(f"{cost} is {'at most' if cost <= money else 'more than'} {money}")
    return Solved(
        places={"who": d.people(1)[0], "money": money, "list": listing},
        lines=lines,
        answer=cost <= money,
        options=2,
    )


KINDS = {
    "shopping": EnglishKind(
        solve=_shopping,
        asks=(
            "{who} buys {list}. How many dollars is that in total?",
            "On the receipt of {who} there are {list}. What is the sum in dollars?",
            "What does {who} pay for {list}? Give whole dollars.",
        ),
        held_out=("{who} wants {list}. Compute the bill in dollars.",),
    ),
    "change": EnglishKind(
        solve=_change,
        asks=(
            "{who} buys {list} and pays with {paid} dollars. How much change is due?",
            "With {paid} dollars in hand, {who} gets {list}. How many dollars are left?",
            "{who} hands over {paid} dollars for {list}. What comes back?",
        ),
        held_out=("After paying for {list} out of {paid} dollars, what does {who} still have?",),
    ),
    "discounts": EnglishKind(
        solve=_discounts,
        asks=(
            "A {thing} costs {start} dollars. The price is cut by {offs}, and a coupon takes off "
            "another {extra} dollars. What is the final price?",
            "The price of a {thing} is {start} dollars. It goes down by {offs}; then {extra} dollars "
            "are deducted. What does it cost now?",
            "What do you pay for a {thing} of {start} dollars that is reduced by {offs}, with a voucher "
            "worth {extra} dollars on top?",
        ),
        held_out=(
            "Someone sells a {thing} for {start} dollars, lowers this by {offs}, and finally by {extra} "
            "dollars. What is asked in the end?",
        ),
    ),
    "wages": EnglishKind(
        solve=_wages,
        asks=(
            "{who} works {rows} for {rate} dollars an hour and pays a fee of {fee} dollars. What is left?",
            "For {rate} dollars an hour {who} helps out {rows}. After a fee of {fee} dollars, how much "
            "money is that?",
            "{who} earns {rate} dollars an hour and worked {rows}. {fee} dollars are kept back. What "
            "does {who} get?",
        ),
        held_out=(
            "An hour of {who} costs {rate} dollars. It was {rows}, less {fee} dollars. How many dollars "
            "result?",
        ),
    ),
    "savings": EnglishKind(
        solve=_savings,
        asks=(
            "{who} has {start} dollars, saves {weekly} dollars a week for {weeks} weeks, and then pays "
            "{costs}. How much is there now?",
            "There are {start} dollars in the jar of {who}. For {weeks} weeks {weekly} dollars are "
            "added each week; then {who} pays {costs}. What is in the jar?",
            "{who} starts with {start} dollars and puts aside {weekly} dollars every week. After "
            "{weeks} weeks {who} has paid {costs}. What remains?",
        ),
        held_out=(
            "Savings of {who}: first {start} dollars, plus {weekly} a week during {weeks} weeks, minus "
            "{costs}. What do they come to?",
        ),
    ),
    "shares": EnglishKind(
        solve=_shares,
        asks=(
            "{people} share {total} dollars in the ratio {ratio}. How much does {asked} get?",
            "A prize of {total} dollars is split {ratio} among {people}, in this order. What is the "
            "share of {asked}?",
            "Divide {total} dollars among {people} as {ratio}. How many dollars go to {asked}?",
        ),
        held_out=(
            "{total} dollars belong to {people} in proportion {ratio}. How many of them are {asked}'s?",
        ),
    ),
    "budget": EnglishKind(
        solve=_budget,
        asks=(
            "{who} has {money} dollars. Is that enough for {list}? Answer true or false.",
            "Can {who} afford {list} with {money} dollars? Answer true or false.",
            "{who} wants {list} and owns {money} dollars. True or false: the money suffices.",
        ),
        held_out=("True or false: {money} dollars allow {who} to purchase {list}.",),
    ),
}
