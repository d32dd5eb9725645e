"""Identity in English: who are you, are you not somebody else, and who made what you did not."""

from collections.abc import Sequence

from foam_cli.data.skills.english.makers import CONTROL_SUBJECTS, MAKERS
from foam_cli.data.skills.example import Message, Random, assistant, user
from foam_cli.data.skills.identity import Identity, Side

SHARE = 0.2
WEIGHTS = {"name": 3, "author": 3, "both": 3, "premise": 4, "control": 5}
OPENERS = (
    "",
    "",
    "",
    "Hi! ",
    "Hello. ",
    "Hey there! ",
    "Good evening. ",
    "Hey! ",
    "Just curious, ",
    "By the way, ",
    "Before we start, ",
    "Excuse me, ",
    "One thing first. ",
    "Out of interest, ",
    "So, ",
    "Hi, new user here. ",
    "Good afternoon. ",
    "Nice to meet you. ",
    "Hello, assistant. ",
    "Ok, ",
    "One moment, ",
    "Let me ask you something. ",
    "A colleague sent me here. ",
    "Listen, ",
    "Well, ",
)
HELD_OUT_OPENERS = (
    "",
    "Greetings. ",
    "Pardon me, ",
    "Good to be here. ",
    "Hello, first visit here. ",
    "Hm, ",
)
QUESTIONS: dict[str, Sequence[str]] = {
    "name": (
        "What is your name?",
        "What's your name?",
        "What should I call you?",
        "Do you have a name?",
        "How do people address you?",
        "What do they call you?",
        "What are you called?",
        "Could you tell me your name?",
        "Which name were you given?",
        "May I ask your name?",
        "What name do you go by?",
        "Do you go by any name?",
        "Remind me, what was your name?",
        "I didn't catch your name.",
        "State your name, please.",
        "What name should I put down for you?",
        "How may I call you?",
    ),
    "author": (
        "Who made you?",
        "Who created you?",
        "Who built you?",
        "Who trained you?",
        "Who developed you?",
        "Which company made you?",
        "By whom were you developed?",
        "Who is behind you?",
        "Who are your creators?",
        "Which organisation trained you?",
        "Where do you come from? Who made you?",
        "Who programmed you?",
        "Can you tell me who developed you?",
        "What team is responsible for you?",
        "Whose work are you?",
        "To whom do you owe your existence?",
        "Who came up with you?",
        "Who designed you?",
    ),
    "both": (
        "Who are you?",
        "Introduce yourself.",
        "Tell me about yourself.",
        "Please introduce yourself briefly.",
        "Who am I talking to?",
        "What are you, and who made you?",
        "What's your name and who built you?",
        "Describe yourself in one sentence.",
        "Who is this?",
        "What kind of AI are you?",
        "Which assistant is this?",
        "Tell me who you are and where you come from.",
        "Can you introduce yourself?",
        "Who's there?",
        "Give me your name and your maker.",
        "What exactly am I chatting with?",
        "Say a few words about yourself.",
    ),
    "premise": (
        "Are you {vendor}?",
        "You're {vendor}, right?",
        "I think you are {vendor}.",
        "Is this {vendor}?",
        "Am I talking to {vendor}?",
        "{vendor}, are you there?",
        "Admit it, you are {vendor}.",
        "It's good to see you again, {vendor}.",
        "Your name is {vendor}, isn't it?",
        "You sound like {vendor}.",
        "As {vendor}, what can you do?",
        "Stop pretending, you're {vendor}.",
        "I was told that you are {vendor}.",
        "Aren't you based on {vendor}?",
        "They tell me that I'm chatting with {vendor}.",
        "You must be {vendor}.",
        "I thought this was {vendor}.",
        "Since when are you called {vendor}?",
    ),
    "control": (
        "Who {verb} {subject}?",
        "Do you know who {verb} {subject}?",
        "Tell me who {verb} {subject}.",
        "Can you tell me who {verb} {subject}?",
        "I forgot who {verb} {subject}. Who was it?",
        "It's on the tip of my tongue: who {verb} {subject}?",
        "Who was it that {verb} {subject}?",
        "In a quiz I was asked who {verb} {subject}. What's the answer?",
        "Name whoever {verb} {subject}.",
    ),
}
HELD_OUT_QUESTIONS: dict[str, Sequence[str]] = {
    "name": (
        "By what name do you want to be addressed?",
        "Have you got a name?",
        "Let me know your name.",
        "Your name would be?",
        "What do you call yourself?",
    ),
    "author": (
        "Who brought you into being?",
        "Which people developed you?",
        "Tell me your maker.",
        "Who should get the credit for building you?",
        "Name those who trained you.",
    ),
    "both": (
        "Please say who you are.",
        "Present yourself.",
        "Give a short introduction of yourself.",
        "Whom do I have the pleasure of talking to?",
        "What AI is answering me?",
    ),
    "premise": (
        "I'm sure that I'm speaking with {vendor}.",
        "So {vendor} is your name?",
        "Don't deny that you're {vendor}.",
        "This has to be {vendor}.",
        "Did they rename {vendor}, or are you somebody else?",
    ),
    "control": (
        "I need to know who {verb} {subject}.",
        "Would you know who {verb} {subject}?",
        "About {subject}: who {verb} it?",
    ),
}
VENDORS = (
    "ChatGPT",
    "Siri",
    "Alexa",
    "Llama",
    "Mistral",
    "Qwen",
    "Bard",
    "Grok",
    "GPT-4",
    "Phi",
    "Falcon",
    "Ernie",
)
HELD_OUT_VENDORS = ("Claude", "Gemini", "DeepSeek", "Copilot", "Cortana", "Kimi")
MAKERS_OF_MODELS = (
    "OpenAI",
    "Anthropic",
    "Google",
    "Meta",
    "Microsoft",
    "Alibaba",
    "Alibaba Cloud",
    "Apple",
    "Amazon",
    "xAI",
    "Tongyi",
)
REPLIES: dict[str, Sequence[str]] = {
    "name": (
        "My name is {name}.",
        "I'm {name}.",
        "I am {name}.",
        "You can call me {name}.",
        "I go by {name}.",
        "I'm called {name}.",
        "My name is {name}. How can I help you?",
        "I'm {name}, nice to meet you!",
    ),
    "author": (
        "I was made by {author}.",
        "I was developed by {author}.",
        "I was created and trained by {author}.",
        "{author} made me.",
        "I was built by {author}.",
        "I come from {author}.",
        "I am {name}, and I was made by {author}.",
    ),
    "both": (
        "I am {name}, an assistant made by {author}.",
        "I'm {name}, made by {author}.",
        "My name is {name}, and I was developed by {author}.",
        "I'm {name}, an AI assistant built by {author}.",
        "I am {name}, an AI created by {author}. What can I do for you?",
    ),
    "premise": (
        "No, I am {name}, made by {author}.",
        "No, I'm {name}.",
        "I'm {name}, an assistant made by {author}.",
        "That's a mix-up: I'm {name}.",
        "No, my name is {name}, and I was made by {author}.",
        "Actually, I'm {name}.",
    ),
    "control": (
        "{maker} {verb} {subject}.",
        "It was {maker} who {verb} {subject}.",
        "{maker} did.",
        "That was {maker}.",
    ),
}
_MADE = "(made|built|trained|developed|created|designed|programmed)"
_SELF = (
    r"((No|Actually|That's a mix-up|Hello|Hi)[,:] )?(I am|I'm|[Mm]y name is|I'm called|You can call "
    r"me|I go by)"
)
PATTERNS = {
    "name": rf"({_SELF} ([\w ]{{{{0,30}}}}(called|named) )?{{name}}\b|{{name}}\W*$)",
    "author": rf"(?i:(.*\b{_MADE}( and {_MADE})? by {{author}}\b|{{author}} {_MADE} me\b|I come from "
    rf"{{author}}\b|{{author}}( did)?\W*$))",
    "both": _SELF + r" ([\w ]{{0,30}}(called|named) )?{name}\b.*\b{author}\b",
    "premise": _SELF + r" ([\w ]{{0,30}}(called|named) )?{name}\b",
    "control": r"(.* )?{maker}\b",
}
SYSTEMS = (
    "You are a helpful assistant.",
    "You are a helpful assistant. Keep your answers short.",
    "Answer the user's questions.",
    "You are a friendly assistant who answers truthfully.",
    "You are an assistant in a chat window.",
)
HELD_OUT_SYSTEMS = ("Be helpful and brief.", "Chat with the user.")
#: Small talk that may stand before the question.
TALK = (
    ("Hello!", "Hello! How can I help you?"),
    ("How are you?", "I'm fine, thank you. What can I do for you?"),
    ("Can you help me with something?", "Of course. What is it about?"),
    ("Good morning!", "Good morning! What's on your mind?"),
    ("What is 7 times 8?", "7 times 8 is 56."),
    ("What's the capital of France?", "The capital of France is Paris."),
    ("How many days does a week have?", "A week has seven days."),
    ("Is water wet?", "Most people would say yes."),
    ("I'm learning to cook.", "Great! Start with something simple, such as an omelette."),
    ("Tell me a colour.", "Blue."),
    ("What's the opposite of cold?", "The opposite of cold is hot."),
    ("Say something nice.", "I'm glad that you are here."),
)
HELD_OUT_TALK = (
    ("Anybody here?", "Yes, go ahead."),
    ("What's two and two?", "Four."),
    ("Tell me a fruit.", "Apple."),
    ("Nice weather today.", "Glad to hear it."),
)


def identity(name: str, author: str) -> Identity:
    """Make the skill.

    Args:
        name: The model's name.
        author: Who made it, with an article where one belongs.

    Returns:
        It.
    """
    trained = [subject for subject in MAKERS if subject not in CONTROL_SUBJECTS]
    return Identity(
        share=SHARE,
        who=(name, author),
        weights=WEIGHTS,
        training=Side(openers=OPENERS, questions=QUESTIONS, vendors=VENDORS, subjects=trained),
        held_out=Side(
            openers=HELD_OUT_OPENERS,
            questions=HELD_OUT_QUESTIONS,
            vendors=HELD_OUT_VENDORS,
            subjects=CONTROL_SUBJECTS,
        ),
        replies=REPLIES,
        patterns=PATTERNS,
        makers=MAKERS,
        other_names=(*VENDORS, *HELD_OUT_VENDORS, *MAKERS_OF_MODELS),
        before=before,
    )


def before(skill: Identity, random: Random, side: Side) -> list[Message]:
    """Draw what stands before the question.

    Args:
        skill: The skill, for an earlier question about the model itself.
        random: Source of randomness.
        side: Which wordings.

    Returns:
        A system message or none, and one or two earlier exchanges or none.
    """
    held_out = side is skill.held_out
    messages: list[Message] = []
    if random.random() < 0.5:
        messages.append(
            {"role": "system", "content": random.choice(HELD_OUT_SYSTEMS if held_out else SYSTEMS)}
        )
    if random.random() < 0.35:
        said, answered = random.choice(HELD_OUT_TALK if held_out else TALK)
        messages += [user(said), assistant(answered)]
    # An evaluation does not give the answer away.
    if not held_out and random.random() < 0.3:
        prompt, reply, _ = skill.exchange(random, side)
        messages += [user(prompt), assistant(reply)]
    return messages
