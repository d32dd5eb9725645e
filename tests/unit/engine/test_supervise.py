"""How runs are watched, with jobs that only pretend."""

import io
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from rich.console import Console

from foam_cli.core.files import write_json
from foam_cli.engine.display import Display
from foam_cli.engine.study import supervise as supervision
from foam_cli.engine.study.jobs import Order
from foam_cli.engine.study.supervise import supervise


@dataclass
class Pretended:
    """A job that ends after so many looks at it, or never."""

    folder: Path
    looks: int
    says: str | None = None
    death: str = ""
    asked: bool = False

    def ended(self) -> str | None:
        self.looks -= 1
        if self.looks > 0:
            return None
        if self.says is not None:
            write_json(self.folder / "attempt.json", {"status": self.says, "error": f"was {self.says}"})
        return self.death

    def stop(self) -> None:
        self.asked = True
        if self.says != "hangs":
            self.looks, self.says = 1, "interrupted"

    def kill(self) -> None:
        self.looks, self.says, self.death = 1, None, "killed"


@dataclass
class Pretender:
    """A launcher of such jobs; counts how many run at once."""

    jobs: int
    plans: dict[str, dict]
    poll_s: float = 0.001
    elsewhere: bool = False
    running: list[Pretended] = field(default_factory=list)
    most: int = 0
    closed: bool = False

    def check(self) -> None: ...

    def warm_up(self) -> None: ...

    def start(self, order: Order) -> Pretended:
        job = Pretended(Path(order.folder), **self.plans[Path(order.folder).name])
        self.running = [one for one in self.running if one.looks > 0] + [job]
        self.most = max(self.most, len(self.running))
        return job

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def run(tmp_path):
    def call(launcher: Pretender, limit: float | None = None, should_stop=lambda: False):
        orders = {}
        for name in launcher.plans:
            (tmp_path / name).mkdir()
            write_json(
                tmp_path / name / "attempt.json", {"status": "finished", "error": None}
            )  # an earlier one
            orders[name] = Order(
                folder=str(tmp_path / name), plugins=(), command="", working_dir=".", threads=None
            )
        output = io.StringIO()
        display = Display(Console(file=output, width=200))
        ended = supervise(orders, launcher, display, run_limit_s=limit, should_stop=should_stop)
        assert launcher.closed
        return {name: (one.status, one.error) for name, one in ended.items()}, output.getvalue()

    return call


def test_a_run_that_fails_or_dies_stops_no_other_and_is_told_at_once(run):
    plans = {
        "fails": {"looks": 3, "says": "failed"},
        "dies": {"looks": 2, "death": "its process was killed by SIGKILL"},
        "silent": {"looks": 2},
        "good": {"looks": 9, "says": "finished"},
        "late": {"looks": 2, "says": "finished"},
    }
    launcher = Pretender(jobs=2, plans=plans)
    ended, output = run(launcher)
    assert ended == {
        "dies": ("failed", "its process was killed by SIGKILL"),
        "fails": ("failed", "was failed"),
        "silent": ("failed", "its process left without a word"),
        "late": ("finished", None),
        "good": ("finished", None),
    }
    assert launcher.most == 2
    assert output.index("dies: failed: its process was killed") < output.index("good: finished")


def test_a_run_that_takes_too_long_is_asked_and_one_that_hangs_is_killed(run, monkeypatch):
    monkeypatch.setattr(supervision, "GRACE_S", 0.1)
    plans = {
        "slow": {"looks": 10**9, "says": "slow"},
        "hangs": {"looks": 10**9, "says": "hangs"},
        "good": {"looks": 2, "says": "finished"},
    }
    ended, output = run(Pretender(jobs=1, plans=plans), limit=0.05)
    assert ended["slow"] == ended["hangs"] == ("failed", "it took longer than run_limit_s=0.05")
    assert ended["good"] == ("finished", None)
    assert output.count("took longer") == 2


def test_a_study_that_is_stopped_lets_its_runs_save_and_starts_no_more(run):
    looks = iter(range(10**9))
    plans = {name: {"looks": 10**9, "says": "slow"} for name in ("one", "two", "three")}
    ended, _ = run(Pretender(jobs=2, plans=plans), should_stop=lambda: next(looks) > 20)
    assert ended == dict.fromkeys(("one", "two"), ("interrupted", "the study was stopped"))


def test_a_fault_leaves_no_run_behind(run):
    class Faulty(Pretender):
        def start(self, order: Order) -> Pretended:
            if self.running:
                raise RuntimeError("no more processes")
            return super().start(order)

    launcher = Faulty(jobs=2, plans={"one": {"looks": 10**9}, "two": {"looks": 1}})
    with pytest.raises(RuntimeError, match="no more"):
        run(launcher)
    assert launcher.closed and launcher.running[0].death == "killed"
