"""Training examples in the order of their difficulty."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from foam_cli.core.errors import DataError
from foam_cli.data.curriculum import difficulty, easy_first, phases
from foam_cli.data.layouts import to_document


class CurriculumLearning:
    """Easy examples first.

    An example is a text or a mapping: `prompt` + `response`, `messages` (OpenAI), `conversations` (ShareGPT),
    `instruction` + `output` (Alpaca) or `text`. Its difficulty is words + 20 (steps - 1): see
    `foam_cli.data.curriculum.difficulty`. Where every example carries a `loss`, the model's own loss in nats,
    that comes first and the formula decides ties.

    Args:
        difficulty: Another measure of one example, or None for the above.
    """

    def __init__(self, difficulty: Callable[[Any], float | int] | None = None) -> None:
        self._difficulty = difficulty

    def sort_by_difficulty(self, examples: Sequence[Any]) -> list[Any]:
        """Order examples.

        Args:
            examples: The examples.

        Returns:
            The same, easiest first; equally difficult ones as they came.
        """
        return [examples[at] for at in self._order(examples)]

    def get_phases(self, examples: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """Divide examples into three phases of equal size (to within one).

        Args:
            examples: The examples.

        Returns:
            Easy, medium and hard ones, each easiest first.
        """
        easy, medium, hard = ([examples[at] for at in part] for part in phases(self._order(examples), 3))
        return easy, medium, hard

    def _order(self, examples: Sequence[Any]) -> list[int]:
        if self._difficulty is not None:
            return easy_first([float(self._difficulty(example)) for example in examples])
        losses = [_loss(example) for example in examples]
        known = [loss for loss in losses if loss is not None]
        measured = [_measured(example, number) for number, example in enumerate(examples)]
        return easy_first(measured, known if len(known) == len(losses) else None)


def _loss(example: Any) -> float | None:
    loss = cast("Mapping[str, Any]", example).get("loss") if isinstance(example, Mapping) else None
    return None if loss is None else float(loss)


def _measured(example: Any, number: int) -> float:
    row: Any = example
    if isinstance(example, Mapping) and {"prompt", "response"} <= set(cast("Mapping[str, Any]", example)):
        row = {"instruction": example["prompt"], "output": example["response"]}
    try:
        return difficulty(to_document(row, "auto"))
    except ValueError as error:
        raise DataError(f"example {number}: {error}. Or pass CurriculumLearning(difficulty=...).") from error
