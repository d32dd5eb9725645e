"""A study's report.html: what it says with and without a comparison, and that nothing in it can act."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foam_cli.report.answers import answers_of_study
from foam_cli.report.html import render
from foam_cli.report.pareto import pareto
from foam_cli.report.study_curves import ages_figure, losses_figure
from foam_cli.report.study_figures import study_captions, tradeoff_figure
from foam_cli.report.study_folder import is_study, read_study
from foam_cli.report.study_page import study_context, study_report
from tests.html_page import Page, browse, needs_browser

Write = Callable[[Path, Any], None]
WriteRun = Callable[[Path, str], Path]
FIGURES = {"tradeoff", "retention", "losses", "births", "ages"}


def make_arm(folder: Path, write: Write, write_run: WriteRun, text: str, finals: list[float]) -> None:
    """An arm whose seeds end with these scores of what was to be learnt, and lose a tenth of each."""
    for seed, final in enumerate(finals):
        run = write_run(folder / str(seed), text)
        result = json.loads((run / "result.json").read_text())
        result["metrics"] |= {
            "final/tool_use/full_call_acc": final,
            f"final/science{text}/acc": 0.99 - final / 10,
        }
        result["flops"] = 3.5e15
        write(run / "result.json", result)


def comparison(text: str = "plain") -> dict[str, Any]:
    effect = {"points": 12.5, "low": 8.0, "high": 17.0, "cohens_h": 0.42, "p_holm": 0.0012, "num_items": 240}
    side = {"seeds": [0], "runs": {"0": "elsewhere/none/0"}, "overrides": [f"growth={text}"], "metrics": {}}
    return {
        "schema_version": 2,
        "study": f"mine {text}",
        "arms": {
            "none": side,
            "v3": side | {"runs": {"0": "elsewhere/v3/0", "1": "elsewhere/v3/1", "2": "elsewhere/v3/2"}},
        },
        "comparisons": [
            {
                "arm": "v3",
                "baseline": f"none{text}",
                "tasks": {f"tool_use{text}": effect | {"finding": "better"}},
                "verdict": f"v3 against none: better in tool_use, {text}.",
            }
        ],
        "verdicts": [],
        "failures": {f"v3/9{text}": f"it broke: {text}"},
    }


@pytest.fixture
def study(tmp_path: Path, write: Write, write_run: WriteRun) -> Path:
    make_arm(tmp_path / "mine" / "none", write, write_run, "plain", [0.2])
    make_arm(tmp_path / "mine" / "v3", write, write_run, "plain", [0.8, 1.0, 0.9])
    return tmp_path / "mine"


def text_of(folder: Path) -> str:
    """The page's text, without the time that drawing takes."""
    study = read_study(folder)
    figures = {name: caption | {"svg": None} for name, caption in study_captions(study.arms).items()}
    return Page(render("study.html.j2", study_context(study) | {"figures": figures})).text


def test_without_a_comparison_it_says_what_was_measured(study: Path):
    text = text_of(study)
    assert "v3 learnt tasks 90 % [80 to 100], kept tasks −9 points [−10 to −8] (not tested; 3 seeds)." in text
    assert "none learnt tasks 20 %, kept tasks −2 points (not tested; 1 seed)." in text
    assert "ablation_comparison.json is not there" in text
    assert "3.5e+15" in text
    assert "c0ffee" in text


def test_with_a_comparison_it_says_what_was_tested(study: Path, write: Write):
    write(study / "ablation_comparison.json", comparison())
    text = text_of(study)
    assert "v3 against none: better in tool_use, plain." in text
    assert "+12.5 +8.0 to +17.0 +0.42 0.0012 240 better" in text
    assert "growth=plain" in text
    assert "v3/9plain it broke: plain" in text
    assert "Incomplete" not in text


def test_of_many_arms_those_that_none_surpasses_come_first(tmp_path: Path, write: Write, write_run: WriteRun):
    # A tenth of the learnt is lost, so 1.0 and 0.9 are each better in one; the rest learn less and lose more.
    for place, final in enumerate([1.0, 0.9, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]):
        make_arm(tmp_path / f"arm{place}", write, write_run, "plain", [final])
        if final == 0.5:
            result = tmp_path / f"arm{place}" / "0" / "result.json"
            told = json.loads(result.read_text())
            told["metrics"]["final/scienceplain/acc"] = 0.1
            write(result, told)
    text = text_of(tmp_path)
    best = "Unsurpassed in learning and keeping at once: 2 of 8 arms, by medians that nothing tested."
    assert f"{best} arm1 learnt tasks 90 %" in text and "arm0 learnt tasks 100 %" in text
    assert "6 more comparisons in words" in text


def test_a_study_under_way_says_how_many_runs_are_finished(study: Path, write: Write):
    write(study / "ablation_comparison.json", comparison() | {"failures": {}, "seeds": [0, 1, 2]})
    assert "mine plain 4 of 6 runs" in text_of(study)
    write(study / "ablation_comparison.json", comparison() | {"failures": {}, "seeds": [0, 1]})
    assert "mine plain finished" in text_of(study)


def test_a_comparison_finds_its_runs_from_where_it_was_made(
    study: Path, write: Write, monkeypatch: pytest.MonkeyPatch
):
    document = comparison()
    document["arms"]["v3"]["runs"] = {"0": "mine/v3/0", "1": "mine/v3/1", "2": "mine/v3/7"}
    document["arms"]["none"]["runs"] = {}
    results = study.parent / "results"
    results.mkdir()
    write(results / "ablation_comparison.json", document)
    monkeypatch.chdir(study.parent)
    found = read_study(Path("results"))
    assert [list(arm.runs) for arm in found.arms] == [[], ["0", "1"]]
    assert found.notes == ["v3/2: mine/v3/7 is not there."]


def test_runs_that_the_comparison_does_not_know_are_named(study: Path, write: Write):
    document = comparison()
    del document["arms"]["v3"]["runs"]["2"]
    write(study / "ablation_comparison.json", document)
    assert read_study(study).notes == ["ablation_comparison.json knows nothing of 1 more runs here (v3/2)."]


def test_arms_differ_in_what_their_configurations_say(study: Path):
    (study / "none" / "0" / "config.yaml").write_text("seed: 0\ngrowth: null\ntrain: {steps: 5, lr: 0.1}\n")
    for seed in range(3):
        (study / "v3" / str(seed) / "config.yaml").write_text(
            f"seed: {seed}\ngrowth: {{events: 4}}\ntrain: {{steps: 5, lr: 0.2}}\n"
        )
    changed = {arm.name: arm.overrides for arm in read_study(study).arms}
    assert changed == {"none": ["growth=null", "train.lr=0.1"], "v3": ["train.lr=0.2", "growth.events=4"]}


def test_a_run_that_did_not_finish_is_a_failure_and_a_later_one_counts(study: Path, write: Write):
    write(study / "v3" / "1" / "result.json", {"status": "failed", "error": "out of memory"})
    shutil.copytree(study / "v3" / "0", study / "v3" / "0-2")
    (study / "v3" / "2" / "result.json").unlink()
    write(study / "v3" / "2" / "attempt.json", {"status": "failed", "error": "killed"})
    (study / "v3" / "3").mkdir()
    (study / "v3" / "3" / "config.yaml").write_text("seed: 3\n")
    found = read_study(study)
    assert {arm.name: list(arm.runs) for arm in found.arms} == {"none": ["0"], "v3": ["0"]}
    assert found.arms[1].runs["0"].path.name == "0-2"
    assert found.failures == {"v3/1": "out of memory", "v3/2": "killed"}
    assert "not finished: 1 run (v3/3)." in found.notes


def test_the_line_of_the_best_leaves_out_what_is_surpassed():
    points = {"a": (0.9, -0.4), "b": (0.5, -0.1), "c": (0.5, -0.2), "d": (0.1, 0.0), "e": (0.9, -0.4)}
    assert pareto(points) == ["d", "b", "a", "e"]


def test_the_corner_of_the_best_is_shown_once_more(tmp_path: Path, write: Write, write_run: WriteRun):
    """By make_arm an arm loses a tenth of what it learns, unless it is said here what becomes of science."""
    places = {f"best{place}": (0.95 + 0.01 * place, 0.99 - 0.01 * place) for place in range(4)}
    places |= {"learns_little": (0.1, 0.99), "forgets_much": (0.99, 0.4)}
    for name, (learnt, science) in places.items():
        make_arm(tmp_path / name, write, write_run, "", [learnt])
        result = json.loads((tmp_path / name / "0" / "result.json").read_text())
        result["metrics"] |= {"final/science/acc": science}
        write(tmp_path / name / "0" / "result.json", result)
    arms = read_study(tmp_path).arms
    many = tradeoff_figure(arms)
    few = tradeoff_figure([arm for arm in arms if arm.name not in ("best2", "best3")])
    assert few is not None and many is not None
    assert len(few.axes) == 1
    whole, close = many.axes
    assert {text.get_text() for text in whole.texts} == {"learns_little", "forgets_much"}
    assert {text.get_text() for text in close.texts} == {"best0", "best1", "best2", "best3"}
    (left, right), (low, high) = close.get_xlim(), close.get_ylim()
    assert 90 < left < 95 < 98 < right
    assert -10 < low < -3 < high


def test_every_figure_is_on_the_page_and_beside_it(study: Path):
    page = Page(study_report(study).read_text(encoding="utf-8"))
    assert page.tags.count("svg") == len(FIGURES)
    names = {path.name for path in (study / "figures").iterdir()}
    assert names == {f"{name}.{end}" for name in FIGURES for end in ("png", "svg")}
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    policy = next(value for _, value in page.attributes if value.startswith("default-src"))
    assert "default-src 'none'" in policy and "script-src" not in policy
    assert not [value for name, value in page.attributes if "://" in value and not name.startswith("xmlns")]


def test_losses_are_medians_over_seeds_between_their_extremes(study: Path, write: Write):
    for seed, loss in enumerate((1.0, 2.0, 5.0)):
        rows = [{"step": step, "loss": loss} for step in range(1, 301)]
        write(study / "v3" / str(seed) / "metrics.jsonl", [*rows, {"step": 300, "validation_loss": 4 * loss}])
    figure = losses_figure(read_study(study).arms[1:])
    assert figure is not None
    (axes,) = figure.axes
    curves = [line for line in axes.lines if len(line.get_xdata()) > 2 or line.get_marker() == "o"]
    training, validation = (line.get_xydata() for line in curves)
    assert len(training) == 60 and training[-1].tolist() == [300, 2] and set(training[:, 1]) == {2}
    assert validation.tolist() == [[300, 8]]
    shade = axes.collections[0].get_paths()[0].get_extents()
    assert (shade.y0, shade.y1) == (1, 5)


def test_ages_are_means_over_seeds(study: Path, write: Write):
    write(study / "v3" / "1" / "growth.jsonl", [])
    figure = ages_figure(read_study(study).arms[1:])
    assert figure is not None
    counts, edges, _ = figure.axes[0].patches[0].get_data()
    # Of 60 steps: 11 neurons born after 20, 5 after 40, in two of three seeds.
    born = {int(edge): float(count) for count, edge in zip(counts, edges, strict=False) if count}
    assert born == {39: pytest.approx(22 / 3), 18: pytest.approx(10 / 3)}


def test_answers_that_arms_disagree_on_come_first(study: Path, write: Write):
    def row(item: str, arm: str, correct: bool) -> dict[str, Any]:
        said = {"base": "hm", "base_correct": False, "final": f"says {arm}", "final_correct": correct}
        return {"task": "t", "id": item, "prompt": f"ask {item}", "expected": "x", **said}

    agreed, split = (row("agreed", arm, True) for arm in ("none", "v3")), ("none", "v3")
    rows = {arm: [one, row("split", arm, arm == "v3")] for arm, one in zip(split, agreed, strict=True)}
    write(study / "none" / "0" / "samples.json", [row("alone", "none", False), *rows["none"]])
    write(study / "v3" / "0" / "samples.json", rows["v3"])
    found = answers_of_study(read_study(study).arms)
    assert [one["id"] for one in found] == ["split", "agreed", "alone"]
    told = [(answer["who"], answer["mark"], answer["text"]) for answer in found[0]["answers"]]
    assert told == [("base", "wrong", "hm"), ("none", "wrong", "says none"), ("v3", "right", "says v3")]
    assert "ask split base wrong hm none wrong says none v3 right says v3 expected x" in text_of(study)


@pytest.mark.parametrize("damage", ["{", "null", '{"arms": 3}', '{"arms": {"v3": 4}, "comparisons": [5]}'])
def test_a_damaged_comparison_does_no_harm(damage: str, study: Path):
    (study / "ablation_comparison.json").write_text(damage)
    assert "Side by side" in text_of(study)


def test_runs_that_say_nothing_do_no_harm(study: Path, write: Write):
    for file in study.glob("*/*/*.json*"):
        file.unlink()
    write(study / "v3" / "1" / "result.json", {"status": "finished"})
    page = Page(study_report(study).read_text(encoding="utf-8"))
    assert "v3 neither asked what it learnt nor what it kept." in page.text
    assert "No neuron was born in any arm." in page.text
    assert "svg" not in page.tags


def test_what_is_no_study_is_told_apart(study: Path, tmp_path: Path):
    assert is_study(study)
    assert not is_study(study / "v3")
    assert not is_study(tmp_path / "nowhere")


def hostile_study(folder: Path, write: Write, write_run: WriteRun, hostile: str) -> Path:
    make_arm(folder / "none", write, write_run, hostile, [0.2])
    make_arm(folder / "v3", write, write_run, hostile, [0.8, 1.0, 0.9])
    write(folder / "ablation_comparison.json", comparison(hostile))
    return folder


def test_hostile_text_is_inert(tmp_path: Path, write: Write, write_run: WriteRun, hostile: str):
    page = Page(study_report(hostile_study(tmp_path, write, write_run, hostile)).read_text(encoding="utf-8"))
    assert page.tags.count("style") == 1
    assert page.tags.count("svg") == len(FIGURES)
    assert not {"script", "img", "image", "iframe", "link", "object", "foreignobject"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "src"]
    assert page.text.count("document.title='taken'") >= 8
    assert "\u202e" not in page.text


@pytest.mark.slow
def test_200_runs_take_less_than_ten_seconds(tmp_path: Path, write: Write, write_run: WriteRun):
    for arm in range(40):
        make_arm(tmp_path / f"arm{arm}", write, write_run, "plain", [arm / 40] * 5)
    rows = [{"step": step, "loss": 1.0, "lr": 0.1, "tokens": step} for step in range(1, 1001)]
    for file in tmp_path.glob("*/*/metrics.jsonl"):
        with file.open("a") as log:
            log.writelines(json.dumps(row) + "\n" for row in rows)
    began = time.process_time()
    page = study_report(tmp_path)
    assert time.process_time() - began < 10
    assert page.stat().st_size < 3_000_000
    assert "At most 16 arms are drawn." in page.read_text(encoding="utf-8")


def test_names_of_arms_are_shown_whole(study: Path, write: Write):
    document = comparison()
    document["arms"]["<script>alert(1)</script>"] = document["arms"].pop("v3")
    write(study / "ablation_comparison.json", document)
    assert "<script>alert(1)</script>" in text_of(study)
    rows = study_context(read_study(study))["arms"]
    assert [row["name"] for row in rows] == ["none", "<script>alert(1)</script>"]


@pytest.mark.slow
@needs_browser
def test_a_browser_complains_of_nothing(tmp_path: Path, write: Write, write_run: WriteRun, hostile: str):
    page = study_report(hostile_study(tmp_path / "study", write, write_run, hostile))
    shown = browse(page, tmp_path)
    assert "CONSOLE" not in shown.log
    assert "<title>taken" not in shown.html
    assert shown.html.count("<svg") == len(FIGURES)
    assert all(f'id="figure-{name}"' in shown.html for name in FIGURES)
    assert shown.requests == []
