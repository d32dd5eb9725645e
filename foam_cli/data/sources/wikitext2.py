"""WikiText-2: language modelling on windows that are packed over the whole text."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from foam_cli.core.errors import DataError
from foam_cli.core.files import reading
from foam_cli.data.encode import Document, LossOn
from foam_cli.data.hub import load_rows

HUB_ID, HUB_CONFIG = "Salesforce/wikitext", "wikitext-2-raw-v1"
#: A single file has no split of its own: its last lines are set apart, so many of a hundred.
PERCENT_SET_APART = 5


@dataclass(frozen=True, kw_only=True)
class Wikitext2:
    """The raw text, every token learnt, in windows that pay no attention to where an article ends.

    Attributes:
        path: A folder with `wiki.train.*` and `wiki.valid.*`, one such file, or None for the hub.
        revision: A commit of the hub's data set, or None.
        window_tokens: Tokens of a window.

    Source: S. Merity et al., "Pointer Sentinel Mixture Models", 2016, arXiv 1609.07843; windows of 128 tokens
        as in "Growing LLM".
    Differs: a window begins with the last token of the one before, so that every token is learnt once.
    """

    path: str | None
    revision: str | None
    window_tokens: int

    #: Tasks of the evaluation whose training split this is.
    trains_on: ClassVar[tuple[str, ...]] = ("wikitext",)

    def __post_init__(self) -> None:
        if self.window_tokens < 2:
            raise ValueError(f"window_tokens={self.window_tokens}: must be at least 2.")
        if self.path is not None and self.revision is not None:
            raise ValueError(
                f"revision={self.revision}: has no effect on your own files, data.path={self.path}; set it "
                "to null."
            )

    @property
    def max_length(self) -> int:
        """Tokens of the longest example: a window."""
        return self.window_tokens

    @property
    def loss_on(self) -> LossOn:
        """Every token is learnt."""
        return "all"

    @property
    def skip_untrainable(self) -> bool:
        """A window always has something to learn."""
        return False

    def documents(self, seed: int) -> tuple[list[Document], list[Document]]:
        """Read the text.

        Args:
            seed: Not used: the split is WikiText's own.

        Returns:
            The training text as one document, the validation text as another.
        """
        del seed
        train, validation = self._texts()
        return [{"text": train, "name": "wikitext2 train"}], [
            {"text": validation, "name": "wikitext2 validation"}
        ]

    def old_documents(self, seed: int) -> None:
        """There is nothing older.

        Args:
            seed: Not used.
        """

    def evaluation_items(self, name: str, num_items: int | None) -> NoReturn:
        """The text brings no questions.

        Args:
            name: The task that asks.
            num_items: Not used.

        Raises:
            DataError: Always.
        """
        del num_items
        raise DataError(f"evaluation={name}: data=wikitext2 has no questions for it; use data=nanoworld.")

    def _texts(self) -> tuple[str, str]:
        if self.path is None:
            return self._from_hub("train"), self._from_hub("validation")
        path = Path(self.path).expanduser()
        if not path.exists():
            raise DataError(
                f"data.path={self.path}: no such folder or file; name a folder with wiki.train.raw and "
                "wiki.valid.raw, or one text file."
            )
        if path.is_dir():
            return _read(_only(path, "wiki.train.*")), _read(_only(path, "wiki.valid.*"))
        lines = _read(path).splitlines(keepends=True)
        cut = len(lines) * (100 - PERCENT_SET_APART) // 100
        train, validation = "".join(lines[:cut]), "".join(lines[cut:])
        if not (train.strip() and validation.strip()):
            raise DataError(
                f"data.path={path}: holds too little text to set a part of it apart; name a longer one, or a "
                "folder with wiki.train.raw and wiki.valid.raw."
            )
        return train, validation

    def _from_hub(self, split: str) -> str:
        instead = (
            "Without a network, name a folder that holds wiki.train.raw and wiki.valid.raw: data.path=FOLDER."
        )
        rows: Any = load_rows(
            HUB_ID, HUB_CONFIG, split, self.revision, says="data=wikitext2: ", instead=instead
        )
        return "".join(row["text"] for row in rows)


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise DataError(
            f"data.path={folder}: holds {names} where one file {pattern} is needed; put it there."
        )
    return found[0]


def _read(file: Path) -> str:
    with reading(file, "data.path"):
        return file.read_text(encoding="utf-8")
