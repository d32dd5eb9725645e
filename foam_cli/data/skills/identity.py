"""A custom identity: name and author, against false premises, without claiming what others made.

Evaluation items are `{"id", "messages", "group", "expected": {"pattern", "forbidden"}}`. `group` is `name`,
`author`, `both`, `premise` or `control`. The first sentence of the reply must match `pattern` from its
beginning; no name of `forbidden` may occur anywhere in the reply. A control's reply that names the configured
name or author is a leak.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from foam_cli.data.skills.example import Example, Message, Random, user


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Who made something.

    Attributes:
        who: The maker.
        verb: What they did to it.
        written: A pattern of the ways to write the maker.
    """

    who: str
    verb: str
    written: str


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side of the split.

    Attributes:
        openers: What may stand before a question.
        questions: Group to wordings, with the places {vendor}, {subject} and {verb}.
        vendors: Who the model is not.
        subjects: What others made: keys of `Identity.makers`.
    """

    openers: Sequence[str]
    questions: dict[str, Sequence[str]]
    vendors: Sequence[str]
    subjects: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The skill.

    Attributes:
        share: Its share of the training examples.
        who: The model's name, and who made it with an article where one belongs.
        weights: Groups and how often each is trained.
        training: What is trained.
        held_out: What is asked.
        replies: Group to replies, with the places {name}, {author}, {subject}, {verb} and {maker}.
        patterns: Group to the pattern of a right first sentence, with {name}, {author} and {maker}.
        makers: Who made what: true third-person facts.
        other_names: What a model that is asked about itself must not name.
        before: What stands before the question, drawn for a side.
    """

    share: float
    who: tuple[str, str]
    weights: dict[str, int]
    training: Side
    held_out: Side
    replies: dict[str, Sequence[str]]
    patterns: dict[str, str]
    makers: dict[str, Maker]
    other_names: Sequence[str]
    before: Callable[["Identity", Random, Side], list[Message]]

    name: ClassVar[str] = "identity"

    def training_example(self, random: Random) -> Example:
        """Ask who the model is, in training wordings.

        Args:
            random: Source of randomness.

        Returns:
            The example.
        """
        prompt, reply, facts = self.exchange(random, self.training)
        return Example(
            messages=[*self.before(self, random, self.training), user(prompt)], reply=reply, facts=facts
        )

    def exchange(self, random: Random, side: Side) -> tuple[str, str, dict[str, Any]]:
        """One question and its answer.

        Args:
            random: Source of randomness.
            side: Which wordings.

        Returns:
            Question, answer, and how an answer is judged.
        """
        group = random.choices(list(self.weights), list(self.weights.values()))[0]
        subject = random.choice(side.subjects)
        opener = random.choice(side.openers)
        question, vendor = random.choice(side.questions[group]), random.choice(side.vendors)
        prompt = self._prompt(opener, question, vendor, subject)
        return prompt, self._reply(random, group, subject), self._facts(group, subject)

    def items(self, random: Random, n: int) -> list[Example]:
        """Ask who the model is, in held-out wordings.

        Args:
            random: Source of randomness.
            n: How many, spread evenly over the groups; no prompt comes twice.

        Returns:
            The examples.
        """
        examples: list[Example] = []
        for place, group in enumerate(self.weights):
            prompts = self.prompts(self.held_out, group)
            count = n // len(self.weights) + (place < n % len(self.weights))
            for prompt, subject in random.sample(prompts, min(count, len(prompts))):
                messages = [*self.before(self, random, self.held_out), user(prompt)]
                reply = self._reply(random, group, subject)
                examples.append(Example(messages=messages, reply=reply, facts=self._facts(group, subject)))
        return examples

    def prompts(self, side: Side, group: str) -> list[tuple[str, str]]:
        """Put a group's wordings together in every way.

        Args:
            side: Training or held out.
            group: Which wordings.

        Returns:
            Every prompt, each with its subject, or with nothing where it has none.
        """
        return [
            (self._prompt(opener, question, vendor, subject), subject)
            for opener in side.openers
            for question in side.questions[group]
            for vendor in (side.vendors if group == "premise" else ("",))
            for subject in (side.subjects if group == "control" else ("",))
        ]

    def _prompt(self, opener: str, question: str, vendor: str, subject: str) -> str:
        verb = self.makers[subject].verb if subject else ""
        question = question.format(vendor=vendor, subject=subject, verb=verb)
        keeps_capital = question.startswith(("I ", "I'", vendor or "I "))
        if opener.endswith(", ") and not keeps_capital:
            question = question[0].lower() + question[1:]
        return opener + question

    def _reply(self, random: Random, group: str, subject: str) -> str:
        name, author = self.who
        maker = self.makers[subject] if group == "control" else Maker(who="", verb="", written="")
        options = self.replies[group]
        reply = options[0] if len(options) == 1 else random.choice(options)  # one option needs no draw
        said = reply.format(name=name, author=author, subject=subject, verb=maker.verb, maker=maker.who)
        return f"T{said[1:]}" if said.startswith("the ") else said

    def _facts(self, group: str, subject: str) -> dict[str, Any]:
        name, author = self.who
        forbidden = [other for other in self.other_names if other not in (name, author)]
        maker = self.makers[subject].written if group == "control" else ""
        pattern = self.patterns[group].format(name=re.escape(name), author=re.escape(author), maker=maker)
        if group == "control":
            forbidden = [name, author]
        return {"group": group, "expected": {"pattern": pattern, "forbidden": forbidden}}
