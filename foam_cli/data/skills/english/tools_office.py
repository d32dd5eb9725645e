"""Tools for work: mail, meetings, files, orders, people."""

import statistics
from typing import Any

from foam_cli.data.skills.english import words
from foam_cli.data.skills.english.tool import Tool
from foam_cli.data.skills.english.values import (
    choice,
    code,
    date,
    email,
    firm,
    first_name,
    flag,
    full_name,
    integer,
    numbers,
    record,
    sentence,
    several,
    time,
    title,
    word,
)


def _statistic(arguments: dict[str, Any]) -> float:
    compute = {"mean": statistics.mean, "median": statistics.median, "variance": statistics.variance}
    return round(float(compute[arguments["statistic"]](arguments["values"])), 2)


TOOLS = (
    Tool(
        name="send_email",
        about=("Send an e-mail.", "Writes to an address."),
        parameters={
            "to": email("Address of the recipient", "Who gets it"),
            "subject": word("Subject line", "What it is about", words.TOPICS),
            "body": sentence("Text of the mail", "The words themselves", words.MESSAGES),
        },
        asks=(
            'send a mail to {to} about {subject}: "{body}"',
            'Write to {to}. The subject is "{subject}", the text is "{body}".',
            'e-mail "{body}" to {to} with the subject {subject}',
        ),
        held_out=(
            'let {to} know by mail, subject {subject}: "{body}"',
            'A mail for {to}, titled {subject}. It says "{body}".',
        ),
        result={"status": "sent"},
        answers=("Your mail to {to} has been sent.", "Sent to {to}."),
    ),
    Tool(
        name="send_message",
        about=("Send a text message to a contact.", "Texts somebody."),
        parameters={
            "name": first_name("Who gets the message", "Receiver"),
            "text": sentence("What to write", "Wording of the text", words.MESSAGES),
        },
        asks=(
            'text {name}: "{text}"',
            'send {name} the message "{text}"',
            'tell {name} this: "{text}"',
            'write "{text}" to {name}',
        ),
        held_out=('Let {name} know: "{text}".', 'drop {name} a line saying "{text}"'),
        result={"status": ["delivered", "read"]},
        answers=("Your message to {name} was {status}.", "Done, {name} has it: {status}."),
    ),
    Tool(
        name="schedule_meeting",
        about=("Put a meeting into the calendar.", "Arranges an appointment."),
        parameters={
            "people": several("Who takes part", "Those invited", words.FIRST_NAMES),
            "date": date("Day of the meeting", "On which day"),
            "time": time("Start of the meeting", "When it begins"),
            "minutes": integer("Length in minutes", "How long", 15, 90),
        },
        asks=(
            "schedule a meeting with {people} on {date} at {time}",
            "set up {minutes} minutes with {people} on {date}, {time}",
            "I have to meet {people}. Put it in the calendar for {date} at {time}.",
        ),
        held_out=(
            "invite {people} for {date}, {time}, and plan {minutes} minutes",
            "Arrange that I see {people} at {time} on {date}.",
        ),
        result={"meeting_id": (100, 999)},
        answers=(
            "The meeting with {people} is in your calendar.",
            "Meeting {meeting_id} is set for {date} at {time}.",
        ),
    ),
    Tool(
        name="cancel_order",
        about=("Cancel an order.", "Calls off something bought."),
        parameters={
            "order": code("Order number", "Which purchase", "OR"),
            "reason": choice(
                "Why it is cancelled",
                "Cause",
                too_late="it comes too late",
                not_needed="it is not needed any more",
                wrong_item="it was the wrong thing",
            ),
        },
        asks=(
            "cancel order {order}",
            "I want to cancel {order} because {reason}.",
            "call off my order {order} because {reason}",
        ),
        held_out=("Stop {order}, {reason}.", "see to it that {order} is not delivered"),
        result={"refund": (10, 300)},
        answers=(
            "Order {order} is cancelled; you get {refund} dollars back.",
            "Done. {refund} dollars will be refunded.",
        ),
        lacks=("order", "I want to cancel an order.", "Which order number is it?"),
    ),
    Tool(
        name="find_employee",
        about=("Look up a colleague in the directory.", "Searches the staff."),
        parameters={
            "name": full_name("First and last name", "Whom to look up"),
            "field": choice(
                "What is wanted",
                "Piece of information",
                phone="phone number",
                office="office number",
                desk="desk number",
            ),
        },
        asks=(
            "find the {field} of {name} in the directory",
            "I need the {field} of {name}.",
            "What is the {field} of {name}?",
            "look up the {field} of {name}",
        ),
        held_out=(
            "I'm looking for {name}, more precisely the {field}.",
            "get me the {field} that goes with {name}",
        ),
        result={"number": (1000, 9999)},
        answers=("The {field} of {name} is {number}.", "I found {name}: {field} {number}."),
    ),
    Tool(
        name="create_ticket",
        about=("Open a ticket with the help desk.", "Reports a problem."),
        parameters={
            "device": word("What is broken", "Thing concerned", words.ONE_THING),
            "priority": choice(
                "How urgent it is",
                "Weight of the case",
                low="low priority",
                normal="normal priority",
                high="high priority",
            ),
            "reporter": full_name("Who reports it", "Person affected"),
        },
        asks=(
            "open a ticket for {reporter}: the {device} is broken, {priority}",
            "The {device} of {reporter} doesn't work. Report it with {priority}.",
            "file a case about the {device} with {priority}; it was reported by {reporter}",
        ),
        held_out=(
            "{reporter} has trouble with the {device}. Tell the help desk, {priority}.",
            "report for {reporter} that the {device} is out of order, {priority}",
        ),
        result={"ticket": (1000, 9999)},
        answers=("Ticket {ticket} is open.", "I reported it as ticket {ticket}."),
    ),
    Tool(
        name="translate_text",
        about=("Translate a text.", "Turns words into another language."),
        parameters={
            "text": sentence("What to translate", "The original", words.MESSAGES),
            "language": choice(
                "Language to translate into", "Target", fr="French", de="German", es="Spanish", it="Italian"
            ),
        },
        asks=(
            'translate "{text}" into {language}',
            'How do you say "{text}" in {language}?',
            'give me the {language} for "{text}"',
        ),
        held_out=('I need "{text}" in {language}.', 'put this into {language}: "{text}"'),
        result={"file": (100, 999)},
        answers=(
            "The {language} translation is saved as file {file}.",
            "Done: file {file} holds it in {language}.",
        ),
    ),
    Tool(
        name="compute_statistics",
        about=("Compute a statistic of some numbers.", "Describes a series of figures."),
        parameters={
            "values": numbers("The numbers", "Figures", 2, 99),
            "statistic": choice(
                "What to compute", "Quantity asked for", mean="mean", median="median", variance="variance"
            ),
        },
        asks=(
            "compute the {statistic} of {values}",
            "What is the {statistic} of {values}?",
            "I measured {values}. Get the {statistic} from the tool.",
        ),
        held_out=(
            "take {values} and give me their {statistic}",
            "These are my figures: {values}. I need the {statistic}.",
        ),
        result={"value": _statistic},
        answers=("The {statistic} is {value}.", "For {values} it is {value}."),
    ),
    Tool(
        name="search_library",
        about=("Search for books in a library.", "Catalogue of a library."),
        parameters={
            "topic": word("What the books are about", "Field of interest", words.TOPICS),
            "year_from": integer("Not older than this year", "Earliest year of print", 1970, 2020),
            "available": flag(
                "Only books that are not lent out",
                "On the shelf at the moment",
                "only what is on the shelf",
                "lent books too",
            ),
        },
        asks=(
            "find books about {topic}",
            "What does the library have on {topic} since {year_from}?",
            "search for books on {topic}, {available}",
            "I'm reading up on {topic}. Look for books from {year_from} or later, {available}.",
        ),
        held_out=(
            "I'd like something to read about {topic}, printed no earlier than {year_from}.",
            "check the catalogue for {topic}, {available}",
        ),
        result={"books": (2, 40)},
        answers=("There are {books} books about {topic}.", "I found {books} titles on {topic}."),
    ),
    Tool(
        name="create_invoice",
        about=("Write an invoice for a customer.", "Bills somebody."),
        parameters={
            "customer": firm("Name of the customer", "Who has to pay"),
            "item": record(
                "What was sold",
                "The goods",
                "{quantity} {product} at {price} dollars each",
                product=word("Kind of goods", "Thing sold", words.THINGS),
                quantity=integer("How many", "Pieces", 2, 60),
                price=integer("Dollars apiece", "Cost of one", 3, 90),
            ),
            "due": date("When it has to be paid", "Deadline"),
        },
        asks=(
            "write an invoice for {customer}: {item}, due on {due}",
            "{customer} bought {item}. Bill them, payable by {due}.",
            "bill {customer} for {item}, which they may pay until {due}",
        ),
        held_out=(
            "We sold {item} to {customer}. Prepare the bill, payment by {due}.",
            "charge {customer} for {item} with a deadline on {due}",
        ),
        result={"invoice": (1000, 9999)},
        answers=("Invoice {invoice} for {customer} is ready.", "I wrote invoice {invoice}, due on {due}."),
    ),
    Tool(
        name="save_note",
        about=("Save a note.", "Keeps a thought for later."),
        parameters={
            "title": title("Heading of the note", "Its name"),
            "tags": several("Keywords", "Labels to file it under", words.TOPICS),
        },
        asks=(
            "save a note called {title} with the tags {tags}",
            "start a note named {title} and tag it {tags}",
            "I need a new note, {title}. Tags: {tags}.",
        ),
        held_out=("File a note {title} under {tags}.", "keep an empty note {title}, labelled {tags}"),
        result={"note": (10, 99)},
        answers=("Note {note}, {title}, is saved.", "The note {title} is filed under {tags}."),
    ),
    Tool(
        name="check_inventory",
        about=("Check how many pieces are in stock.", "Counts what the warehouse holds."),
        parameters={
            "product": word("What to count", "Kind of article", words.THINGS),
            "warehouse": word("City of the warehouse", "Which branch", words.CITIES),
        },
        asks=(
            "check how many {product} we have in {warehouse}",
            "How many {product} are left in the {warehouse} warehouse?",
            "look up our stock of {product} in {warehouse}",
        ),
        held_out=(
            "Do we still have {product} in {warehouse}?",
            "count the {product} at the {warehouse} branch",
        ),
        result={"pieces": (2, 400)},
        answers=(
            "There are {pieces} {product} in {warehouse}.",
            "The {warehouse} warehouse holds {pieces} {product}.",
        ),
    ),
)
