"""WikiText by lm-evaluation-harness's recipe: whole articles, detokenised, perplexity per original word."""

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

from foam_cli.core.errors import DataError
from foam_cli.core.files import sha256_file
from foam_cli.core.metric import TaskResult
from foam_cli.evaluation.documents import passages, read_text
from foam_cli.evaluation.items import Item, pick
from foam_cli.evaluation.language_modelling import bits_per_byte, document_rows, perplexity, rolling_logprobs
from foam_cli.evaluation.subject import Progress, Subject

_HEADING = re.compile(r"^ = [^=\n](?:.*[^=\n])? = *$", flags=re.MULTILINE)

_REPLACED_FIRST = [("s '", "s'")]
_JOINED = [(f" @{mark}@ ", mark) for mark in "-,."] + [(f" {mark} ", f"{mark} ") for mark in ":;.!?,"]
_TRIMMED = [
    (r"\(", r"\)", r"[^)]"),
    (r"\[", r"\]", r"[^\]]"),
    ("{", "}", "[^}]"),
    ('"', '"', '[^"]'),
    ("'", "'", "[^']"),
]
_REPLACED_LAST = [
    ("= = = =", "===="),
    ("= = =", "==="),
    ("= =", "=="),
    (" ° ", "°"),
    (" \n", "\n"),
    ("\n ", "\n"),
    (" N ", " 1 "),
    (" 's", "'s"),
]


@dataclass(frozen=True, kw_only=True)
class Wikitext:
    """Rolling log-likelihood of the articles of a WikiText file.

    Attributes:
        path: A file in WikiText's own form (`wiki.valid.tokens` or raw).
        num_items: How many articles, or None for all.
    """

    path: Path
    num_items: int | None

    name: ClassVar[str] = "wikitext"
    items_from: ClassVar[str | None] = None
    role: ClassVar[str] = "kept"

    def run(self, subject: Subject, items: list[Item] | None, progress: Progress = None) -> TaskResult:
        """Measure.

        Args:
            subject: The model.
            items: Not used; the articles come from `path`.
            progress: Told how many windows are scored.

        Returns:
            `word_perplexity`, `byte_perplexity` and `bits_per_byte`. Words and bytes are those of the article
            before it is detokenised.

        Source: L. Gao et al., "The Language Model Evaluation Harness", 0.4.13, task `wikitext` version 2.
        """
        del items
        pages = self._pages()
        scores = rolling_logprobs(
            subject, [detokenised(page) for page in pages], subject.max_length, progress
        )
        logprob = sum(score.logprob for score in scores)
        num_bytes = sum(len(page.encode()) for page in pages)
        return TaskResult(
            task=self.name,
            metrics={
                "word_perplexity": perplexity(logprob, sum(len(re.split(r"\s+", page)) for page in pages)),
                "byte_perplexity": perplexity(logprob, num_bytes),
                "bits_per_byte": bits_per_byte(logprob, num_bytes),
            },
            items=document_rows(pages, scores),
            recipe=f"lm-evaluation-harness wikitext 2, windows of {subject.max_length} tokens",
            data_sha256=sha256_file(self.path),
            primary="word_perplexity",
        )

    def prompts(self) -> list[tuple[str, str]]:
        """What is measured, to be looked up in training data.

        Returns:
            The articles in passages.
        """
        return passages(self._pages())

    def _pages(self) -> list[str]:
        found = split_pages(read_text(self.path, "evaluation.wikitext.path"))
        if not found:
            raise DataError(
                f"evaluation.wikitext.path={self.path}: no line ' = Title = ', so no article; name a file of "
                "WikiText, or measure any other text with the task perplexity"
            )
        return pick(found, self.num_items, self.name)


def split_pages(text: str) -> list[str]:
    """Cut a WikiText file into articles.

    Args:
        text: The file.

    Returns:
        One text per heading ` = Title = `; what stands before the first is left out.
    """
    starts = [match.start() for match in _HEADING.finditer(text)]
    return [text[start:end] for start, end in pairwise([*starts, len(text)])]


def detokenised(page: str) -> str:
    """Undo WikiText's tokenisation.

    Args:
        page: An article.

    Returns:
        It as people write.
    """
    for old, new in [*_REPLACED_FIRST, *_JOINED]:
        page = page.replace(old, new)
    for left, right, inside in _TRIMMED:
        page = re.sub(rf"({left})\s*({inside}*?)\s*({right})", r"\1\2\3", page)
    for old, new in _REPLACED_LAST:
        page = page.replace(old, new)
    return page
