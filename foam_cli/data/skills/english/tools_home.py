"""Tools for the day: weather, clocks, the house, food, music."""

from typing import Any

from foam_cli.data.skills.english import words
from foam_cli.data.skills.english.tool import Tool
from foam_cli.data.skills.english.values import (
    choice,
    city,
    first_name,
    flag,
    integer,
    record,
    sentence,
    several,
    time,
    title,
    word,
)


def _temperature(arguments: dict[str, Any]) -> int:
    celsius = 2 + sum(map(ord, arguments["city"])) % 30
    return round(celsius * 9 / 5 + 32) if arguments.get("unit") == "fahrenheit" else celsius


TOOLS = (
    Tool(
        name="get_weather",
        about=("Get the current weather in a city.", "Tells what the weather is like somewhere."),
        parameters={
            "city": city("The city to look up", "Where"),
            "unit": choice(
                "Unit of the temperature",
                "Which scale to use",
                celsius="in Celsius",
                fahrenheit="in Fahrenheit",
            ),
        },
        asks=(
            "What's the weather like in {city} right now?",
            "How warm is it in {city}, {unit}?",
            "check the weather in {city}",
            "tell me the current temperature in {city} {unit}",
        ),
        held_out=(
            "Is it nice outside in {city}? Give it to me {unit}.",
            "find out how the weather is in {city}",
        ),
        result={"temperature": _temperature, "sky": ["clear", "cloudy", "rainy", "windy", "foggy"]},
        answers=(
            "It is {temperature} degrees and {sky} in {city}.",
            "{city} is {sky} at {temperature} degrees.",
        ),
        lacks=("city", "What's the weather like right now?", "For which city shall I check the weather?"),
    ),
    Tool(
        name="set_timer",
        about=("Start a countdown timer.", "Counts down and rings at the end."),
        parameters={
            "minutes": integer("Length in minutes", "How long", 2, 90),
            "label": word("What the timer is for", "Name shown on the timer", words.DISHES),
        },
        asks=(
            "set a timer for {minutes} minutes",
            "start a timer of {minutes} minutes for the {label}",
            "I'm putting the {label} in the oven, it needs {minutes} minutes. Set a timer, please.",
            "count down {minutes} minutes",
        ),
        held_out=(
            "let me know when {minutes} minutes are over",
            "Time the {label} for me: {minutes} minutes.",
        ),
        result={"status": "running"},
        answers=("The timer is running: {minutes} minutes.", "Done, {minutes} minutes from now."),
        lacks=("minutes", "Please set a timer.", "For how many minutes?"),
    ),
    Tool(
        name="set_alarm",
        about=("Set an alarm clock.", "Rings at a given time of day."),
        parameters={
            "time": time("When it rings", "Time of day", 5, 10),
            "repeat": flag("Whether it rings every day", "Daily or only once", "every day", "just once"),
        },
        asks=(
            "wake me up at {time}",
            "set an alarm for {time}, {repeat}",
            "I have to get up at {time}. Set the alarm, please.",
            "make my alarm go off at {time} {repeat}",
        ),
        held_out=("Don't let me sleep past {time}.", "have the alarm ring {repeat} at {time}"),
        result={"status": "set"},
        answers=("Your alarm is set for {time}.", "All right, the alarm rings at {time}."),
        lacks=("time", "Can you set an alarm for me?", "At what time shall it ring?"),
    ),
    Tool(
        name="create_reminder",
        about=("Create a reminder for a point in time.", "Reminds the user of something later on."),
        parameters={
            "text": sentence("What to be reminded of", "The errand", words.ERRANDS),
            "time": time("When to remind", "Time of the reminder"),
        },
        asks=(
            'remind me at {time} to "{text}"',
            'Add a reminder for {time}: "{text}".',
            'remind me of this at {time}: "{text}"',
        ),
        held_out=(
            'I mustn\'t forget "{text}". Nudge me at {time}.',
            'send me the reminder "{text}" at {time}',
        ),
        result={"reminder_id": (100, 999)},
        answers=("I will remind you at {time}.", "Reminder {reminder_id} is set for {time}."),
    ),
    Tool(
        name="add_to_shopping_list",
        about=("Put items on the shopping list.", "Notes down what has to be bought."),
        parameters={"items": several("Items to add", "What to buy", words.FOODS, 4)},
        asks=(
            "add {items} to my shopping list",
            "We're out of {items}. Put them on the list.",
            "put {items} on the shopping list",
            "write down that we need {items}",
        ),
        held_out=(
            "I still have to buy {items}, so the shopping list should say that.",
            "make sure {items} are on the list for the shop",
        ),
        result={"items_on_list": (4, 20)},
        answers=(
            "I added {items}; the list now has {items_on_list} items.",
            "Done: {items} are on your list.",
        ),
        lacks=("items", "Put something on my shopping list.", "Gladly. What shall I add to the list?"),
    ),
    Tool(
        name="find_recipe",
        about=("Find a recipe for a dish.", "Looks in the cookbook."),
        parameters={
            "dish": word("What to cook", "Name of the meal", words.DISHES),
            "servings": integer("For how many people", "Portions", 2, 16),
        },
        asks=(
            "find me a recipe for {dish}",
            "How do I make {dish} for {servings} people?",
            "look up how to cook {dish}",
            "I'd like to cook {dish} for {servings} tonight. Which recipe do you suggest?",
        ),
        held_out=(
            "I feel like {dish}. Get me instructions for {servings} portions.",
            "search the cookbook for {dish}",
        ),
        result={"minutes": (15, 90), "ingredients": (4, 12)},
        answers=(
            "I found a recipe for {dish} with {ingredients} ingredients; it takes {minutes} minutes.",
            "There is one for {dish}: {ingredients} ingredients, ready in {minutes} minutes.",
        ),
    ),
    Tool(
        name="set_thermostat",
        about=("Set the temperature of a room.", "Controls the heating."),
        parameters={
            "room": choice(
                "The room",
                "Which part of the house",
                kitchen="the kitchen",
                bedroom="the bedroom",
                office="the office",
            ),
            "degrees": integer("Target in degrees Celsius", "How warm it should get", 14, 27),
        },
        asks=(
            "set {room} to {degrees} degrees",
            "I'm cold. Heat {room} to {degrees} degrees.",
            "turn the heating in {room} to {degrees}",
        ),
        held_out=("I'd like {degrees} degrees in {room}.", "bring {room} to a temperature of {degrees}"),
        result={"before": (15, 19)},
        answers=(
            "The heating of {room} is now set to {degrees} degrees.",
            "It was {before} degrees, {degrees} is the new target.",
        ),
    ),
    Tool(
        name="set_light",
        about=("Change the brightness of a lamp.", "Dims or switches lights."),
        parameters={
            "room": choice(
                "Where the lamp is",
                "Which lamp",
                hallway="the hallway",
                bathroom="the bathroom",
                garage="the garage",
                nursery="the nursery",
            ),
            "percent": integer("Brightness from 0 to 100", "How bright, in percent", 5, 95),
        },
        asks=(
            "dim the light in {room} to {percent} percent",
            "set the lamp in {room} to {percent}%",
            "It's too bright in {room}, {percent} percent is enough.",
        ),
        held_out=("make the light of {room} {percent} percent bright", "I want {percent}% light in {room}."),
        result={"status": "on"},
        answers=("The light in {room} is at {percent} percent.", "Done, {room} is lit at {percent}% now."),
    ),
    Tool(
        name="play_music",
        about=("Play an album.", "Starts music on a speaker."),
        parameters={
            "album": title("Name of the album", "Which record"),
            "shuffle": flag(
                "Play the songs in random order", "Mix the songs", "in random order", "in the right order"
            ),
        },
        asks=(
            "play the album {album}",
            "put on {album}, {shuffle}",
            "I'm in the mood for {album}, play it {shuffle}.",
            "start playing {album} on the speaker",
        ),
        held_out=("Let's hear {album}.", "let the record {album} run {shuffle}"),
        result={"songs": (7, 18)},
        answers=("Now playing {album}, {songs} songs.", "Here is {album} with its {songs} songs."),
        lacks=("album", "Play an album, please.", "Which album would you like to hear?"),
    ),
    Tool(
        name="log_workout",
        about=("Record a workout in the training diary.", "Keeps track of exercise."),
        parameters={
            "sport": choice(
                "Kind of sport", "What was done", running="running", cycling="cycling", rowing="rowing"
            ),
            "minutes": integer("Duration in minutes", "How long it lasted", 10, 95),
            "intensity": choice(
                "How hard it was", "Effort", easy="an easy one", moderate="a moderate one", hard="a hard one"
            ),
        },
        asks=(
            "log {minutes} minutes of {sport}",
            "I did {minutes} minutes of {sport} today, {intensity}. Put it in my diary.",
            "add a workout: {sport}, {minutes} minutes, {intensity}",
        ),
        held_out=(
            "I just finished {minutes} minutes of {sport}. My training diary should know.",
            "enter {sport} for {minutes} minutes, {intensity}",
        ),
        result={"workouts_this_week": (2, 9)},
        answers=(
            "Noted. That makes {workouts_this_week} workouts this week.",
            "{minutes} minutes of {sport} are in your diary.",
        ),
    ),
    Tool(
        name="order_groceries",
        about=("Order food from the supermarket.", "Has food brought to the door."),
        parameters={
            "product": word("What to order", "The food", words.FOODS),
            "quantity": integer("How many", "Number of pieces or packs", 2, 24),
            "address": record(
                "Where to deliver",
                "Door to bring it to",
                "{number} {street} Street in {city}",
                street=word(
                    "Name of the street, without 'Street'", "Road, leaving 'Street' out", words.STREETS
                ),
                number=integer("House number", "Number on the door", 1, 140),
                city=city("The town", "Place"),
            ),
        },
        asks=(
            "order {quantity} packs of {product} to {address}",
            "have {quantity} packs of {product} delivered to {address}",
            "I need {quantity} packs of {product}. I live at {address}.",
        ),
        held_out=(
            "get {quantity} packs of {product} sent to my door at {address}",
            "Bring {quantity} packs of {product} to {address}, please.",
        ),
        result={"order_number": (1000, 9999), "price": (5, 80)},
        answers=(
            "Ordered: {quantity} packs of {product} for {price} dollars.",
            "Your order {order_number} comes to {price} dollars.",
        ),
    ),
    Tool(
        name="call_contact",
        about=("Call a person from the address book.", "Makes a phone call."),
        parameters={
            "name": first_name("Who to call", "Person to ring"),
            "speaker": flag("Use the loudspeaker", "Hands-free or not", "on speaker", "with the speaker off"),
        },
        asks=(
            "call {name}",
            "ring {name} {speaker}",
            "I want to talk to {name}. Dial the number, please.",
            "phone {name} {speaker}",
        ),
        held_out=("get {name} on the line", "Start a call with {name}, {speaker}."),
        result={"status": ["answered", "no answer", "busy"]},
        answers=("I called {name}: {status}.", "The call to {name} was made: {status}."),
        lacks=("name", "Make a phone call, please.", "Who would you like to call?"),
    ),
)
