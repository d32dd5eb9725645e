"""`foam ablate search`: Optuna looks for good values of a study's parameters.

Hydra's Optuna sweeper 1.3.0 pins Optuna below 3 and cannot keep its trials in SQLite, so this is Optuna
itself. The trials lie in one SQLite file; a trial's runs are ordinary runs of the study, found again by what
they do. Killed at any moment, a search takes the trial that it was at up again with the same values.
"""

import importlib
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from foam_cli.core.errors import ConfigError, FoamError
from foam_cli.core.files import read_json, sha256_json, write_json
from foam_cli.core.seeds import derive_seed
from foam_cli.engine.ablate import Asked, read_study, run_all, study_lock
from foam_cli.engine.display import Display
from foam_cli.engine.folder import arm_folder
from foam_cli.engine.study.plan import Arm, PlannedRun, override_value, plan_runs
from foam_cli.engine.study.settings import Search

SCHEMA_VERSION = 1


def search(
    name: str, overrides: Sequence[str], display: Display, *, command: str, config_dirs: Sequence[Path] = ()
) -> dict[str, Any]:
    """Try values until the study has as many trials as it asks for.

    Args:
        name: An option of the group study, with a section `search`.
        overrides: As for `ablate`.
        display: Shows the progress.
        command: What the user typed.
        config_dirs: The user's own configuration folders.

    Returns:
        What is written to search_NAME.json: the best trial and all others.

    Raises:
        ConfigError: The study has no section `search`, or arms or a grid, or Optuna is missing.
        FoamError: No trial was finished.
    """
    asked = read_study(name, overrides, command, config_dirs)
    wanted = asked.settings.study.search
    if wanted is None or asked.settings.study.arms or asked.settings.study.grid:
        raise ConfigError(f"study={name}: a search needs a section `search`, and neither arms nor a grid.")
    optuna = _optuna()
    distributions = {key: _distribution(optuna, key, value) for key, value in wanted.parameters.items()}
    asked.settings.launcher.warm_up()
    first = _planned(asked, {key: _any_of(one) for key, one in distributions.items()})
    folder = arm_folder(first[0].composed.values, first[0].composed.choices).parent
    with study_lock(first[0]):
        storage = _storage(optuna, folder / "search.sqlite3", wanted, str(asked.settings.study.name))
        _take_up_again(optuna, storage)
        while (count := _num_done(storage)) < wanted.trials:
            storage.sampler = optuna.samplers.TPESampler(
                seed=derive_seed(wanted.seed, "search", count) % 2**32
            )
            trial = storage.ask(distributions)
            display.say(f"[{count + 1}/{wanted.trials}] {_words(trial.params)}", style="bold")
            _try(optuna, storage, trial, asked, wanted, display)
    document = _document(storage, wanted)
    if document["best"] is None:
        raise FoamError(f"study={name}: no trial was finished, so there is nothing to choose from.")
    target = Path(asked.settings.results_dir) / f"search_{asked.settings.study.name}.json"
    write_json(target, document)
    best = document["best"]
    display.say(f"best {wanted.metric} {best['value']:.6g} with {_words(best['parameters'])}")
    display.say(str(target), style="dim")
    return document


def _optuna() -> Any:
    try:
        optuna: Any = importlib.import_module("optuna")
    except ImportError as error:
        raise ConfigError(
            "foam ablate search: Optuna is not installed; pip install 'foam-cli[search]'."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _distribution(optuna: Any, key: str, value: Mapping[str, Any]) -> Any:
    """What a parameter may be."""
    kinds = optuna.distributions
    try:
        if "choices" in value:
            return kinds.CategoricalDistribution(**value)
        whole = isinstance(value["low"], int) and isinstance(value["high"], int)
        return (kinds.IntDistribution if whole else kinds.FloatDistribution)(**value)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"study.search.parameters.{key}={dict(value)}: {error}. Write {{low: 1e-4, high: 1e-2, log: "
            "true}, {low: 8, high: 64, step: 8} or {choices: [a, b]}."
        ) from error


def _any_of(distribution: Any) -> Any:
    return distribution.choices[0] if hasattr(distribution, "choices") else distribution.low


def _storage(optuna: Any, file: Path, wanted: Search, name: str) -> Any:
    file.parent.mkdir(parents=True, exist_ok=True)
    question = {"metric": wanted.metric, "parameters": wanted.parameters, "prune": wanted.prune}
    pruner = optuna.pruners.MedianPruner if wanted.prune else optuna.pruners.NopPruner
    study = optuna.create_study(
        storage=f"sqlite:///{file}",
        study_name=name,
        direction=wanted.direction,
        pruner=pruner(),
        load_if_exists=True,
    )
    text = json.dumps(question, sort_keys=True)
    if study.user_attrs.get("question", text) != text:
        raise ConfigError(
            f"{file}: holds trials of another search under this name. Give this one another study.name."
        )
    study.set_user_attr("question", text)
    return study


def _take_up_again(optuna: Any, storage: Any) -> None:
    """A trial that was running when the search was killed counts as failed; its values come next."""
    running = storage.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
    for trial in running:
        storage.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        # What was told as failed does not count as tried; its finished seeds are found in their folders.
        storage.enqueue_trial(trial.params, user_attrs={"taken_up": trial.number})


def _num_done(storage: Any) -> int:
    """Trials that count: all that ended, but for those that were taken up again."""
    taken_up = {trial.user_attrs.get("taken_up") for trial in storage.get_trials(deepcopy=False)}
    return sum(
        trial.state.is_finished() and trial.number not in taken_up
        for trial in storage.get_trials(deepcopy=False)
    )


def _planned(asked: Asked, params: Mapping[str, Any]) -> list[PlannedRun]:
    overrides = [f"{key}={override_value(value)}" for key, value in params.items()]
    name = f"trial-{sha256_json(dict(params))[:8]}"
    arm = Arm(name=name, family="", overrides=overrides)
    return plan_runs(asked.settings.study, [arm], asked.shared, asked.config_dirs)


def _try(  # noqa: PLR0917
    optuna: Any, storage: Any, trial: Any, asked: Asked, wanted: Search, display: Display
) -> None:
    """Run a trial's seeds: all together, or one after the other where a bad one may be given up early."""
    runs = _planned(asked, trial.params)
    values: list[float] = []
    for part in [[run] for run in runs] if wanted.prune else [runs]:
        finished, failures = run_all(asked, part, display)
        if failures:
            display.say(f"trial {trial.number} failed: {next(iter(failures.values()))}", style="red")
            storage.tell(trial, state=optuna.trial.TrialState.FAIL)
            return
        values += [_value(finished[run.label], wanted.metric) for run in part]
        trial.report(statistics.fmean(values), step=len(values))
        if wanted.prune and len(values) < len(runs) and trial.should_prune():
            storage.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return
    storage.tell(trial, statistics.fmean(values))


def _value(run: Path, metric: str) -> float:
    metrics = read_json(run / "result.json")["metrics"]
    if metric not in metrics:
        known = ", ".join(key for key in metrics if key.startswith("final/"))
        raise ConfigError(
            f"study.search.metric={metric}: {run} has none. There are: {known or 'none at all'}."
        )
    return float(metrics[metric])


def _words(params: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in params.items())


def _document(storage: Any, wanted: Search) -> dict[str, Any]:
    trials = [
        {"number": one.number, "state": one.state.name.lower(), "value": one.value, "parameters": one.params}
        for one in storage.get_trials(deepcopy=False)
    ]
    complete = [one for one in trials if one["state"] == "complete"]
    choose = min if wanted.direction == "minimize" else max
    return {
        "schema_version": SCHEMA_VERSION,
        "metric": wanted.metric,
        "direction": wanted.direction,
        "best": choose(complete, key=lambda one: one["value"]) if complete else None,
        "trials": trials,
    }
