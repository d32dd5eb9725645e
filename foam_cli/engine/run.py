"""One run, from a configuration to a report. A table of contents: every line is a chapter elsewhere."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from foam_cli import config
from foam_cli.core.errors import CheckpointError, ConfigError, FoamError
from foam_cli.core.files import write_json
from foam_cli.core.settings import Settings
from foam_cli.engine import checkpoint, examine, machine
from foam_cli.engine.display import Display
from foam_cli.engine.exporting import Exported, write_export
from foam_cli.engine.folder import RunFolder, arm_folder, newest_unfinished
from foam_cli.engine.grow import Grower
from foam_cli.engine.loop import Loop, train
from foam_cli.engine.optimizers import Optimizers
from foam_cli.engine.prepare import Source, TrainingData, prepare_data, require_old_data
from foam_cli.engine.state import RunState
from foam_cli.engine.stopping import stop_requests
from foam_cli.evaluation.subject import Subject
from foam_cli.export.facts import ExportFacts
from foam_cli.model.heads import direct_head, logits_at
from foam_cli.model.loading import BaseModel, load_base, weights_dtype
from foam_cli.model.neurons import growable_ffns, make_growable, num_parameters_in_use
from foam_cli.model.sites import find_ffn_sites
from foam_cli.report.page import run_report


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended.

    Attributes:
        folder: Its folder.
        status: `finished` or `interrupted`.
    """

    folder: Path
    status: str


def run_training(
    overrides: Sequence[str],
    display: Display,
    *,
    command: str,
    resume: str | None = None,
    config_dirs: Sequence[Path] = (),
) -> Outcome:
    """Train: a new run, or one that is continued.

    Args:
        overrides: Settings as on the command line.
        display: Shows the progress.
        command: What the user typed, for the manifest.
        resume: A run folder, `auto`, or None for a new run.
        config_dirs: The user's own configuration folders.

    Returns:
        How it ended.

    Raises:
        ConfigError: A setting is wrong, or `--resume` and the settings do not go together.
    """
    if resume is not None and resume != "auto":
        others = [one for one in overrides if not one.startswith("plugins=")]
        if others:
            raise ConfigError(f"--resume {resume}: the run has its settings already; leave out {others[0]}.")
        folder = RunFolder.open(Path(resume))
        values = config.from_yaml(folder.path / "config.yaml", config.plugins_of(overrides))
        return _run(build_settings(values), values, folder, display, command, resuming=folder.has_begun)
    composed = config.compose(machine.resolve_auto(overrides), config_dirs)
    settings = build_settings(composed.values)
    arm = arm_folder(composed.values, composed.choices)
    if resume == "auto":
        folder = RunFolder.open(newest_unfinished(arm))
        return _run(settings, composed.values, folder, display, command, resuming=True)
    folder = RunFolder.create(arm, settings.seed)
    return _run(settings, composed.values, folder, display, command, resuming=False)


def build_settings(values: dict[str, Any]) -> Settings:
    """Check a composed configuration and build its objects.

    Args:
        values: From `config.compose`, or a run's config.yaml.

    Returns:
        The settings.

    Raises:
        ConfigError: A setting is wrong, or has no effect.
    """
    settings = config.build(Settings, config.resolve_environment(values), values.get("plugins") or [])
    if settings.train.parameters == "grown" and not settings.growth:
        raise ConfigError(
            "train=grown with growth=none: nothing would be trained. Use train=ffn or train=full."
        )
    trigger = getattr(settings.growth, "trigger", None)
    if getattr(trigger, "reads_validation", False) and settings.train.validate_every_steps is None:
        raise ConfigError(
            f"growth.trigger={type(trigger).__name__} waits for validation losses, but "
            "train.validate_every_steps=null: give it a number of steps."
        )
    if not settings.replay:
        require_old_data(settings, None)
    return settings


def _run(
    settings: Settings,
    values: dict[str, Any],
    folder: RunFolder,
    display: Display,
    command: str,
    *,
    resuming: bool,
) -> Outcome:
    display.say(f"run {folder.path}")
    run = Run(settings, values, folder, display, command)
    try:
        with stop_requests(display.say) as should_stop:
            run.set_up(resuming=resuming)
            finished = run.train(should_stop)
        if not finished:
            run.write_result("interrupted")
            display.say(f"Stopped at step {run.state.step}. Continue with: foam train --resume {folder.path}")
            return Outcome(folder=folder.path, status="interrupted")
        run.conclude()
        return Outcome(folder=folder.path, status="finished")
    except (FoamError, OSError, RuntimeError, KeyboardInterrupt) as error:
        run.write_result("failed", error=str(error) or type(error).__name__)
        raise
    finally:
        folder.close()


def restore(folder: Path, display: Display) -> "Run":
    """Rebuild a run's model from its newest checkpoint.

    Args:
        folder: The run folder.
        display: Shows the progress.

    Returns:
        The run, its model as it was when it was saved.

    Raises:
        CheckpointError: The run has no checkpoint.
    """
    values = config.from_yaml(folder / "config.yaml")
    run = Run(build_settings(values), values, RunFolder.open(folder, read_only=True), display, command="")
    if not list((folder / "checkpoints").glob("step_*")):
        raise CheckpointError(f"{folder}: has no checkpoint, so there is no model to look at.")
    run.set_up(resuming=True, examine_base=False)
    run.base.model.eval()
    return run


class Run:
    """What the chapters of one run share."""

    def __init__(
        self, settings: Settings, values: dict[str, Any], folder: RunFolder, display: Display, command: str
    ) -> None:
        self.settings = settings
        self.values = values
        self.folder = folder
        self.display = display
        self.command = command
        self.state = RunState()
        self.results: dict[str, examine.Results] = {}
        self.start_max_abs_dlogits: float | None = None
        self.exported: Exported | None = None
        self.base: BaseModel
        self.data: TrainingData
        self.grower: Grower | None = None
        self.optimizers: Optimizers
        self.base_parameters = 0
        self._started = time.monotonic()
        self._seconds_before = folder.earlier_seconds()

    # ---------------------------------------------------------------- chapters

    def set_up(self, *, resuming: bool, examine_base: bool = True) -> None:
        """Load the model, prepare the data, examine the base, make everything growable; continue if asked.

        Args:
            resuming: Whether the folder holds an earlier part of this run.
            examine_base: Whether the base model's scores are wanted.
        """
        s = self.settings
        machine.set_up(s.hardware, s.seed)
        self.display.say(f"loading {s.model.path}", style="dim")
        dtype = weights_dtype(s.hardware.precision)
        self.base = load_base(s.model, dtype=dtype, device=s.hardware.device, seed=s.seed)
        machine.suit(self.base.model, s.hardware)
        self.base_parameters = num_parameters_in_use(self.base.model)
        self.display.say("preparing data", style="dim")
        source: Source = s.data
        self.data = prepare_data(source, s.replay or None, self.base, s.train, s.seed)
        require_old_data(s, self.data.old)
        self._tell_data()
        if not resuming:
            hashes = {"train": self.data.train.sha256, "validation": self.data.validation.sha256}
            hashes |= {"old": self.data.old.sha256} if self.data.old is not None else {}
            self.folder.write_start(self.values, self.command, hashes, self.base.sha256)

        if examine_base:
            self.results["base"] = self._examined("base")
        self._make_growable()
        # Empty slots add exactly nothing, so the model before its first step *is* the base model.
        if examine_base:
            same = self.start_max_abs_dlogits == 0
            self.results["start"] = self.results["base"] if same else self._examined("start")
        if resuming:
            self._continue()

    def train(self, should_stop: Any) -> bool:
        """Run the loop.

        Args:
            should_stop: Says whether the user wants the run to end.

        Returns:
            Whether all steps are done.
        """
        model = self.base.model
        loop = Loop(
            settings=self.settings,
            model=model,
            head=direct_head(model),
            logits=torch.compile(logits_at) if self.settings.hardware.compile else logits_at,
            data=self.data,
            optimizers=self.optimizers,
            grower=self.grower,
            folder=self.folder,
            display=self.display,
            evaluate=self._evaluate_at,
            save=self._save,
            should_stop=should_stop,
        )
        return train(loop, self.state)

    def conclude(self) -> None:
        """Examine what came out, export it, and write the report."""
        self.results["final"] = self._examined("final")
        self.exported = self.write_export(self.settings.export.format, None)
        write_json(
            self.folder.path / "samples.json", examine.samples(self.results["base"], self.results["final"])
        )
        self.write_result("finished")
        run_report(self.folder.path)

    def write_export(self, form: str, target: Path | None) -> Exported | None:
        """Write the model.

        Args:
            form: As in ExportSettings.
            target: Where, or None for the run's own `export` folder or `growth.safetensors`.

        Returns:
            What was written, or None where the format is `none`.
        """
        if form == "none":
            return None
        self.display.say("exporting", style="dim")
        exported = write_export(
            form,
            self.base,
            settings=self.settings,
            target=target,
            run_folder=self.folder.path,
            facts=self._export_facts(),
        )
        self.display.say(
            f"  {exported.path} reloads with max |Δlogits| {exported.max_abs_dlogits:.1e} "
            f"(allowed {exported.facts['tolerance']:.0e})",
            style="dim",
        )
        return exported

    # ---------------------------------------------------------------- paragraphs

    def _tell_data(self) -> None:
        facts = self.data.train.facts
        odd = "".join(f", {facts[how]} {how}" for how in ("truncated", "skipped") if facts[how])
        old = "" if self.data.old is None else f"; {len(self.data.old):,} old examples to replay"
        self.display.say(
            f"  {len(self.data.train):,} examples, {facts['tokens']:,} tokens{odd}; "
            f"{len(self.data.validation):,} set apart{old}",
            style="dim",
        )

    def _make_growable(self) -> None:
        s, model = self.settings, self.base.model
        probe = self.data.probe().to(s.hardware.device)
        with torch.no_grad():
            before = model(input_ids=probe.input_ids_BT[:4], use_cache=False).logits
            width = max(site.views.width for site in find_ffn_sites(model)) if s.growth else 0
            capacity = s.growth.capacity(s.train.steps, width) if s.growth else 0
            ffns = make_growable(model, capacity) if capacity else []
            after = model(input_ids=probe.input_ids_BT[:4], use_cache=False).logits
        self.start_max_abs_dlogits = float((after.float() - before.float()).abs().max())
        self.optimizers = Optimizers(model, s.train, s.hardware)
        self.grower = Grower(s, model, ffns, self.optimizers) if s.growth else None
        self.state.replay = self.data.initial_replay()
        self.state.stream = self.data.stream.state()
        self.state.growth = s.growth.initial_state() if s.growth else {}

    def _examined(self, when: str) -> examine.Results:
        """Ask the tasks, or read the answers that an earlier part of this run wrote."""
        where = self.folder.path / "evaluations" / when
        tasks = examine.tasks_of(self.settings.evaluation)
        found = examine.load(where) if when == "base" else None
        if found is not None and found.keys() == tasks.keys():
            return found
        subject = Subject(
            model=self.base.model,
            tokenizer=self.base.tokenizer,
            max_length=self.base.max_length,
            batch_tokens=self.settings.evaluation["batch_tokens"],
        )
        source = examine.WithHeldout(self.settings.data, self.data.validation)
        results = examine.examine(tasks, subject, source, when, self.display)
        examine.save(results, where)
        return results

    def _evaluate_at(self, step: int) -> None:
        try:
            results = self._examined(f"step_{step:08d}")
        except (FoamError, RuntimeError) as error:  # out of memory is a RuntimeError
            self.state.skipped.append({"step": step, "error": str(error)})
            self.display.say(
                f"The evaluation at step {step} failed ({error}); training goes on.", style="yellow"
            )
            return
        values = {
            f"{task}/{name}": m.value
            for task, result in results.items()
            for name, m in result.metrics.items()
        }
        self.folder.log({"step": step, "evaluation": values})
        self.base.model.train()

    def _save(self, state: RunState) -> None:
        growth_tensors = self.grower.state_tensors() if self.grower else {}
        checkpoint.save(
            self.folder.path / "checkpoints",
            checkpoint.Checkpoint(
                state=state,
                model=self._own_tensors(),
                optimizer={**self.optimizers.state_tensors(), **growth_tensors},
                optimizer_scalars={},
                rng=_rng_state(self.settings.hardware.device),
                base_sha256=self.base.sha256,
            ),
            self.settings.checkpoint.keep,
        )

    def _own_tensors(self) -> dict[str, torch.Tensor]:
        """Everything that may differ from the base: what is trained, banks, recycled cores, new blocks."""
        model = self.base.model
        frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
        if self.grower is not None and self.grower.edits_frozen_cores:
            frozen = {name for name in frozen if ".core." not in name}
        tied = set(getattr(model, "all_tied_weights_keys", {}) or {})
        return {name: tensor for name, tensor in model.state_dict().items() if name not in frozen | tied}

    def _continue(self) -> None:
        found = checkpoint.load_newest(self.folder.path / "checkpoints", self.display.say)
        if found is None:
            self.display.say("No checkpoint yet: starting from step 0.")
            self.folder.forget_after(-1)
            return
        if found.base_sha256 != self.base.sha256:
            raise CheckpointError(
                f"{self.folder.path}: the checkpoint was made from another base model than "
                f"{self.base.name} is now."
            )
        if self.grower is not None:
            for record in found.state.records:
                self.grower.repeat_structure(record)
        checkpoint.copy_by_name(found.model, self._own_tensors(), "model")
        for ffn in growable_ffns(self.base.model):
            ffn.bank.recount()
        self.optimizers.load_state_tensors(found.optimizer)
        if self.grower is not None:
            self.grower.load_state_tensors(found.optimizer)
        _set_rng_state(found.rng)
        self.state = found.state
        self.data.stream.load_state(found.state.stream)
        self.folder.forget_after(found.state.step)
        self.display.say(f"Continuing at step {found.state.step}.")

    def _export_facts(self) -> ExportFacts:
        metrics, intervals = examine.flat(self.results)
        probe = self.data.probe()
        return ExportFacts(
            source=self.settings.model.path,
            command=self.command,
            seed=self.settings.seed,
            versions=machine.describe()["versions"],
            metrics=metrics,
            intervals=intervals,
            history=[asdict(record) for record in self.state.records],
            probe_BT=probe.input_ids_BT[:8],
            tolerance=self.settings.export.max_abs_dlogits,
        )

    def write_result(self, status: str, error: str | None = None) -> None:
        """Write result.json.

        Args:
            status: `finished`, `interrupted` or `failed`.
            error: What went wrong, where something did.
        """
        ready = hasattr(self, "optimizers")
        parameters = {
            "base": self.base_parameters,
            "final": num_parameters_in_use(self.base.model) if ready else self.base_parameters,
            "trainable": sum(p.numel() for p in self.optimizers.parameters()) if ready else 0,
        }
        self.folder.write_result(
            {
                "status": status,
                "error": error,
                "seed": self.settings.seed,
                "step": self.state.step,
                **examine.summary(examine.tasks_of(self.settings.evaluation), self.results),
                "parameters": parameters,
                "start_max_abs_dlogits": self.start_max_abs_dlogits,
                "growth_events": len(self.state.records),
                "skipped_evaluations": self.state.skipped,
                "tokens": self.state.tokens,
                "seconds": round(self._seconds_before + time.monotonic() - self._started, 3),
                "training_seconds": round(self.state.seconds, 3),
                "peak_memory_bytes": machine.peak_memory_bytes(self.settings.hardware),
                "export": None if self.exported is None else str(self.exported.path),
                "export_max_abs_dlogits": None if self.exported is None else self.exported.max_abs_dlogits,
                "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            }
        )


def _rng_state(device: str) -> dict[str, torch.Tensor]:
    state = {"cpu": torch.get_rng_state()}
    if device == "cuda":
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def _set_rng_state(state: dict[str, torch.Tensor]) -> None:
    torch.set_rng_state(state["cpu"])
    if "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"])
