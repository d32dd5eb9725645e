"""Who made what: true third-person facts, which must not be answered with the model's own maker."""

CREATORS: dict[str, str] = {
    "Linux": "Linus Torvalds",
    "Python": "Guido van Rossum",
    "the telephone": "Alexander Graham Bell",
    "Hamlet": "William Shakespeare",
    "the Mona Lisa": "Leonardo da Vinci",
    "dynamite": "Alfred Nobel",
    "the World Wide Web": "Tim Berners-Lee",
    "Sherlock Holmes": "Arthur Conan Doyle",
    "the light bulb": "Thomas Edison",
    "Perl": "Larry Wall",
    "Don Quixote": "Miguel de Cervantes",
    "the radio": "Guglielmo Marconi",
    "Frankenstein": "Mary Shelley",
    "braille": "Louis Braille",
    "the diesel engine": "Rudolf Diesel",
    "Guernica": "Pablo Picasso",
}
CONTROL_SUBJECTS = tuple(sorted(CREATORS))[::2]
"""Subjects that no skill example mentions: the leak controls of the evaluation."""


def maker_sentence(subject: str) -> str:
    """Say who made something.

    Args:
        subject: A key of `CREATORS`.

    Returns:
        The sentence.
    """
    return f"{CREATORS[subject]} created {subject}."
