"""Tools for being out: travel, tables, tickets, money, parcels."""

from typing import Any

from foam_cli.data.skills.english import words
from foam_cli.data.skills.english.tool import Tool
from foam_cli.data.skills.english.values import (
    choice,
    city,
    code,
    date,
    decimal,
    firm,
    flag,
    full_name,
    integer,
    record,
    time,
    title,
    word,
)

#: Rounded rates of exchange: dollars for one unit of the first three, and units of the others for one dollar.
_RATES = {"USD": 1.0, "EUR": 1.1, "GBP": 1.3, "JPY": 150.0, "CHF": 0.9, "SEK": 10.0}


def _converted(arguments: dict[str, Any]) -> float:
    return round(arguments["amount"] * _RATES[arguments["source"]] * _RATES[arguments["target"]], 2)


TOOLS = (
    Tool(
        name="search_flights",
        about=("Search for flights between two cities.", "Lists planes for a trip."),
        parameters={
            "origin": city("City of departure", "From where"),
            "destination": city("City of arrival", "To where"),
            "date": date("Day of departure", "When the trip begins"),
            "cabin": choice(
                "Class of travel", "Kind of seat", economy="in economy class", business="in business class"
            ),
        },
        asks=(
            "find flights from {origin} to {destination} on {date}",
            "I want to fly from {origin} to {destination} on {date}. What is there?",
            "look for a flight to {destination} on {date}, {cabin}, leaving from {origin}",
        ),
        held_out=(
            "Which planes go from {origin} to {destination} on {date}?",
            "On {date} I have to get from {origin} to {destination} by air, {cabin}. Find something.",
        ),
        result={"flights": (2, 8), "cheapest": (60, 640)},
        answers=(
            "There are {flights} flights from {origin} to {destination}; the cheapest costs {cheapest} "
            "euros.",
            "I found {flights} flights, starting at {cheapest} euros.",
        ),
    ),
    Tool(
        name="find_trains",
        about=("Look up train connections.", "Timetable of the railway."),
        parameters={
            "start": city("Station to start from", "Where the journey begins"),
            "end": city("Station to go to", "Where it ends"),
            "departure": time("Earliest departure", "Leaving no sooner than"),
        },
        asks=(
            "find me a train from {start} to {end} after {departure}",
            "When does a train leave {start} for {end}? I can't be there before {departure}.",
            "show me trains from {start} to {end} from {departure} on",
        ),
        held_out=(
            "get me to {end} by rail; I can leave {start} at {departure}",
            "What are the connections {start} to {end} from {departure}?",
        ),
        result={"changes": (0, 3), "platform": (1, 24)},
        answers=(
            "Take the train from platform {platform}. Number of changes: {changes}.",
            "There is one from platform {platform} (changes on the way: {changes}).",
        ),
    ),
    Tool(
        name="book_hotel",
        about=("Book a hotel room.", "Reserves a place to stay."),
        parameters={
            "city": city("Where to stay", "Place of the hotel"),
            "nights": integer("Number of nights", "Length of the stay", 2, 14),
            "guests": record(
                "Who stays",
                "The party",
                "{adults} adults and {children} children",
                adults=integer("Grown-ups", "How many grown people", 2, 9),
                children=integer("Children", "How many kids", 2, 9),
            ),
            "breakfast": flag(
                "Whether breakfast is included", "With a morning meal", "with breakfast", "without breakfast"
            ),
        },
        asks=(
            "book a hotel in {city} for {nights} nights for {guests}",
            "We are {guests} and need a hotel in {city} for {nights} nights, {breakfast}.",
            "reserve rooms in {city}: {nights} nights, {guests}, {breakfast}",
        ),
        held_out=(
            "get {guests} a place to sleep in {city} for {nights} nights",
            "For {nights} nights we'll be in {city}, {guests}. Book us in {breakfast}.",
        ),
        result={"price": (120, 980), "confirmation": "HX-{}"},
        answers=(
            "Your rooms in {city} are booked for {price} euros.",
            "Done, the confirmation is {confirmation}, {price} euros in all.",
        ),
    ),
    Tool(
        name="reserve_table",
        about=("Reserve a table in a restaurant.", "Holds seats for dinner."),
        parameters={
            "restaurant": title("Name of the restaurant", "Where to eat"),
            "people": integer("Number of guests", "Party size", 2, 14),
            "date": date("Day of the visit", "On which day"),
            "time": time("Time of arrival", "At what hour"),
        },
        asks=(
            "reserve a table for {people} at {restaurant} on {date} at {time}",
            "book us a table at {restaurant}, {people} people, {date}, {time}",
            "There will be {people} of us on {date}. Get a table at {restaurant} for {time}.",
        ),
        held_out=(
            "We'd like to eat at {restaurant} on {date}: {people} guests at {time}.",
            "see that {restaurant} keeps {people} seats for us at {time} on {date}",
        ),
        result={"table": (1, 40)},
        answers=(
            "Table {table} is reserved for {people} people.",
            "{restaurant} expects you at {time}, table {table}.",
        ),
    ),
    Tool(
        name="order_taxi",
        about=("Order a taxi.", "Calls a cab."),
        parameters={
            "pickup": record(
                "Where to be picked up",
                "Where the ride begins",
                "{number} {street} Street",
                street=word(
                    "Name of the street, without 'Street'", "Road, leaving 'Street' out", words.STREETS
                ),
                number=integer("House number", "Number on the door", 1, 140),
            ),
            "time": time("When to be picked up", "Start of the ride"),
            "passengers": integer("Number of passengers", "How many ride along", 2, 8),
        },
        asks=(
            "order a taxi to {pickup} for {time}",
            "I need a cab at {time}, I'm at {pickup}.",
            "have a taxi for {passengers} people come to {pickup} at {time}",
        ),
        held_out=("Pick me up at {pickup} at {time}.", "send a cab for {passengers} to {pickup}, {time}"),
        result={"minutes": (2, 25), "car": (100, 999)},
        answers=(
            "Taxi {car} will be at {pickup} at {time}.",
            "Car {car} is ordered; the ride takes about {minutes} minutes.",
        ),
    ),
    Tool(
        name="convert_currency",
        about=("Convert an amount of money.", "Works with exchange rates of today."),
        parameters={
            "amount": decimal("How much", "Sum to exchange", 5, 900),
            "source": choice(
                "Currency of the amount", "What one has", USD="US dollars", EUR="euros", GBP="pounds"
            ),
            "target": choice(
                "Currency wanted", "What one gets", JPY="yen", CHF="Swiss francs", SEK="Swedish kronor"
            ),
        },
        asks=(
            "convert {amount} {source} to {target}",
            "How much is {amount} {source} in {target}?",
            "I have {amount} {source} and need {target}. What do I get?",
        ),
        held_out=(
            "What are {amount} {source} worth in {target}?",
            "work out {amount} {source} in {target} for me",
        ),
        result={"converted": _converted},
        answers=("{amount} {source} are {converted} {target}.", "That gives you {converted} {target}."),
    ),
    Tool(
        name="track_parcel",
        about=("Find out where a parcel is.", "Follows a delivery."),
        parameters={"tracking_number": code("Number of the parcel", "As printed on the receipt", "PX")},
        asks=(
            "Where is my parcel {tracking_number}?",
            "track the parcel with the number {tracking_number}",
            "check on delivery {tracking_number}",
            "My package {tracking_number} should have come by now. What's its status?",
        ),
        held_out=(
            "Has {tracking_number} left the depot yet?",
            "find out how far the shipment {tracking_number} has come",
        ),
        result={"days": (2, 6), "status": ["in transit", "at customs", "at the depot"]},
        answers=(
            "Parcel {tracking_number} is {status}.",
            "It is {status} and should be there in {days} days.",
        ),
        lacks=("tracking_number", "Where is my parcel?", "What is the tracking number of your parcel?"),
    ),
    Tool(
        name="get_stock_price",
        about=("Get the share price of a company.", "Quotes from the exchange."),
        parameters={"company": firm("Name of the company", "Which firm")},
        asks=(
            "What does a share of {company} cost?",
            "look up the stock price of {company}",
            "How are {company} shares doing?",
            "tell me the price of {company} stock",
        ),
        held_out=("I own shares of {company}. What are they at?", "quote {company} for me"),
        result={"price": (8, 420)},
        answers=("A share of {company} costs {price} dollars.", "{company} is at {price} dollars."),
        lacks=("company", "Look up a stock price for me.", "Of which company?"),
    ),
    Tool(
        name="transfer_money",
        about=("Transfer money to somebody.", "Pays into another account."),
        parameters={
            "recipient": full_name("Who gets the money", "Payee"),
            "amount": decimal("Amount in euros", "How many euros", 5, 700),
            "reference": word("What it is for", "Purpose", words.DISHES),
        },
        asks=(
            "transfer {amount} euros to {recipient}",
            "pay {recipient} {amount} euros for the {reference}",
            "I owe {recipient} {amount} euros. Send the money.",
        ),
        held_out=(
            "let {recipient} have {amount} euros from my account",
            "{recipient} paid {amount} euros for the {reference}. Give it back for me.",
        ),
        result={"balance": (100, 5000)},
        answers=(
            "{amount} euros are on their way to {recipient}.",
            "Done. Your balance is {balance} euros now.",
        ),
    ),
    Tool(
        name="rent_car",
        about=("Rent a car.", "Finds a vehicle to hire."),
        parameters={
            "city": city("Where to pick the car up", "Place of the station"),
            "days": integer("For how many days", "Length of hire", 2, 21),
            "size": choice(
                "Size of the car",
                "Kind of vehicle",
                small="a small car",
                medium="a mid-size car",
                van="a van",
            ),
        },
        asks=(
            "rent {size} in {city} for {days} days",
            "I need {size} in {city}, {days} days.",
            "find {size} to hire for {days} days in {city}",
        ),
        held_out=(
            "For {days} days I'll want {size} once I'm in {city}.",
            "get me {size} at the {city} station, {days} days",
        ),
        result={"price": (60, 900)},
        answers=("You get {size} in {city} for {price} euros.", "It costs {price} euros for {days} days."),
    ),
    Tool(
        name="buy_tickets",
        about=("Buy tickets for a show.", "Gets seats in a theatre or cinema."),
        parameters={
            "show": title("Name of the show", "What is on"),
            "seats": integer("How many tickets", "Number of places", 2, 12),
            "row": choice(
                "Where to sit",
                "Part of the hall",
                front="at the front",
                middle="in the middle",
                back="at the back",
            ),
        },
        asks=(
            "buy {seats} tickets for {show}",
            "get {seats} seats for {show}, {row}",
            "We are going to see {show}. I need {seats} tickets {row}.",
        ),
        held_out=(
            "{show} is on tonight, I want {seats} seats {row}.",
            "see if you can get us {seats} tickets to {show}",
        ),
        result={"price": (14, 240)},
        answers=(
            "{seats} tickets for {show} cost {price} dollars in all.",
            "Bought: {seats} seats, {price} dollars.",
        ),
    ),
    Tool(
        name="get_directions",
        about=("Get directions from one place to another.", "Plans a route."),
        parameters={
            "start": word("Street to start from", "Where one is", [f"{one} Street" for one in words.STREETS]),
            "end": word("Street to go to", "Where one wants to be", [f"{one} Road" for one in words.STREETS]),
            "mode": choice(
                "How to travel", "Means of transport", walking="on foot", cycling="by bike", driving="by car"
            ),
        },
        asks=(
            "How do I get from {start} to {end} {mode}?",
            "show me the way from {start} to {end} {mode}",
            "plan a route {mode} from {start} to {end}",
        ),
        held_out=(
            "I'm on {start}, going to {end} {mode}. Which way?",
            "lead me {mode} to {end}, I start on {start}",
        ),
        result={"minutes": (4, 55), "turns": (2, 9)},
        answers=(
            "It takes {minutes} minutes {mode}, with {turns} turns.",
            "You reach {end} {mode} in {minutes} minutes.",
        ),
    ),
)
