"""Who answers for the base model while the model learns: itself without growth, or what it said before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from foam_cli.core.files import folder_written_aside, sha256_json, write_json
from foam_cli.core.settings import HardwareSettings, Settings
from foam_cli.data.batching import IGNORED, TARGET_MULTIPLE, Batch, collate, plan_epoch
from foam_cli.data.corpus import Corpus
from foam_cli.engine.display import Display
from foam_cli.engine.machine import autocast
from foam_cli.engine.prepare import TrainingData
from foam_cli.growth.recycling.none import NoRecycling
from foam_cli.model.blocks import growth_detached
from foam_cli.model.heads import logits_at
from foam_cli.model.loading import BaseModel
from foam_cli.model.probe import evaluating
from foam_cli.regularizers.protocols import AnswerPenalty, Answers

Rows = Literal["old", "all"]


def targets_asked(batch: Batch, rows: Rows) -> slice:
    """Which of a batch's targets lie in some rows.

    Args:
        batch: The batch.
        rows: `old`: replayed ones; `all`: every one.

    Returns:
        A slice of its targets.
    """
    return slice(batch.num_targets - batch.num_old_targets if rows == "old" else 0, batch.num_targets)


def without_old_targets(batch: Batch) -> Batch:
    """Take the loss off replayed rows.

    Args:
        batch: The batch.

    Returns:
        The same tokens at the same places; old targets are ignored and not counted.
    """
    target_ids_N = batch.target_ids_N.clone()
    target_ids_N[targets_asked(batch, "old")] = IGNORED
    num_targets = batch.num_targets - batch.num_old_targets
    return replace(batch, target_ids_N=target_ids_N, num_targets=num_targets, num_old_targets=0)


def keeps_the_base(settings: Settings) -> bool:
    """Say whether the model with growth detached stays the base model: nothing trains or edits its core.

    Args:
        settings: The configuration.

    Returns:
        Whether it does.
    """
    recycling = getattr(settings.growth, "recycling", None)
    divides = getattr(getattr(settings.growth, "initializer", None), "edits_sources", False)
    recycles = recycling is not None and not isinstance(recycling, NoRecycling)
    return settings.train.parameters in ("grown", "lora") and not divides and not recycles


@dataclass(frozen=True, kw_only=True)
class BasePasses:
    """Goes through the model as it is before its first step.

    Attributes:
        settings: The configuration.
        base: The model, which computes what the base model does.
        head: Its output layer, from `direct_head`.
        data: The run's data.
        display: Shows the progress.
    """

    settings: Settings
    base: BaseModel
    head: nn.Module | None
    data: TrainingData
    display: Display

    def logits(self, corpus: Corpus, numbers: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits at all targets of some examples.

        Args:
            corpus: Where they are.
            numbers: Their numbers there.

        Returns:
            One row of logits for each target, one example after the other; and the targets.
        """
        examples = [corpus.example(number) for number in numbers]
        names = [f"example {number}" for number in numbers]
        batch = collate(examples, self.data.pad_id, names).to(self.settings.hardware.device)
        with autocast(self.settings.hardware):
            logits_NV = logits_at(self.base.model, self.head, batch.input_ids_BT, batch.target_positions_N)
        return logits_NV[: batch.num_targets], batch.target_ids_N[: batch.num_targets]


class DetachedTeacher:
    """The model itself, growth taken away: the base bit for bit, at no memory but one pass without a graph.

    Args:
        method: Whose teacher it is.
        model: The model.
        head: Its output layer.
        hardware: For the precision.
    """

    about = "the teacher is the model with growth detached, 0.0 MiB"

    def __init__(
        self,
        method: AnswerPenalty,
        model: PreTrainedModel,
        head: nn.Module | None,
        hardware: HardwareSettings,
    ) -> None:
        self._method = method
        self._model = model
        self._head = head
        self._hardware = hardware

    def __call__(self, batch: Batch) -> Answers:
        """Ask about a batch.

        Args:
            batch: The batch.

        Returns:
            The base model's answers at its targets in the rows asked about.
        """
        asked = targets_asked(batch, self._method.on)
        first_row = batch.num_new_rows if self._method.on == "old" else 0
        rows_BT = batch.input_ids_BT[first_row:]
        positions_N = batch.target_positions_N[asked] - first_row * rows_BT.shape[1]
        # Filled up, as batches are, so that few different shapes occur.
        filled_N = F.pad(positions_N, (0, -len(positions_N) % TARGET_MULTIPLE))
        with torch.no_grad(), evaluating(self._model), growth_detached(self._model), autocast(self._hardware):
            logits_NV = logits_at(self._model, self._head, rows_BT, filled_N)
        return self._method.answers(logits_NV[: len(positions_N)], None)


class Kept:
    """A teacher's likeliest answers to every target of some examples, mapped from disk.

    Args:
        folder: Where they are.
        corpus: Where the examples are.
        numbers: Their numbers there, sorted.
    """

    def __init__(self, folder: Path, corpus: Corpus, numbers: Sequence[int]) -> None:
        self._numbers = np.array(numbers, dtype=np.int64)
        self._log_probs_NK: npt.NDArray[np.float32] = np.load(folder / "log_probs.npy", mmap_mode="r")
        self._ids_Nk: npt.NDArray[np.int32] = np.load(folder / "ids.npy", mmap_mode="r")
        self._starts = target_starts(corpus, numbers)

    @property
    def num_bytes(self) -> int:
        """Size on disk."""
        return self._log_probs_NK.nbytes + self._ids_Nk.nbytes

    def of(self, numbers: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Look examples up.

        Args:
            numbers: Their numbers within the corpus; of those that the teacher was asked about.

        Returns:
            Log-probabilities and tokens at their targets, one example after the other.
        """
        found = np.searchsorted(self._numbers, numbers)
        assert np.array_equal(self._numbers.take(found, mode="clip"), numbers), "the teacher was not asked"
        at = places(self._starts, found.tolist())
        return torch.from_numpy(self._log_probs_NK[at]), torch.from_numpy(self._ids_Nk[at].astype(np.int64))


@runtime_checkable
class KeptAnswers(Protocol):
    """A teacher's likeliest answers to every target of a corpus."""

    @property
    def num_bytes(self) -> int:
        """Size on disk."""
        ...

    def of(self, numbers: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probabilities and tokens at the targets of some examples, one example after the other."""
        ...


class KeptTeacher:
    """What the base model said before the first step.

    Args:
        on: The rows it is asked about.
        kept: Its answers by pool, `new` and `old`.
        device: Where answers are wanted.
    """

    def __init__(self, on: Rows, kept: Mapping[str, KeptAnswers], device: str) -> None:
        self._on: Rows = on
        self._kept = kept
        self._device = device
        mib = sum(one.num_bytes for one in kept.values()) / 2**20
        self.about = f"the teacher's answers take {mib:.1f} MiB on disk, 0.0 MiB of memory"

    def __call__(self, batch: Batch) -> Answers:
        """Look a batch up.

        Args:
            batch: The batch.

        Returns:
            The base model's answers at its targets in the rows asked about.
        """
        numbers = {"new": batch.numbers[: batch.num_new_rows], "old": batch.numbers[batch.num_new_rows :]}
        pools = ("old",) if self._on == "old" else ("new", "old")
        parts = [self._kept[pool].of(numbers[pool]) for pool in pools if numbers[pool]]
        log_probs, ids = zip(*parts, strict=True)
        return Answers(
            log_probs_NK=torch.cat(log_probs).to(self._device), ids_Nk=torch.cat(ids).to(self._device)
        )


Teacher = DetachedTeacher | KeptTeacher


def find_teacher(method: AnswerPenalty, passes: BasePasses) -> Teacher:
    """Choose the teacher; what it has to say beforehand is found on disk or asked now.

    Args:
        method: Whose teacher.
        passes: Goes through the base model.

    Returns:
        The teacher.
    """
    settings, data = passes.settings, passes.data
    if keeps_the_base(settings):
        return DetachedTeacher(method, passes.base.model, passes.head, settings.hardware)
    learnt, replayed = data.met_in(settings.total_steps * settings.train.accumulate)
    asked = {"old": (data.train if data.old is None else data.old, replayed)}
    if method.on == "all":
        asked["new"] = (data.train, learnt)
    kept = {
        pool: kept_answers(method, passes, corpus, numbers)
        for pool, (corpus, numbers) in asked.items()
        if numbers
    }
    return KeptTeacher(method.on, kept, settings.hardware.device)


def kept_answers(method: AnswerPenalty, passes: BasePasses, corpus: Corpus, numbers: Sequence[int]) -> Kept:
    """Find the base model's answers on disk, or ask for them, once for all runs that want to know the same.

    Args:
        method: Says what is kept.
        passes: Goes through the base model.
        corpus: What to ask about.
        numbers: Which examples of it the run can meet, sorted.

    Returns:
        The answers.
    """
    settings = passes.settings
    known_by = {
        "model": passes.base.sha256,
        "corpus": corpus.sha256,
        "examples": sha256_json(numbers),
        "top_k": method.top_k,
        "temperature": method.temperature,
        "precision": settings.hardware.precision,
    }
    folder = Path(settings.output_dir) / method.cache_dir / sha256_json(known_by)[:16]
    if not folder.is_dir():
        mib = int(target_starts(corpus, numbers)[-1]) * (8 * method.top_k + 4) / 2**20
        passes.display.say(
            f"  keeping a teacher's answers to {len(numbers):,} of {len(corpus):,} examples: {mib:.1f} MiB "
            f"in {folder}",
            style="dim",
        )
        with folder_written_aside(folder, may_replace=lambda _: True) as aside:
            _write_answers(method, passes, corpus, numbers, aside)
            write_json(aside / "known_by.json", known_by)
    return Kept(folder, corpus, numbers)


@torch.no_grad()
def _write_answers(
    method: AnswerPenalty, passes: BasePasses, corpus: Corpus, numbers: Sequence[int], folder: Path
) -> None:
    starts, k = target_starts(corpus, numbers), method.top_k
    new_file = partial(np.lib.format.open_memmap, mode="w+")
    log_probs_NK = new_file(folder / "log_probs.npy", dtype=np.float32, shape=(int(starts[-1]), k + 1))
    ids_Nk = new_file(folder / "ids.npy", dtype=np.int32, shape=(int(starts[-1]), k))
    plan = plan_epoch(corpus.lengths[list(numbers)], passes.settings.train.batch_tokens, seed=0, epoch=0)
    with passes.display.bar("asking the teacher", total=len(plan)) as update, evaluating(passes.base.model):
        for done, batch in enumerate(plan, 1):
            answers = method.answers(passes.logits(corpus, [numbers[at] for at in batch])[0], k)
            assert answers.ids_Nk is not None
            at = places(starts, batch)
            log_probs_NK[at] = answers.log_probs_NK.float().cpu().numpy()
            ids_Nk[at] = answers.ids_Nk.cpu().numpy()
            update(done)
    log_probs_NK.flush()
    ids_Nk.flush()


def target_starts(corpus: Corpus, numbers: Sequence[int]) -> npt.NDArray[np.int64]:
    """Where the targets of some examples begin, if all of them stand in one row.

    Args:
        corpus: The corpus.
        numbers: The examples.

    Returns:
        One number per example and, last, the number of their targets.
    """
    counts = [int(np.count_nonzero(corpus.example(number).targets)) for number in numbers]
    return np.cumsum([0, *counts], dtype=np.int64)


def places(starts: npt.NDArray[np.int64], numbers: Sequence[int]) -> npt.NDArray[np.int64]:
    """Where the targets of some examples stand.

    Args:
        starts: From `target_starts`.
        numbers: The examples.

    Returns:
        Places, one example after the other.
    """
    return np.concatenate([np.arange(starts[number], starts[number + 1]) for number in numbers])
