"""Tasks with dates and times of day."""

import datetime
from itertools import pairwise

from foam_cli.data.skills.english import words
from foam_cli.data.skills.english.kind import Draw, EnglishKind, Solved, joined
from foam_cli.data.skills.english.values import MONTHS, clock, draw_date, draw_time

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _said(day: datetime.date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _span(d: Draw) -> tuple[str, int]:
    unit, days = d.pick((("days", 1), ("weeks", 7)))
    n = d.number(2, 20)
    return f"{n} {unit}", n * days


def _deadline(d: Draw) -> Solved:
    day = start = draw_date(d.random, d.held_out)
    spans, lines = list[str](), list[str]()
    for _ in range(d.steps):
        said, days = _span(d)
        after = day + datetime.timedelta(days=days)
        lines.append(f"{day} + {days} days = {after}")
        spans.append(said)
        day = after
    return Solved(
        places={"start": _said(start), "spans": ", then ".join(spans)}, lines=lines, answer=day.isoformat()
    )


def _days_between(d: Draw) -> Solved:
    day = first = draw_date(d.random, d.held_out)
    stays = [d.number(3, 40) for _ in range(d.steps)]
    lines = [f"{first} + {sum(stays)} days = {first + datetime.timedelta(days=sum(stays))}"]
    day += datetime.timedelta(days=sum(stays))
    pause = d.number(2, 9)
    lines.append(f"{sum(stays)} - {pause} = {sum(stays) - pause}")
    return Solved(
        places={"first": _said(first), "last": _said(day), "pause": pause, "who": d.people(1)[0]},
        lines=lines,
        answer=sum(stays) - pause,
    )


def _weekday(d: Draw) -> Solved:
    today = d.random.randrange(7)
    spans = [d.number(4, 40) for _ in range(d.steps)]
    place, lines = today, list[str]()
    for n in spans:
        after = (place + n) % 7
        lines.append(f"{n} = 7 * {n // 7} + {n % 7}; {WEEKDAYS[place]} + {n % 7} = {WEEKDAYS[after]}")
        place = after
    listing = ", and then ".join(f"{n} days" for n in spans)
    return Solved(
        places={"today": WEEKDAYS[today], "spans": listing}, lines=lines, answer=WEEKDAYS[place], options=7
    )


def _clock(d: Draw) -> Solved:
    at = start = draw_time(d.random, d.held_out, 7, 15)
    items, lines = list[str](), list[str]()
    for topic in d.some(words.TOPICS, d.steps):
        minutes = d.number(10, 75)
        items.append(f"{minutes} minutes about {topic}")
        lines.append(f"{clock(at)} + {minutes} min = {clock(at + minutes)}")
        at += minutes
    return Solved(places={"start": clock(start), "items": joined(items)}, lines=lines, answer=clock(at))


def _time_zone(d: Draw) -> Solved:
    home, away = d.some(words.CITIES, 2)
    ahead = d.pick((-8, -6, -5, -3, 2, 3, 5, 7, 9))
    flight, start = [d.number(1, 9) for _ in range(d.steps - 1)], draw_time(d.random, d.held_out)
    lines, at = list[str](), start
    for hours in flight:
        lines.append(f"{clock(at)} + {hours} h = {clock(at + hours * 60)}")
        at += hours * 60
    sign = "+" if ahead > 0 else "-"
    local = (at + ahead * 60) % 1440
    lines.append(f"{clock(at)} {sign} {abs(ahead)} h = {clock(local)}")
    zone = f"{abs(ahead)} hours {'ahead of' if ahead > 0 else 'behind'}"
    legs = joined([f"{hours} {'hour' if hours == 1 else 'hours'}" for hours in flight])
    places = {"home": home, "away": away, "zone": zone, "start": clock(start), "legs": legs}
    return Solved(places=places, lines=lines, answer=clock(local))


def _duration(d: Draw) -> Solved:
    people = d.people(d.steps)
    rows, lines, spent = list[str](), list[str](), list[int]()
    for who in people:
        begin = draw_time(d.random, d.held_out, 7, 14)
        minutes = d.number(15, 95)
        rows.append(f"{who} from {clock(begin)} to {clock(begin + minutes)}")
        lines.append(f"{who}: {clock(begin + minutes)} - {clock(begin)} = {minutes} min")
        spent.append(minutes)
    lines.append(f"{' + '.join(map(str, spent))} = {sum(spent)}")
    return Solved(places={"rows": joined(rows)}, lines=lines, answer=sum(spent))


def _free_slot(d: Draw) -> Solved:
    at, need = draw_time(d.random, d.held_out, 8, 9), d.number(20, 40)
    rows, lines = list[str](), list[str]()
    answer, free = "", d.random.randrange(1, d.steps + 1)
    for place in range(d.steps + 1):
        end = at + d.number(20, 60)
        rows.append(f"{clock(at)} to {clock(end)}")
        gap = (
            need + d.random.randrange(0, 15)
            if place >= free - 1
            else max(5, need - d.random.randrange(5, 15))
        )
        at = end + gap
        if place < d.steps and place <= free - 1:
            lines.append(
                f"{clock(end)} to {clock(at)}: {gap} min, {'enough' if gap >= need else 'too short'}"
            )
        if place == free - 1:
            answer = clock(end)
    return Solved(
        places={"rows": joined(rows), "need": need, "who": d.people(1)[0]}, lines=lines, answer=answer
    )


def _ages(d: Draw) -> Solved:
    people = d.people(d.steps + 1)
    age = first = d.number(6, 30)
    facts, lines = [f"{people[0]} is {first} years old"], list[str]()
    for before, who in pairwise(people):
        n, kind = d.number(2, 9), d.pick(("older", "younger") if age > 12 else ("older", "twice"))
        after = {"older": age + n, "younger": age - n, "twice": age * 2}[kind]
        facts.append(
            f"{who} is twice as old as {before}"
            if kind == "twice"
            else f"{who} is {n} years {kind} than {before}"
        )
        sign = {"older": f"+ {n}", "younger": f"- {n}", "twice": "* 2"}[kind]
        lines.append(f"{who}: {age} {sign} = {after}")
        age = after
    return Solved(places={"facts": ", ".join(facts), "asked": people[-1]}, lines=lines, answer=age)


def _opening_hours(d: Draw) -> Solved:
    days = d.random.sample(WEEKDAYS, d.steps)
    hours = [(d.pick((7, 8, 9, 10)), d.pick((13, 14, 16, 17, 18, 20))) for _ in days]
    # Both sides have the hours in common, so they differ in how these are written.
    row = d.say(("{day} {a}-{b}",), ("{day} from {a} to {b}",), day="{0}", a="{1}", b="{2}")
    rows = joined(
        [row.format(day, clock(a * 60), clock(b * 60)) for day, (a, b) in zip(days, hours, strict=True)]
    )
    lines = [f"{day}: {b} - {a} = {b - a}" for day, (a, b) in zip(days, hours, strict=True)]
    lines.append(f"{' + '.join(str(b - a) for a, b in hours)} = {sum(b - a for a, b in hours)}")
    return Solved(
        places={"city": d.some(words.CITIES, 1)[0], "rows": rows},
        lines=lines,
        answer=sum(b - a for a, b in hours),
    )


KINDS = {
    "deadline": EnglishKind(
        solve=_deadline,
        asks=(
            "It is {start}. Go forward {spans}. Which date is it? Write YYYY-MM-DD.",
            "A project starts on {start} and takes {spans}. On which day (YYYY-MM-DD) is it finished?",
            "From {start}, count {spans}. Give the date as YYYY-MM-DD.",
        ),
        held_out=("Starting at {start}, {spans} go by. Name the day reached, as YYYY-MM-DD.",),
    ),
    "days_between": EnglishKind(
        solve=_days_between,
        asks=(
            "{who} is away from {first} until {last}, and rests on {pause} of these days. How many days "
            "between the two dates are not rest days? Do not count the first day.",
            "How many days lie between {first} and {last}, less {pause} days that {who} is ill? The "
            "first day does not count.",
            "{who} trains daily after {first}, up to {last} inclusive, but leaves out {pause} days. On "
            "how many days is there training?",
        ),
        held_out=(
            "After {first} and up to and including {last}, {who} swims every day, {pause} days "
            "excepted. How often is that?",
        ),
    ),
    "weekday": EnglishKind(
        solve=_weekday,
        asks=(
            "Today is {today}. Which day of the week is it after {spans}?",
            "It's {today}. I wait {spans}. What weekday is it then?",
            "Count {spans} from a {today}. On which weekday do you arrive?",
        ),
        held_out=("Beginning on a {today}, {spans} pass. Say the weekday.",),
    ),
    "clock": EnglishKind(
        solve=_clock,
        asks=(
            "A lesson starts at {start}: {items}, without a break. When does it end (HH:MM)?",
            "At {start} the talks begin: {items}. At what time (HH:MM) are they over?",
            "The programme from {start} on: {items}. Give the time of the end as HH:MM.",
        ),
        held_out=(
            "A seminar opens at {start} and consists of {items}. What does the clock (HH:MM) say afterwards?",
        ),
    ),
    "time_zone": EnglishKind(
        solve=_time_zone,
        asks=(
            "{away} is {zone} {home}. A journey leaves {home} at {start} and takes {legs}. What time "
            "(HH:MM) is it in {away} on arrival?",
            "Clocks in {away} are {zone} those in {home}. I set off in {home} at {start} and travel "
            "{legs}. Local time in {away} then, as HH:MM?",
            "Leaving {home} at {start}, I'm on my way for {legs}. {away} is {zone} {home}. When do I "
            "arrive by the local clock (HH:MM)?",
        ),
        held_out=(
            "Between {home} and {away} there is a difference: the latter is {zone} the former. "
            "Departure {start} in {home}; {legs} later, what is the time HH:MM in {away}?",
        ),
    ),
    "duration": EnglishKind(
        solve=_duration,
        asks=(
            "The desk is taken by {rows}. How many minutes is that in all?",
            "On duty are {rows}. Add up the minutes.",
            "These were on the phone: {rows}. How long together, in minutes?",
        ),
        held_out=("The room was used by {rows}. Minutes of use altogether?",),
    ),
    "free_slot": EnglishKind(
        solve=_free_slot,
        asks=(
            "{who} is busy {rows}. When does the first gap of at least {need} minutes begin (HH:MM)?",
            "Meetings of {who}: {rows}. I need {need} minutes between two of them. What is the earliest "
            "start, as HH:MM?",
            "The calendar of {who} is full {rows}. Find the first break of {need} minutes or more; give "
            "its beginning as HH:MM.",
        ),
        held_out=(
            "Occupied times for {who}: {rows}. From when (HH:MM) are {need} minutes free for the first time?",
        ),
    ),
    "ages": EnglishKind(
        solve=_ages,
        asks=(
            "{facts}. How old is {asked}?",
            "Read carefully: {facts}. What is the age of {asked}?",
            "We know this: {facts}. Find the age of {asked}.",
        ),
        held_out=("Consider: {facts}. State {asked}'s age.",),
    ),
    "opening_hours": EnglishKind(
        solve=_opening_hours,
        asks=(
            "A shop in {city} is open {rows}. For how many hours is that altogether?",
            "The museum of {city}: {rows}. How many hours is it open in total?",
            "Opening times in {city}: {rows}. Sum the hours.",
        ),
        held_out=("{city} library receives readers {rows}. How many hours does one have access?",),
    ),
}
