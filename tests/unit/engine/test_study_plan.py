"""Which runs a study has, and what is refused before the first one starts."""

import pytest

from foam_cli.core.errors import ConfigError
from foam_cli.engine.ablate import read_study
from foam_cli.engine.study import places
from foam_cli.engine.study.plan import arms_of, baseline_of, override_value, plan_runs
from foam_cli.engine.study.settings import Study

NOTHING = {"settings": [], "grid": {}, "baseline": None, "skip": [], "search": None}


def study(**more) -> Study:
    return Study(
        **{"name": "s", "seeds": [0], "arms": {"none": ["growth=none"], "v3": []}, **NOTHING, **more}
    )


GRID = {"train.lr": [1e-3, 2e-3], "replay.ratio": [0.2]}


def test_a_grid_is_crossed_with_the_arms_and_names_say_what_differs():
    arms = arms_of(study(grid=GRID))
    points = ("lr=0.001+ratio=0.2", "lr=0.002+ratio=0.2")
    assert [arm.name for arm in arms] == [f"{name}+{point}" for name in ("none", "v3") for point in points]
    assert arms[1].overrides == ["growth=none", "train.lr=0.002", "replay.ratio=0.2"]


def test_a_study_may_be_a_grid_alone_and_keys_are_as_long_as_they_must_be():
    arms = arms_of(study(arms={}, grid={"a.lr": [1], "b.lr": [None, True], "growth": ["v3"]}))
    assert [arm.name for arm in arms] == ["a.lr=1+b.lr=null+growth=v3", "a.lr=1+b.lr=true+growth=v3"]
    assert arms[1].overrides == ["a.lr=1", "b.lr=true", "growth=v3"]


def test_a_point_of_the_grid_may_be_several_settings_with_a_name():
    old = {"forgotten": ["replay=none"], "replayed": ["replay=reservoir", "replay.ratio=0.1"]}
    arms = arms_of(study(grid={"old": old, "train.lr": [1e-3]}))
    assert [arm.name for arm in arms][1] == "none+old=replayed+lr=0.001"
    assert arms[1].overrides == ["growth=none", "replay=reservoir", "replay.ratio=0.1", "train.lr=0.001"]
    crossed = study(grid={"old": old}, baseline="none")
    assert baseline_of(crossed, arms_of(crossed)) == {
        "v3+old=forgotten": "none+old=forgotten", "v3+old=replayed": "none+old=replayed",
    }  # fmt: skip


def test_values_that_would_share_a_folder_are_refused():
    with pytest.raises(ConfigError, match="two arms would be called v3\\+path=a_b"):
        arms_of(study(arms={"v3": []}, grid={"data.path": ["a/b", "a b"]}))


def test_lists_are_written_as_hydra_reads_them():
    assert override_value(["a", 1]) == "['a', 1]"


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [
        (None, {"none+lr=2": "none+lr=1", "v3+lr=1": "none+lr=1", "v3+lr=2": "none+lr=1"}),
        ("v3", {"none+lr=1": "v3+lr=1", "none+lr=2": "v3+lr=2"}),
        ("v3+lr=2", {"none+lr=1": "v3+lr=2", "none+lr=2": "v3+lr=2", "v3+lr=1": "v3+lr=2"}),
    ],
)
def test_the_baseline_is_met_at_the_same_point_of_the_grid_or_is_one_arm(baseline, expected):
    one = study(grid={"train.lr": [1, 2]}, baseline=baseline)
    assert baseline_of(one, arms_of(one)) == expected


def test_arms_of_the_cross_can_be_left_out():
    one = study(grid={"train.lr": [1, 2]}, baseline="none", skip=["none+lr=2"])
    assert [arm.name for arm in arms_of(one)] == ["none+lr=1", "v3+lr=1", "v3+lr=2"]
    assert baseline_of(one, arms_of(one)) == {"v3+lr=1": "none+lr=1"}
    assert [arm.name for arm in arms_of(study(grid={"train.lr": [1, 2]}, skip=["*+lr=1"]))] == [
        "none+lr=2", "v3+lr=2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("skip", "complaint"),
    [("nome", "nome is the name of no arm. Did you mean 'none'"), ("*", "leaves no arm")],
)
def test_to_leave_out_what_is_not_there_or_everything_is_refused(skip, complaint):
    with pytest.raises(ConfigError, match=complaint):
        arms_of(study(skip=[skip]))


def test_a_baseline_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="Did you mean 'none'"):
        baseline_of(study(baseline="nome"), arms_of(study()))


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"seeds": []}, "at least one seed"),
        ({"seeds": [1, 1]}, "twice"),
        ({"arms": {}}, "needs arms"),
        ({"arms": {"a/b": []}}, "folder's name"),
        ({"grid": {"train.lr": []}}, "at least one value"),
        ({"grid": {"train.lr": 1e-3}}, "list of values"),
    ],
)
def test_a_study_that_makes_no_sense_is_refused(more, complaint):
    with pytest.raises(ValueError, match=complaint):
        study(**more)


@pytest.mark.slow
def test_everything_that_is_wrong_is_listed_before_anything_starts():
    broken = study(
        arms={"a": ["growth=v4"], "b": ["train.stepz=1"], "c": [], "d": ["train=grown", "growth=none"]}
    )
    with pytest.raises(ConfigError) as error:
        plan_runs(broken, arms_of(broken), ["hardware=cpu"])
    text = str(error.value)
    for words in ("a: growth=v4", "Did you mean 'v3'", "b: train.stepz=1", "d: train=grown with growth=none"):
        assert words in text


def test_arms_that_are_the_same_run_are_refused():
    same = study(arms={"a": [], "b": ["growth=v3"]})
    with pytest.raises(ConfigError, match="a, b: are the same run"):
        plan_runs(same, arms_of(same), ["hardware=cpu"])


def test_seeds_that_are_not_composed_one_by_one_are_as_if_they_were():
    one = study(seeds=[3, 1, 2], arms={"v3": []})
    runs = plan_runs(one, arms_of(one), ["hardware=cpu"])
    alone = study(seeds=[2], arms={"v3": []})
    assert runs[2].composed.values == plan_runs(alone, arms_of(alone), ["hardware=cpu"])[0].composed.values
    assert len({run.run_id for run in runs}) == 1


@pytest.mark.slow
def test_a_run_is_found_by_what_it_does_and_nothing_is_overwritten(tmp_path):
    def planned(seed: int, *words: str):
        one = study(seeds=[seed], arms={"v3": []})
        return plan_runs(one, arms_of(one), ["hardware=cpu", f"output_dir={tmp_path}", *words])[0]

    first, changed = planned(1), planned(1, "train.steps=7")
    assert places.find(first) is None
    assert places.make(planned(10)).name == "10"
    assert places.find(first) is None  # 10 begins with 1, and differs in nothing but the seed
    folder = places.make(first)
    assert (places.find(first), places.find(changed)) == (folder, None)
    text = (folder / "config.yaml").read_text()
    assert places.make(changed).name == "1-2"
    assert (folder / "config.yaml").read_text() == text
    assert places.find(changed) == folder.with_name("1-2")


def test_what_belongs_to_the_study_is_told_from_what_belongs_to_the_runs(tmp_path):
    words = ["jobs=3", "study.seeds=[7]", "run_limit_s=9", "train.steps=5", f"results_dir={tmp_path}"]
    asked = read_study("sweep", words, "", [])
    assert asked.settings.study.name == "sweep"
    assert (asked.settings.launcher.jobs, asked.settings.run_limit_s) == (3, 9.0)
    assert asked.settings.study.seeds == [7]
    assert "train.steps=5" in asked.shared and len(asked.shared) == 2  # and the machine's hardware profile


def test_a_study_of_the_users_own_needs_no_more_than_its_arms(tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "mine.yaml").write_text(
        "arms: {a: [], b: [train.lr=1e-4]}\ngrid: {replay.ratio: [0.1]}\n"
    )
    asked = read_study("mine", [], "", [tmp_path])
    assert [arm.name for arm in arms_of(asked.settings.study)] == ["a+ratio=0.1", "b+ratio=0.1"]


def test_a_cluster_needs_the_name_of_its_hardware(monkeypatch):
    monkeypatch.setattr("foam_cli.engine.launchers.submitit.Submitit.check", lambda self: None)
    with pytest.raises(ConfigError, match="Name it: hardware="):
        read_study("sweep", ["launcher=submitit"], "", [])
    assert "hardware=h200" in read_study("sweep", ["launcher=submitit", "hardware=h200"], "", []).shared


def test_slurm_is_looked_for_before_anything_starts(monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match="no sbatch"):
        read_study("sweep", ["launcher=submitit", "hardware=cpu"], "", [])
