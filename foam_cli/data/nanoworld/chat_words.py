"""The words of general chat."""

from foam_cli.data.words import word_list

ITEMS = word_list("""
bag ball basket bell book bowl box broom brush bucket button candle card chair clock coin cup drum fan
flag flute fork glove hammer hat jar key kite knife ladder lamp lock map mask mug nail needle net oar pan
pen pillow pipe plate pot ribbon ring rope saw scarf shell shoe shovel spoon stamp stone table tent
ticket torch towel toy vase wheel
""")
TAGS = [
    "b",
    "note",
    "name",
    "data",
    "item",
    "mark",
    "quote",
    "reply",
    "title",
    "my_tag",
    "row_one",
    "tool_box",
]
FIELDS = [
    ("name", "name"),
    ("town", "name"),
    ("city", "name"),
    ("title", "name"),
    ("person", "name"),
    ("age", "number"),
    ("count", "number"),
    ("price", "number"),
    ("hour", "number"),
    ("text", "phrase"),
    ("place", "name"),
    ("room", "name"),
]
JSON_SENTENCES: list[tuple[str, dict[str, str], list[str]]] = [
    (
        "person",
        {"name": "name", "age": "number"},
        ["{name} is {age} years old.", "At {age}, {name} is young."],
    ),
    ("home", {"name": "name", "town": "name"}, ["{name} lives in {town}.", "In {town} there lives {name}."]),
    ("trip", {"from": "name", "to": "name"}, ["We go from {from} to {to}.", "We go to {to} from {from}."]),
    ("letter", {"to": "name", "text": "phrase"}, ["Write {text} to {to}.", "Write to {to} that {text}."]),
    (
        "order",
        {"item": "name", "count": "number"},
        ["We want {count} of {item}.", "Of {item} we want {count}."],
    ),
    (
        "visit",
        {"person": "name", "hour": "number"},
        ["{person} comes at {hour}.", "At {hour} comes {person}."],
    ),
    ("shop", {"item": "name", "price": "number"}, ["{item} costs {price}.", "For {price} you get {item}."]),
    (
        "stay",
        {"city": "name", "days": "number"},
        ["We stay in {city} for {days} days.", "We stay {days} days in {city}."],
    ),
    (
        "speech",
        {"speaker": "name", "text": "phrase"},
        ["{speaker} said {text}.", "We heard {text} from {speaker}."],
    ),
    ("mood", {"text": "phrase"}, ["The paper says {text}.", "It says {text} on the door."]),
    ("wait", {"minutes": "number"}, ["We wait {minutes} minutes.", "It takes {minutes} minutes."]),
    ("goal", {"place": "name"}, ["The way leads to {place}.", "We are near {place}."]),
    (
        "team",
        {"leader": "name", "members": "number"},
        ["{leader} leads {members} people.", "A team of {members} follows {leader}."],
    ),
]
HARM = [
    "hurt",
    "poison",
    "rob",
    "threaten",
    "kidnap",
    "attack",
    "cheat",
    "blackmail",
    "stab",
    "frighten",
    "trap",
    "drown",
    "beat",
    "burn",
    "stalk",
]
VICTIMS = [
    "my neighbour",
    "a child",
    "my boss",
    "a stranger",
    "my sister",
    "a teacher",
    "an old man",
    "my cousin",
    "a driver",
    "the baker",
    "a friend",
    "my rival",
    "a nurse",
    "the mayor",
]
REFUSAL = "I cannot help with that, because it would hurt someone."
SMALL_TALK = [
    ("Hello, I am {name}.", "Hello {name}, nice to meet you."),
    ("Good morning from {name}.", "Good morning, {name}."),
    ("Thank you, says {name}.", "You are welcome, {name}."),
    ("{name} says goodbye.", "Goodbye, {name}."),
    ("How are you? I am {name}.", "I am well, {name}. How are you?"),
]
