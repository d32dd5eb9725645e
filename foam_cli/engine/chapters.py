"""The chapters of one run, and what they share; foam_cli/engine/run.py says in which order they are read."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from foam_cli.core.errors import CheckpointError, FoamError
from foam_cli.core.files import read_jsonl, write_json
from foam_cli.core.settings import Settings
from foam_cli.engine import checkpoint, examine, machine, stream
from foam_cli.engine.contamination import Seen
from foam_cli.engine.defences import (
    Defences,
    defend,
    learnt_in_stage,
    require_old_data_for_regularizers,
)
from foam_cli.engine.display import Display
from foam_cli.engine.exporting import Exported, write_export
from foam_cli.engine.flops import training_flops
from foam_cli.engine.folder import RunFolder
from foam_cli.engine.gather import gather
from foam_cli.engine.grow import Grower
from foam_cli.engine.interpolate import standing_at, sweep, table
from foam_cli.engine.loop import Loop, train
from foam_cli.engine.optimizers import Optimizers
from foam_cli.engine.prepare import TrainingData, require_old_data
from foam_cli.engine.state import RunState
from foam_cli.evaluation.subject import Subject
from foam_cli.export.facts import ExportFacts
from foam_cli.model.blueprint import config_of
from foam_cli.model.heads import direct_head, logits_at
from foam_cli.model.loading import BaseModel, load_base, weights_dtype
from foam_cli.model.lora import add_lora
from foam_cli.model.neurons import (
    growable_ffns,
    make_growable,
    num_parameters_in_use,
    num_trainable_in_use,
)
from foam_cli.model.sites import find_ffn_sites
from foam_cli.report.page import run_report


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
        self.failed: dict[str, str] = {}
        self.seen = Seen(tasks={}, remarks=[])
        self.start_max_abs_dlogits: float | None = None
        self.exported: Exported | None = None
        self.base: BaseModel
        self.stages: list[TrainingData] = []
        self.data: TrainingData
        self.transfer: dict[str, Any] | None = None
        self.grower: Grower | None = None
        self.optimizers: Optimizers
        self.defences: Defences
        self.base_parameters = 0
        self._started = time.monotonic()
        self._seconds_before = folder.earlier_seconds()

    # ---------------------------------------------------------------- chapters

    def set_up(
        self, *, resuming: bool, examine_base: bool = True, tasks: examine.Tasks | None = None
    ) -> None:
        """Load the model, prepare the data, examine the base, make everything growable; continue if asked.

        Args:
            resuming: Whether the folder holds an earlier part of this run.
            examine_base: Whether the base model's scores are wanted.
            tasks: What a finished run will be asked; None for a run that trains and asks its own tasks.
        """
        s = self.settings
        machine.set_up(s.hardware, s.seed)
        self.display.say(f"loading {s.model.path}", style="dim")
        dtype = weights_dtype(s.hardware.precision)
        self.base = load_base(s.model, dtype=dtype, device=s.hardware.device, seed=s.seed)
        machine.suit(self.base.model, s.hardware)
        self.base_parameters = num_parameters_in_use(self.base.model)
        self.display.say("preparing data", style="dim")
        gathered = gather(s, self.base, tasks, self.display)
        self.stages, self.seen, self.data = gathered.stages, gathered.seen, gathered.stages[0]
        require_old_data(s, self.data.old)
        require_old_data_for_regularizers(s, self.data.old)
        if not resuming:
            self.folder.write_start(self.values, self.command, gathered.hashes(), self.base.sha256)

        if examine_base:
            self.results["base"] = self._examined("base")
        self._make_growable()
        self.defences = defend(s, self.base, self.data, self.folder, self.display)
        # Empty slots add exactly nothing, so the model before its first step *is* the base model.
        if examine_base:
            same = self.start_max_abs_dlogits == 0
            self.results["start"] = self.results["base"] if same else self._examined("start")
        if resuming:
            self._continue()

    def train(self, should_stop: Callable[[], bool]) -> bool:
        """Run the loop, once for every stage.

        Args:
            should_stop: Says whether the user wants the run to end.

        Returns:
            Whether all steps are done.
        """
        for number, data in enumerate(self.stages):
            last = (number + 1) * self.settings.train.steps
            if self.state.step < last:
                self._begin_stage(number, data)
                if not train(self._loop(last, should_stop), self.state):
                    return False
            if len(self.stages) > 1:
                self._end_stage(number, self.state.step == last)
        return True

    def _loop(self, last_step: int, should_stop: Callable[[], bool]) -> Loop:
        model = self.base.model
        return Loop(
            settings=self.settings,
            model=model,
            head=direct_head(model),
            logits=torch.compile(logits_at) if self.settings.hardware.compile else logits_at,
            data=self.data,
            optimizers=self.optimizers,
            grower=self.grower,
            defences=self.defences,
            last_step=last_step,
            folder=self.folder,
            display=self.display,
            evaluate=self._evaluate_at,
            save=self._save,
            should_stop=should_stop,
        )

    def _begin_stage(self, number: int, data: TrainingData) -> None:
        """Take up the data of a stage, unless the run is in the middle of it."""
        if data is self.data:
            return
        self.display.say(f"stage {number + 1} of {len(self.stages)}: {self.settings.stages[number].name}")
        self.data = data
        self.state.replay, self.state.stream = data.initial_replay(), data.stream.state()
        self.state.validation = []

    def _end_stage(self, number: int, just_ended: bool) -> None:
        """Examine what a stage has made of the model; the answers of an earlier stage are on disk."""
        name = stream.name_of(number)
        self.results[name] = self._examined(name)
        if just_ended and number + 1 < len(self.stages):
            look = learnt_in_stage(self.settings, self.base, self.data, self.display)
            self.defences.end_stage(self.state.step, look)

    def conclude(self) -> None:
        """Examine what came out, export it, and write the report."""
        last = self.results.get(stream.name_of(len(self.stages) - 1))
        self.results["final"] = last or self._examined("final")
        if last is not None:
            examine.save(last, self.folder.path / "evaluations" / "final")
        if transferred := stream.summed_up(self.settings, self.results):
            self.transfer = asdict(transferred)
            self.display.console.print(stream.table(transferred, self.settings.stages))
        if self.settings.interpolate:
            self._interpolate()
        self.exported = self.write_export(self.settings.export.format, None)
        write_json(
            self.folder.path / "samples.json", examine.samples(self.results["base"], self.results["final"])
        )
        self.write_result("finished")
        run_report(self.folder.path)

    def _interpolate(self) -> None:
        alphas = self.settings.interpolate.alphas
        examined, records = self._examined, self.state.records
        self.results |= sweep(alphas, self.base.model, self.settings, records, examined)
        self.display.console.print(table(self.results))

    def write_export(self, form: str, target: Path | None, alpha: float = 1.0) -> Exported | None:
        """Write the model.

        Args:
            form: As in ExportSettings.
            target: Where, or None for the run's own `export` folder or `growth.safetensors`.
            alpha: A point between the base (0) and the trained model (1).

        Returns:
            What was written, or None where the format is `none`.
        """
        if form == "none":
            return None
        self.display.say("exporting", style="dim")
        with standing_at(alpha, self.base.model, self.settings, self.state.records):
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

    def _make_growable(self) -> None:
        s, model = self.settings, self.base.model
        probe = self.data.probe().to(s.hardware.device)
        with torch.no_grad():
            before = model(input_ids=probe.input_ids_BT[:4], use_cache=False).logits
            width = max(site.views.width for site in find_ffn_sites(model)) if s.growth else 0
            capacity = s.growth.capacity(s.total_steps, width) if s.growth else 0
            ffns = make_growable(model, capacity) if capacity else []
            if s.train.lora is not None:
                add_lora(model, s.train.lora, s.seed)
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
        tasks = examine.split_up(examine.tasks_of(self.settings.evaluation))
        found = examine.load(where) if when == "base" or when.startswith("stage_") else None
        if found is not None and found.keys() == tasks.keys():
            return found
        subject = Subject(
            model=self.base.model,
            tokenizer=self.base.tokenizer,
            max_length=self.base.max_length,
            batch_tokens=self.settings.evaluation["batch_tokens"],
        )
        source = examine.WithHeldout(self.settings.data, self.data.validation)
        results, failures = examine.examine(tasks, subject, source, when, self.display, seen=self.seen.labels)
        for task, error in failures.items():
            if when == "base" and isinstance(error, FoamError):
                raise error  # a setting or a file is wrong: better now than after the training
            self.failed[f"{when}/{task}"] = examine.reason(error)
        examine.save(results, where)
        return results

    def _evaluate_at(self, step: int) -> None:
        when = f"step_{step:08d}"
        results = self._examined(when)
        self.state.skipped += [
            {"step": step, "task": key.partition("/")[2], "error": error}
            for key, error in self.failed.items()
            if key.startswith(f"{when}/")
        ]
        values = {
            f"{task}/{name}": m.value
            for task, result in results.items()
            for name, m in result.metrics.items()
        }
        if values:
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
        self.defences.resume(found.state.step)
        _set_rng_state(found.rng)
        self.state = found.state
        self.data = self.stages[stream.stage_at(self.settings, self.state.step)]
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
            seen=self.seen.labels,
            history=[asdict(record) for record in self.state.records],
            probe_BT=probe.input_ids_BT[:8],
            tolerance=self.settings.export.max_abs_dlogits,
        )

    def _flops(self) -> int | None:
        widths = [ffn.width for ffn in growable_ffns(self.base.model)]
        try:
            return training_flops(config_of(self.settings.model), self.settings, self.state, widths)
        except Exception as error:  # a run that is done does not fail for want of a count
            self.display.say(f"FLOPs were not counted: {examine.reason(error)}", style="dim")
            return None

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
            "trainable": num_trainable_in_use(self.base.model) if ready else 0,
        }
        self.folder.write_result(
            {
                "status": status,
                "error": error,
                "seed": self.settings.seed,
                "step": self.state.step,
                **examine.summary(examine.split_up(examine.tasks_of(self.settings.evaluation)), self.results),
                "curves": examine.curves(read_jsonl(self.folder.path / "metrics.jsonl")),
                "failed": {**{_failed_at(one): one["error"] for one in self.state.skipped}, **self.failed},
                "contamination": self.seen.tasks,
                "data_remarks": self.seen.remarks,
                "parameters": parameters,
                "start_max_abs_dlogits": self.start_max_abs_dlogits,
                "transfer": self.transfer,
                "growth_events": len(self.state.records),
                "skipped_evaluations": self.state.skipped,
                "tokens": self.state.tokens,
                "flops": self._flops() if status == "finished" else None,
                "seconds": round(self._seconds_before + time.monotonic() - self._started, 3),
                "training_seconds": round(self.state.seconds, 3),
                "peak_memory_bytes": machine.peak_memory_bytes(self.settings.hardware),
                "export": None if self.exported is None else str(self.exported.path),
                "export_max_abs_dlogits": None if self.exported is None else self.exported.max_abs_dlogits,
                "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            }
        )


def _failed_at(skipped: dict[str, Any]) -> str:
    return f"step_{skipped['step']:08d}/{skipped['task']}"


def _rng_state(device: str) -> dict[str, torch.Tensor]:
    state = {"cpu": torch.get_rng_state()}
    if device == "cuda":
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def _set_rng_state(state: dict[str, torch.Tensor]) -> None:
    torch.set_rng_state(state["cpu"])
    if "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"])
