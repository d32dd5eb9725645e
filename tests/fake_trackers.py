"""The libraries of the trackers, as small as foam needs them: they note down what they are told."""

import sys
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import pytest

TRACKERS = ("mlflow", "tensorboard", "trackio", "wandb")


@dataclass
class Told:
    """What a library was told.

    `opened`: how a run was begun; `numbers`: (step, name, value); `texts`: (name, text); `ended`: states.
    """

    opened: list[dict] = field(default_factory=list)
    numbers: list[tuple] = field(default_factory=list)
    texts: list[tuple] = field(default_factory=list)
    ended: list[object] = field(default_factory=list)

    def take(self, row, step):
        for key, value in row.items():
            self.texts.append((key, value)) if isinstance(value, str) else self.numbers.append(
                (step, key, value)
            )


def wandb(told):
    class Run:
        def __init__(self, id):
            self.id, self.summary = id, {}

        def log(self, data, step):
            told.take(data, step)

        def finish(self, exit_code):
            told.take(self.summary, None)
            told.ended.append(exit_code)

    def init(**words):
        told.opened.append(words)
        return Run(words["id"] or "given-by-wandb")

    return {"wandb": {"init": init, "Settings": SimpleNamespace}}


def trackio(told):
    class Run:
        def __init__(self, name):
            self.name = name

        def log(self, metrics, step):
            told.take(metrics, step)

    def init(**words):
        print("* as talkative as the library")
        told.opened.append(words)
        return Run(words["name"])

    return {"trackio": {"init": init, "finish": lambda: told.ended.append(None)}}


def tensorboard(told):
    class SummaryWriter:
        def __init__(self, **words):
            told.opened.append(words)

        def add_scalar(self, name, value, step):
            told.numbers.append((step, name, value))

        def add_text(self, name, text, step):
            told.texts.append((name, text))

        def close(self):
            told.ended.append(None)

    return {"tensorboard": {}, "torch.utils.tensorboard": {"SummaryWriter": SummaryWriter}}


def mlflow(told):
    class MlflowClient:
        def __init__(self, tracking_uri):
            self.opened = {"uri": tracking_uri}

        def get_experiment_by_name(self, name):
            return None

        def create_experiment(self, name, artifact_location):
            return f"number of {name}"

        def create_run(self, experiment, run_name):
            told.opened.append({**self.opened, "experiment": experiment, "name": run_name})
            return SimpleNamespace(info=SimpleNamespace(run_id="given-by-mlflow"))

        def update_run(self, run_id, status):
            told.opened.append({**self.opened, "id": run_id, "status": status})

        def log_batch(self, run_id, metrics=(), params=()):
            assert run_id == "given-by-mlflow" and len(params) <= 100
            told.numbers += [(one.step, one.key, one.value) for one in metrics]
            told.texts += [(one.key, one.value) for one in params]

        def set_tag(self, run_id, key, value):
            told.texts.append((key, value))

        def set_terminated(self, run_id, status):
            told.ended.append(status)

    entities = {
        "Metric": lambda key, value, timestamp, step: SimpleNamespace(key=key, value=value, step=step),
        "Param": lambda key, value: SimpleNamespace(key=key, value=value),
    }
    return {"mlflow": {"MlflowClient": MlflowClient}, "mlflow.entities": entities}


@pytest.fixture
def fake_trackers(monkeypatch) -> dict[str, Told]:
    """Install all of them; what each was told, by name."""
    found = {name: Told() for name in TRACKERS}
    for make in (wandb, trackio, tensorboard, mlflow):
        for name, content in make(found[make.__name__]).items():
            module = ModuleType(name)
            module.__spec__ = ModuleSpec(name, None, origin="a test")
            vars(module).update(content)
            monkeypatch.setitem(sys.modules, name, module)
    return found
