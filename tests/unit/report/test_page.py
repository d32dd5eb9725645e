"""report.html as a reader of HTML sees it: what is in it, and that nothing in it can act."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foam_cli.report.canvas import COLOURS
from foam_cli.report.page import page_context, run_report
from foam_cli.report.run_folder import read_run
from tests.html_page import Page, browse, needs_browser

Write = Callable[[Path, Any], None]
WriteRun = Callable[[Path, str], Path]

FIGURES = {"scores", "loss", "during", "births", "ages"}
FILES = ("config.yaml", "manifest.json", "metrics.jsonl", "growth.jsonl", "result.json", "samples.json")


def report(run_dir: Path) -> Page:
    return Page(run_report(run_dir).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def finished(finished_run: Path) -> Path:
    """A finished run with its report, for those who only read it."""
    run_report(finished_run)
    return finished_run


def html_of(run_dir: Path) -> str:
    return (run_dir / "report.html").read_text(encoding="utf-8")


def test_what_a_finished_run_says(finished: Path):
    text = Page(html_of(finished)).text
    assert "Learnt tool use 0 → 95 %. Forgot science" in text
    assert "study / arm / 0" in text
    assert "+25.0 % over the base" in text
    assert "1 min 37 s" in text
    assert "2 110 → 2 500" in text
    assert "2.4e-07" in text
    assert "1.2500 → 1.2500" in text
    assert "behind block 1" in text
    assert "blocks 0, 2" in text
    assert "97.1 to 99.7" in text
    assert "c0ffee" in text
    assert "Incomplete" not in text


def test_every_figure_is_on_the_page_and_beside_it(finished: Path):
    page = Page(html_of(finished))
    assert page.tags.count("svg") == len(FIGURES)
    assert {path.name for path in (finished / "figures").iterdir()} == {
        f"{n}.{e}" for n in FIGURES for e in ("png", "svg")
    }
    for name in FIGURES:
        assert ("id", f"figure-{name}") in page.attributes
        assert (finished / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert ET.parse(finished / "figures" / f"{name}.svg").getroot().tag.endswith("svg")


def test_ids_are_unique_and_every_reference_is_to_one_of_them(finished: Path):
    page = Page(html_of(finished))
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    references = [value for name, value in page.attributes if name.endswith("href")]
    references += [found for _, value in page.attributes for found in re.findall(r"url\(([^)]*)\)", value)]
    assert references
    assert {reference.removeprefix("#") for reference in references} <= set(ids)


def test_figures_have_no_colour_of_their_own(finished: Path):
    html = html_of(finished)
    drawings = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    colours = {found for drawing in drawings for found in re.findall(r"(?:fill|stroke): ?([^;\"]+)", drawing)}
    assert colours <= {f"var(--{name})" for name in COLOURS} | {"none"}


def test_the_style_sheet_knows_every_colour_in_both_themes():
    style = (Path(sys.modules[run_report.__module__].__file__ or "").parent / "page.css").read_text(
        encoding="utf-8"
    )
    light, dark = style.split("prefers-color-scheme: dark")
    for name, value in COLOURS.items():
        assert f"--{name}: {value};" in light
        assert f"--{name}: #" in dark
    assert len(set(COLOURS.values())) == len(COLOURS)


def test_hostile_text_is_inert(tmp_path: Path, write_run: WriteRun, hostile: str):
    run_dir = tmp_path / "<script>alert(1)</script>" / "{{ 7*7 }}" / "0"
    write_run(run_dir, hostile)
    plain_dir = tmp_path / "plain"
    write_run(plain_dir, "x")
    page, plain = report(run_dir), report(plain_dir)
    assert page.tags == plain.tags or sorted(set(page.tags)) == sorted(set(plain.tags))
    assert page.tags.count("style") == 1
    assert page.tags.count("svg") == plain.tags.count("svg") == len(FIGURES)
    assert not {"script", "img", "image", "iframe", "link", "object", "foreignobject"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert [name for name, _ in page.attributes if name == "src"] == []
    assert page.text.count("document.title='taken'") >= 8
    assert "\u202e" not in page.text
    assert "Learnt tool use 0 → 95 %." in page.text
    assert "Forgot science<script>" in page.text
    assert "49" not in [word.strip("{}") for word in page.text.split("display:none")[0].split()]
    assert page.text.count("{{ 7*7 }}") >= 8
    for path in (run_dir / "figures").glob("*.svg"):
        ET.parse(path)


def test_nothing_is_fetched_and_no_script_may_run(finished: Path):
    html = html_of(finished)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].split(";"))
    assert rules["default-src"] == "'none'"
    assert "script-src" not in rules
    assert "http" not in policy[1]
    page = Page(html)
    links = [value for name, value in page.attributes if "://" in value and not name.startswith("xmlns")]
    assert links == []
    assert "@import" not in html
    assert html.index("Content-Security-Policy") < html.index("<style")


@pytest.mark.parametrize("missing", [*FILES, "*"])
def test_a_partial_folder_has_a_report(missing: str, run_dir: Path):
    for path in [run_dir / missing] if missing != "*" else list(run_dir.iterdir()):
        path.unlink()
    text = report(run_dir).text
    said = {
        "config.yaml": "To make it again",
        "manifest.json": "manifest.json is not there.",
        "metrics.jsonl": "metrics.jsonl is not there.",
        "growth.jsonl": "No growth event was logged.",
        "result.json": "Unfinished after step 60. No verdict nothing was evaluated",
        "samples.json": "No answer was kept.",
        "*": "The folder does not say where the run came from.",
    }
    assert said[missing] in text


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith("json")])
@pytest.mark.parametrize("damage", ['{"cut": ', "null", "7", "\x00", "[" * 100_000])
def test_a_damaged_file_is_named(name: str, damage: str, run_dir: Path):
    (run_dir / name).write_text(damage)
    assert [note.startswith(name) for note in read_run(run_dir).notes] == [True]


def test_the_page_says_what_is_damaged(run_dir: Path):
    (run_dir / "result.json").write_text('{"cut": ')
    assert "Incomplete. result.json is damaged and was left out." in report(run_dir).text


def test_values_of_the_wrong_kind_do_no_harm(run_dir: Path, write: Write):
    wrong = {
        "step": "x",
        "loss": None,
        "born": {"0": "many", "a": 1},
        "recycled": 3,
        "blocks_after": "x",
        "reason": None,
    }
    write(run_dir / "growth.jsonl", [wrong, {}])
    write(
        run_dir / "metrics.jsonl", [wrong, {"step": 1, "loss": float("nan")}, {"step": 2, "evaluation": [1]}]
    )
    result = {
        "status": None,
        "metrics": {"a": 1, "base/t/acc": "x", "final/t/acc": float("inf")},
        "intervals": {"base/t/acc": 4},
        "roles": [],
        "primary": {"t": "acc"},
        "parameters": {"base": 0},
        "tokens": "x",
        "seconds": -1,
    }
    write(run_dir / "result.json", result)
    write(run_dir / "samples.json", [3, {"prompt": 4, "base_correct": [1]}])
    assert "No verdict" in report(run_dir).text


def test_a_cut_off_last_line_loses_only_itself(run_dir: Path, write: Write):
    with (run_dir / "growth.jsonl").open("a") as file:
        file.write('{"event": 3, "step": 50, "bor')
    assert [event.step for event in read_run(run_dir).growth] == [20, 40]


@pytest.mark.slow
def test_a_long_run_stays_small_and_quick_and_needs_no_torch(run_dir: Path, write: Write):
    blocks, events = 32, 300
    write(run_dir / "metrics.jsonl", [{"step": step, "loss": 1 + 1 / step} for step in range(1, 20_001)])
    growth = [
        {"step": 50 * event, "born": {str(block): event % 9 for block in range(blocks)}}
        for event in range(events)
    ]
    write(run_dir / "growth.jsonl", growth)
    sample = {"task": "t", "id": "i", "prompt": "p" * 20_000, "base": "b" * 20_000, "final": "f" * 20_000}
    write(run_dir / "samples.json", [sample] * 300)
    code = (
        "import sys, time; from pathlib import Path; from foam_cli.report.page import run_report;"
        "from foam_cli.report.terminal import terminal_summary;"
        "assert 'matplotlib' not in sys.modules;"
        "terminal_summary(Path(sys.argv[1])); run_report(Path(sys.argv[1]));"
        "assert 'torch' not in sys.modules and 'matplotlib.pyplot' not in sys.modules;"
        "assert time.process_time() < 4, time.process_time()"
    )
    subprocess.run([sys.executable, "-c", code, str(run_dir)], check=True)
    assert (run_dir / "report.html").stat().st_size < 3_000_000
    assert "The first 200 of 300 events" in Page(html_of(run_dir)).text


def test_every_task_is_heard_among_the_samples(run_dir: Path, write: Write):
    samples = [{"task": f"task{place // 100}", "id": str(place), "final": "x"} for place in range(400)]
    write(run_dir / "samples.json", samples)
    shown = [sample["task"] for sample in page_context(read_run(run_dir), [])["samples"]]
    assert sorted(shown) == [f"task{number}" for number in range(4) for _ in range(6)]


@pytest.mark.slow
@needs_browser
def test_a_browser_complains_of_nothing(tmp_path: Path, write_run: WriteRun, hostile: str):
    write_run(tmp_path, hostile)
    shown = browse(run_report(tmp_path), tmp_path)
    assert "CONSOLE" not in shown.log
    assert "<title>taken" not in shown.html
    assert shown.html.count("<svg") == len(FIGURES)
    assert shown.requests == []
