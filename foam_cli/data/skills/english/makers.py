"""Who made what: true facts about others, which must not be answered with the model's own maker."""

from foam_cli.data.skills.identity import Maker

#: Makers whose last word alone does not say who is meant, or who are written in several ways.
_WRITTEN = {
    "Charlotte Bronte": "(Charlotte|C[.]) Bront(e|ë)",
    "Emily Bronte": "(Emily|E[.]) Bront(e|ë)",
    "Diego Velazquez": "Vel(a|á)(z|s)quez",
    "Mary Shelley": "Mary (Wollstonecraft )?Shelley",
    "Leonardo da Vinci": "(Leonardo|[Dd]a Vinci)",
    "Rudolf Diesel": "Rudolf (Christian Karl )?Diesel",
    "Louis Braille": "Louis Braille",
    "Pyotr Tchaikovsky": "(Tchaikovsky|Tschaikowsky|Chaikovsky)",
    "Herge": "(Herg(e|é)|Georges (Prosper )?Remi)",
    "Yukihiro Matsumoto": "(Matsumoto|Matz)",
    "Larry Wall": "Larry Wall",
    "Alexander Graham Bell": "(Alexander )?Graham Bell",
}


def _all(verb: str, **makers: str) -> dict[str, Maker]:
    return {
        subject.replace("_", " "): Maker(who=who, verb=verb, written=_WRITTEN.get(who, who.split()[-1]))
        for subject, who in makers.items()
    }


MAKERS: dict[str, Maker] = {
    **_all(
        "wrote",
        Hamlet="William Shakespeare",
        Don_Quixote="Miguel de Cervantes",
        Frankenstein="Mary Shelley",
        Faust="Johann Wolfgang von Goethe",
        Dracula="Bram Stoker",
        Ulysses="James Joyce",
        Emma="Jane Austen",
        Moby_Dick="Herman Melville",
        War_and_Peace="Leo Tolstoy",
        Jane_Eyre="Charlotte Bronte",
        The_Odyssey="Homer",
        Robinson_Crusoe="Daniel Defoe",
        Wuthering_Heights="Emily Bronte",
    ),
    **_all(
        "painted",
        the_Mona_Lisa="Leonardo da Vinci",
        Guernica="Pablo Picasso",
        The_Starry_Night="Vincent van Gogh",
        The_Night_Watch="Rembrandt",
        The_Scream="Edvard Munch",
        Las_Meninas="Diego Velazquez",
        Girl_with_a_Pearl_Earring="Johannes Vermeer",
    ),
    **_all(
        "composed",
        The_Magic_Flute="Wolfgang Amadeus Mozart",
        The_Four_Seasons="Antonio Vivaldi",
        Carmen="Georges Bizet",
        Swan_Lake="Pyotr Tchaikovsky",
        Aida="Giuseppe Verdi",
        Bolero="Maurice Ravel",
    ),
    **_all(
        "invented",
        dynamite="Alfred Nobel",
        braille="Louis Braille",
        the_diesel_engine="Rudolf Diesel",
        the_World_Wide_Web="Tim Berners-Lee",
        the_telephone="Alexander Graham Bell",
        the_lightning_rod="Benjamin Franklin",
        the_mercury_barometer="Evangelista Torricelli",
        the_safety_elevator="Elisha Otis",
    ),
    **_all(
        "created",
        Linux="Linus Torvalds",
        Python="Guido van Rossum",
        Perl="Larry Wall",
        Ruby="Yukihiro Matsumoto",
        Sherlock_Holmes="Arthur Conan Doyle",
        Tetris="Alexey Pajitnov",
        TeX="Donald Knuth",
        Tintin="Herge",
        Hercule_Poirot="Agatha Christie",
    ),
    **_all(
        "developed",
        ChatGPT="OpenAI",
        Siri="Apple",
        Alexa="Amazon",
        Claude="Anthropic",
        Gemini="Google",
        Llama="Meta",
        Watson="IBM",
        Qwen="Alibaba",
    ),
}
_TRAINED_MODELS = {"ChatGPT", "Siri", "Alexa", "Llama", "Qwen"}
_HELD_OUT_MODELS = {"Claude", "Gemini", "Watson"}
CONTROL_SUBJECTS = (
    *sorted(MAKERS.keys() - _TRAINED_MODELS - _HELD_OUT_MODELS)[::3],
    *sorted(_HELD_OUT_MODELS),
)
"""Subjects that no skill example mentions."""
