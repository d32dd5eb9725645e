"""What people say although tools are listed, and what is answered in words."""

Chat = tuple[tuple[str, str], ...]

#: Prompt and reply, with places for words of one side of the split.
CHAT: Chat = (
    ("Thanks a lot, that was all. Bye from {person}!", "You're welcome, {person}. Goodbye!"),
    ("Hi, I'm {person}. Nice to meet you!", "Hello {person}, nice to meet you too. How can I help?"),
    ("Good morning! {person} here.", "Good morning, {person}! What can I do for you?"),
    ("My name is {person} and I come from {city}. What's my name?", "Your name is {person}."),
    ("I come from {city}. Which city did I just mention?", "You mentioned {city}."),
    ("Let's count: what is {a} plus {b}?", "{a} plus {b} is {sum}."),
    ("How much is {a} times {c}?", "{a} times {c} is {product}."),
    ("Which is larger, {a} or {big}?", "{big} is larger than {a}."),
    ('Repeat after me: "{topic}".', "{topic}"),
    ('How many words are there in "{person} likes {word}"?', "There are three words."),
    ('Write "{word}" in capital letters.', "{upper}"),
    ("Which letter does the word {word} begin with?", "It begins with the letter {initial}."),
    ("Give me the last letter of {word}.", "The last letter is {final}."),
    ("{person} is taller than {other}. Who is shorter?", "{other} is shorter."),
    (
        "{person} lives in {city} and {other} in {city2}. Where does {other} live?",
        "{other} lives in {city2}.",
    ),
    ("Put these in alphabetical order: {word}, {word2}.", "{sorted}"),
    (
        "I'm a bit sad today because I lost my {thing}.",
        "I'm sorry about your {thing}. I hope it turns up again.",
    ),
    ("Great news: {person} got the job in {city}!", "That's wonderful! Congratulations to {person}."),
    (
        "Don't do anything yet. I'm only thinking about {topic}.",
        "All right, I'll wait. Tell me when you need me.",
    ),
    (
        "What do you need to know in order to help me with {dish}?",
        "Tell me what exactly you want, and I'll see whether one of my tools fits.",
    ),
    (
        "I just finished reading a book about {topic}.",
        "That sounds interesting. What did you like best about it?",
    ),
    ("Make a short sentence with the word {word}.", "Here is one: I bought some {word} today."),
    ("Is {a} an even number?", "{even}"),
    ("No more questions for today, see you tomorrow in {city}.", "See you tomorrow in {city}!"),
    (
        "Nothing beats {dish}, I think. Do you agree?",
        "A fine choice, though I can't taste {dish} myself.",
    ),
    ("{person} says hello from {city}!", "How kind! Please greet {person} from me."),
)
HELD_OUT_CHAT: Chat = (
    ("You've been a great help. Take care, yours {person}.", "Thank you, {person}. Take care!"),
    ("Hey, {person} speaking, how are you?", "Hello {person}, I'm fine. What can I do for you?"),
    ("If I add {a} to {b}, what do I get?", "You get {sum}."),
    ("Tell me the smaller one of {a} and {big}.", "{a} is the smaller one."),
    ('Say "{topic}" and nothing else.', "{topic}"),
    ("Spell {word} with capitals only.", "{upper}"),
    (
        "{person} comes from {city}, {other} comes from {city2}. Who is from {city}?",
        "{person} is from {city}.",
    ),
    ("What's the first letter in {word}?", "The first letter is {initial}."),
    ("Guess what, my {thing} broke this morning. Luckily I own two.", "Oh no! Good that you have another."),
    ("Hold on, {person} wants to tell me about {topic} first.", "Of course, take your time."),
)

#: What is said when no listed tool fits.
UNFIT = (
    "I'm sorry, but none of my tools can do that.",
    "I can't do that: there is no tool for it here.",
    "That is beyond the tools I have at the moment.",
    "Unfortunately I have no tool for this.",
    "I'd like to help, but I have nothing to do this with.",
)

#: Around a command, which stands in {ask}.
FRAMES = (
    "{Ask}.",
    "{Ask}, please.",
    "Please {ask}.",
    "Could you {ask}?",
    "Can you {ask}?",
    "I need you to {ask}.",
    "Hi, could you please {ask}?",
    "I'd like you to {ask}.",
    "Would you {ask}?",
    "Hey, {ask}.",
    "Next, {ask}.",
    "When you have a moment, {ask}.",
)
HELD_OUT_FRAMES = (
    "May I ask you to {ask}?",
    "It would be great if you could {ask}.",
    "Be so kind as to {ask}.",
    "Good day! Would you mind helping me: {ask}.",
    "One more thing: {ask}.",
)

#: A correction or a variation: {new} for {old}.
CHANGES = (
    "Sorry, I meant {new}, not {old}.",
    "Make that {new} instead of {old}.",
    "And now {new} instead of {old}?",
    "Do the same again, but {new} instead of {old}.",
    "Oh wait, not {old}. {New}!",
    "Please change {old} to {new}.",
    "Not {old}, please. It should be {new}.",
    "I made a mistake: {new}, not {old}.",
    "Could you repeat that, {new} rather than {old}?",
)
HELD_OUT_CHANGES = (
    "My fault, {old} was a mistake, I want {new}.",
    "Please try {new} where I said {old}.",
    "Same thing, only {new} in place of {old}.",
)

#: Between two requests in one message.
JOINTS = (" Also: ", " And then: ", " Besides: ", " Another thing: ")
HELD_OUT_JOINTS = (" On top of that: ", " Apart from that: ")

#: The system message; {tools} is one line of JSON per tool.
SYSTEMS = (
    "You are a helpful assistant. These tools are at hand:\n{tools}\nTo use one, answer with "
    '<tool_call>{{"name": ..., "arguments": ...}}</tool_call> and nothing else.',
    "Tools:\n{tools}\nCall a tool by replying "
    '<tool_call>{{"name": ..., "arguments": {{...}}}}</tool_call>. '
    "If no tool is needed, just answer.",
    "You can call the functions below.\n{tools}\nA call is one JSON object with name and arguments between "
    "<tool_call> and </tool_call>. Answer in words when no function fits.",
    "Answer the user. Where it helps, use a tool:\n{tools}\nWrite each call as "
    '<tool_call>{{"name": "...", "arguments": {{}}}}</tool_call>, without any other text.',
    "# Tools\n{tools}\n\n# Format\nEither words, or only calls: <tool_call>JSON with name and "
    "arguments</tool_call>",
    "As an assistant you have access to some functions, given as JSON Schemas:\n{tools}\nTheir calls stand "
    "between <tool_call> and </tool_call>. Ask back when something is missing.",
)
HELD_OUT_SYSTEMS = (
    "Here is what you can use:\n{tools}\nReply with nothing but <tool_call>(an object with name and "
    "arguments)</tool_call> to use it; otherwise reply in plain words.",
    "Available to you:\n{tools}\nEach use is written <tool_call>OBJECT</tool_call>, OBJECT being JSON "
    "whose keys "
    "are name and arguments. Without need for it, speak normally.",
)

#: The call that must be answered in words next.
RESULT = "<tool_response>\n{result}\n</tool_response>"
