"""The search, with runs that only pretend: their result is a parabola."""

import io

import pytest
from rich.console import Console

from foam_cli.config import Composed
from foam_cli.core.errors import ConfigError
from foam_cli.core.files import read_json, write_json
from foam_cli.engine.display import Display
from foam_cli.engine.study import search as searching
from foam_cli.engine.study.places import find, make
from foam_cli.engine.study.plan import PlannedRun

pytest.importorskip("optuna")

YAML = """
seeds: [0, 1]
search:
  metric: final/x/loss
  direction: minimize
  trials: 6
  parameters:
    train.lr: {low: 1e-4, high: 1e-2, log: true}
    train.warmup_steps: {choices: [1, 2]}
  prune: false
  seed: 0
"""


class Killed(BaseException):
    """Stands for SIGKILL."""


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A study of one's own whose runs end at once; returns what was run, and how to search."""
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "hunt.yaml").write_text(YAML)
    ran: list[tuple[str, int]] = []
    kill_at: list[int] = []

    def run_all(asked, runs, display):
        folders = {}
        for run in runs:
            folder = find(run) or make(run)
            if not (folder / "result.json").exists():
                if len(ran) + 1 in kill_at:
                    kill_at.clear()
                    raise Killed
                ran.append((run.arm, run.seed))
                loss = (run.composed.values["train"]["lr"] - 3e-3) ** 2 + run.composed.values["train"][
                    "warmup_steps"
                ]
                write_json(folder / "result.json", {"metrics": {"final/x/loss": loss + run.seed}})
            folders[run.label] = folder
        return folders, {}

    def plan_runs(study, arms, shared, config_dirs):
        """Composing takes a while, and these runs need no more than this."""
        train = {
            key.removeprefix("train."): float(value)
            for key, value in (o.split("=") for o in arms[0].overrides)
        }
        values = {
            "output_dir": str(tmp_path / "out"),
            "name": {"study": study.name, "arm": arms[0].name},
            "train": train,
        }
        return [
            PlannedRun(
                arm=arms[0].name,
                seed=seed,
                composed=Composed(values={**values, "seed": seed, "plugins": []}, choices={}),
            )
            for seed in study.seeds
        ]

    def search(*words):
        output = Display(Console(file=io.StringIO(), width=200))
        settings = [
            f"output_dir={tmp_path / 'out'}",
            f"results_dir={tmp_path / 'res'}",
            "hardware=cpu",
            *words,
        ]
        return searching.search("hunt", settings, output, command="foam", config_dirs=[tmp_path])

    monkeypatch.setattr(searching, "plan_runs", plan_runs)
    monkeypatch.setattr(searching, "run_all", run_all)
    monkeypatch.setattr("foam_cli.engine.launchers.local.Local.warm_up", lambda self: None)
    return ran, kill_at, search, tmp_path


@pytest.mark.slow
def test_a_search_killed_in_the_middle_loses_and_repeats_nothing(world):
    ran, kill_at, search, folder = world
    kill_at.append(6)  # the second seed of the third trial
    with pytest.raises(Killed):
        search("study.search.trials=4")
    assert len(ran) == 5
    document = search("study.search.trials=4")
    assert len(ran) == len(set(ran)) == 8  # four trials of two seeds, none of them twice
    states = [one["state"] for one in document["trials"]]
    assert sorted(states) == ["complete"] * 4 + ["fail"]
    interrupted = document["trials"][states.index("fail")]
    assert interrupted["parameters"] in [
        one["parameters"] for one in document["trials"] if one is not interrupted
    ]
    assert document == read_json(folder / "res" / "search_hunt.json")
    assert document["best"]["value"] == min(
        one["value"] for one in document["trials"] if one["value"] is not None
    )
    best = document["best"]["parameters"]
    assert document["best"]["value"] == pytest.approx(
        (best["train.lr"] - 3e-3) ** 2 + best["train.warmup_steps"] + 0.5
    )
    assert search("study.search.trials=4") == document and len(ran) == 8
    assert len(search("study.search.trials=5")["trials"]) == 6 and len(ran) == 10


def test_a_search_of_something_else_does_not_mix_with_it(world):
    _, _, search, _ = world
    search("study.search.trials=1")
    with pytest.raises(ConfigError, match="another search"):
        search("study.search.trials=2", "study.search.metric=final/y/loss")


@pytest.mark.slow
def test_a_hopeless_trial_is_spared_its_other_seeds(world):
    ran, _, search, _ = world
    document = search("study.search.prune=true", "study.search.trials=9")
    pruned = [one for one in document["trials"] if one["state"] == "pruned"]
    assert pruned and len(ran) == 2 * 9 - len(pruned)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["study.search.parameters={train.lr: {low: 1}}"], "train.lr"),
        (["study.search.metric=final/z"], "has none. There are: final/x/loss"),
        (["+study.arms.a=[]"], "neither arms nor a grid"),
        (["study.search=null"], "needs arms"),
    ],
)
def test_a_search_that_cannot_work_says_why(world, words, complaint):
    _, _, search, _ = world
    with pytest.raises(ConfigError, match=complaint):
        search("study.search.trials=1", *words)
