"""The regularizers of a run: set up before the first step, asked at every one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PreTrainedModel

from foam_cli.core.errors import CheckpointError, ConfigError
from foam_cli.core.files import file_written_aside, read_json, sha256_file, write_json
from foam_cli.core.seeds import rng
from foam_cli.core.settings import Settings
from foam_cli.data.batching import Batch
from foam_cli.data.corpus import Corpus
from foam_cli.engine.display import Display
from foam_cli.engine.folder import RunFolder
from foam_cli.engine.prepare import TrainingData
from foam_cli.engine.teachers import BasePasses, Teacher, find_teacher, targets_asked, without_old_targets
from foam_cli.model.blocks import block_births
from foam_cli.model.heads import direct_head
from foam_cli.model.loading import BaseModel
from foam_cli.model.neurons import growable_ffns
from foam_cli.model.probe import evaluating
from foam_cli.model.sites import find_blocks
from foam_cli.regularizers.protocols import AnswerPenalty, Look, Parameters, Pass, Tensors, WeightPenalty

#: Values of penalties by the name of their regularizer; on the device until they are written down.
Penalties = dict[str, torch.Tensor]


def check_regularizers(settings: Settings) -> None:
    """Refuse what is no regularizer, and what makes no sense with the other settings.

    Args:
        settings: The configuration.

    Raises:
        ConfigError: Something is; the message says what to do.
    """
    for name, method in settings.regularizer.items():
        if not isinstance(method, WeightPenalty | AnswerPenalty):
            raise ConfigError(
                f"regularizer.{name}: is no regularizer. Choose options of that group: regularizer=[ewc]."
            )
        method.refuse(settings)


def reads_old_data(settings: Settings) -> bool:
    """Say whether a regularizer wants old data, also where none is replayed.

    Args:
        settings: The configuration.

    Returns:
        Whether one does.
    """
    return any(method.reads_old_data for method in settings.regularizer.values())


def require_old_data_for_regularizers(settings: Settings, old: Corpus | None) -> None:
    """Refuse a regularizer that wants old data where there is none.

    Args:
        settings: The configuration.
        old: What the run has, if anything.

    Raises:
        ConfigError: It needs some; the message says how to get it.
    """
    for name, method in settings.regularizer.items():
        if method.reads_old_data and old is None:
            raise ConfigError(
                f"regularizer={name}: looks at old data, and data={type(settings.data).__name__} does not "
                "know what the base model was trained on: name it in data.old_path, or leave this one out."
            )


@dataclass(frozen=True, kw_only=True)
class Defences:
    """The regularizers of a run.

    Attributes:
        model: The model.
        pretrained: Pretrained parameters that learn, by the names that they had at the start.
        answers: Penalties on answers by name, each with its teacher.
        weights: Penalties on weights by name.
        states: What those remember.
        kept_in: The folder for what was measured.
    """

    model: PreTrainedModel
    pretrained: Parameters
    answers: Mapping[str, tuple[AnswerPenalty, Teacher]]
    weights: Mapping[str, WeightPenalty]
    states: dict[str, Tensors]
    kept_in: Path

    def learnt(self, batch: Batch) -> Batch:
        """Leave out targets for which a teacher's answers are learnt instead.

        Args:
            batch: A batch.

        Returns:
            What has a cross-entropy.
        """
        replaced = any(method.replaces_loss for method, _ in self.answers.values())
        return without_old_targets(batch) if replaced else batch

    def of_answers(self, logits_NV: torch.Tensor, batch: Batch, batches: Sequence[Batch]) -> Penalties:
        """Compare the model's answers with its teachers'.

        Args:
            logits_NV: Logits at the batch's targets.
            batch: The batch.
            batches: All batches of the step, over whose tokens a penalty is averaged.

        Returns:
            This batch's part of every penalty, with its graph.
        """
        found: Penalties = {}
        for name, (method, teacher) in self.answers.items():
            asked = [targets_asked(one, method.on) for one in batches]
            here = targets_asked(batch, method.on)
            if here.stop > here.start:
                num_tokens = sum(one.stop - one.start for one in asked)
                found[name] = method.penalty(logits_NV[here], teacher(batch)) / num_tokens
        return found

    def pull(self) -> Penalties:
        """Add to all gradients those of the penalties on weights.

        Returns:
            The penalties.
        """
        grown = grown_parameters(self.model) if self.weights else []
        return {
            name: method.pull(self.pretrained, grown, self.states[name])
            for name, method in self.weights.items()
        }

    @torch.no_grad()
    def after_growth(self) -> None:
        """Let go of pretrained neurons that were recycled: they are zero and stay so."""
        names = {id(parameter): name for name, parameter in self.pretrained.items()}
        for ffn in growable_ffns(self.model) if self.weights else []:
            dead = (~ffn.core_live_F).nonzero().flatten().tolist()
            for parameter, dim in ffn.views.neuron_parameters() if dead else []:
                at = torch.tensor(ffn.views.places(parameter, dim, dead), device=parameter.device)
                for state in self.states.values():
                    for key, tensor in state.items():
                        if key.partition(".")[2] == names.get(id(parameter)):
                            tensor.index_fill_(dim, at, 0)

    def end_stage(self, step: int, look: Look) -> None:
        """Let the penalties on weights remember what a stage has taught.

        A run that was stopped behind the stage's end has done so already, and has kept it.

        Args:
            step: Optimizer steps done.
            look: Goes through the stage's examples.
        """
        for name, method in self.weights.items():
            if _stem(step) in [file.stem for file in self._kept(name)]:
                continue
            self.states[name] = method.end_stage(self.pretrained, look, self.states[name])
            if method.reads_old_data:
                self._keep(name, step)
        self.after_growth()

    def begin(self, name: str, look: Look) -> None:
        """Set one up; what an earlier part of the run has measured is not measured again.

        Args:
            name: Which penalty on weights.
            look: Goes through old examples.
        """
        method = self.weights[name]
        if kept := self._kept(name):
            self.states[name] = self._read(kept[0])
            return
        self.states[name] = method.begin(self.pretrained, look)
        if method.reads_old_data:
            self._keep(name, step=0)

    def resume(self, step: int) -> None:
        """Remember what was remembered at a step.

        Args:
            step: Optimizer steps done.
        """
        for name in self.weights:
            later = [file for file in self._kept(name)[1:] if file.stem <= _stem(step)]
            if later:
                self.states[name] = self._read(later[-1])
        self.after_growth()

    def _kept(self, name: str) -> list[Path]:
        return sorted((self.kept_in / name).glob("step_*.json"))

    def _keep(self, name: str, step: int) -> None:
        file = self.kept_in / name / f"{_stem(step)}.safetensors"
        file.with_suffix(".json").unlink(missing_ok=True)  # a file without its manifest counts as not written
        with file_written_aside(file) as aside:
            save_file({key: value.contiguous() for key, value in self.states[name].items()}, aside)
        write_json(file.with_suffix(".json"), {"sha256": sha256_file(file)})

    def _read(self, manifest: Path) -> Tensors:
        file = manifest.with_suffix(".safetensors")
        if not file.is_file() or sha256_file(file) != read_json(manifest)["sha256"]:
            raise CheckpointError(
                f"{file}: is missing or has changed since it was written. Start the run anew."
            )
        state = load_file(file, device=str(self.model.device))
        shapes = {name: parameter.shape for name, parameter in self.pretrained.items()}
        wrong = [key for key, value in state.items() if value.shape != shapes.get(key.partition(".")[2])]
        if wrong or {key.partition(".")[2] for key in state} != shapes.keys():
            raise CheckpointError(
                f"{file}: is of other parameters than those that learn now; resume with the run's own "
                "configuration."
            )
        return state


def grown_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Find what has grown.

    Args:
        model: The model.

    Returns:
        The parameters of its banks and of the blocks that were inserted.
    """
    births = block_births(model)
    new = [one for one, birth in zip(find_blocks(model)[1], births, strict=True) if birth is not None]
    parts = [*new, *(ffn.bank for ffn in growable_ffns(model))]
    # The bank of an inserted block is within both.
    return list({id(one): one for part in parts for one in part.parameters()}.values())


def pretrained_that_learn(model: nn.Module) -> Parameters:
    """Find what penalties on weights hold.

    Args:
        model: The model, with its parameters chosen.

    Returns:
        Pretrained parameters that learn, by name.
    """
    grown = {id(one) for one in grown_parameters(model)}
    return {name: one for name, one in model.named_parameters() if one.requires_grad and id(one) not in grown}


def _stem(step: int) -> str:
    return f"step_{step:08d}"


def defend(
    settings: Settings, base: BaseModel, data: TrainingData, folder: RunFolder, display: Display
) -> Defences:
    """Set the regularizers of a run up; the model must be as it is before its first step.

    Args:
        settings: The configuration.
        base: The model, growable where growth is on, with its parameters chosen.
        data: Old examples, and those that are learnt.
        folder: The run's folder; nothing is set up where it is only looked at.
        display: Told how much memory each takes.

    Returns:
        The regularizers.
    """
    model = base.model
    methods = {} if folder.read_only else settings.regularizer
    head = direct_head(model) if methods else None
    passes = BasePasses(settings=settings, base=base, head=head, data=data, display=display)
    weights = {name: method for name, method in methods.items() if isinstance(method, WeightPenalty)}
    pretrained = pretrained_that_learn(model) if weights else {}
    answers: dict[str, tuple[AnswerPenalty, Teacher]] = {}
    for name, method in methods.items():
        if isinstance(method, AnswerPenalty):
            answers[name] = (method, find_teacher(method, passes))
            display.say(f"  {name}: {answers[name][1].about}", style="dim")
    defences = Defences(
        model=model,
        pretrained=pretrained,
        answers=answers,
        weights=weights,
        states={},
        kept_in=folder.path / "regularizers",
    )
    look = Look(passes=partial(_passes_over, data.old, passes), seed=settings.seed)
    for name, method in weights.items():
        takes = [
            f"{size / 2**20:.1f} MiB of {what}" for what, size in method.memory_bytes(pretrained).items()
        ]
        display.say(f"  {name}: {', '.join(takes) or '0.0 MiB'}", style="dim")
        defences.begin(name, look)
    return defences


def learnt_in_stage(settings: Settings, base: BaseModel, data: TrainingData, display: Display) -> Look:
    """Look at what a stage has taught.

    Args:
        settings: The configuration.
        base: The model after the stage.
        data: The stage's data.
        display: Shows the progress.

    Returns:
        What `Defences.end_stage` wants.
    """
    passes = BasePasses(
        settings=settings, base=base, head=direct_head(base.model), data=data, display=display
    )
    return Look(passes=partial(_passes_over, data.train, passes), seed=settings.seed)


def _passes_over(corpus: Corpus | None, passes: BasePasses, num_examples: int) -> Iterator[Pass]:
    """Logits of some examples, one at a time; which ones depends on the seed alone."""
    assert corpus is not None
    chosen = rng(passes.settings.seed, "regularizers").sample(
        range(len(corpus)), min(num_examples, len(corpus))
    )
    with (
        passes.display.bar("looking at old examples", total=len(chosen)) as update,
        evaluating(passes.base.model),
    ):
        for done, number in enumerate(chosen, 1):
            logits_NV, labels_N = passes.logits(corpus, [number])
            yield logits_NV.float(), labels_N
            update(done)
