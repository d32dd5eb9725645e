"""What is kept of a study's runs, and that it is all that a comparison asks for."""

import runpy
import tarfile
from pathlib import Path

from foam_cli.core.files import read_json, write_json, write_text
from foam_cli.engine.folder import status

EXPERIMENTS = Path(__file__).parents[3] / "experiments"


def run(folder: Path, how: str) -> Path:
    write_text(folder / "config.yaml", "seed: 0\n")
    write_json(folder / "result.json", {"status": how, "export": str(folder / "export")})
    write_text(folder / "evaluations" / "final" / "science.jsonl", '{"correct": true}\n')
    write_text(folder / "checkpoints" / "step_00000001" / "model.safetensors", "weights")
    write_text(folder / "log.txt", "what its process said")
    return folder


def test_finished_runs_are_packed_by_seed_without_their_weights(tmp_path: Path):
    study, moved = tmp_path / "outputs" / "mine", tmp_path / "elsewhere"
    for arm in ("none", "v3"):
        run(study / arm / "0", "finished")
    run(study / "v3" / "1", "interrupted")
    pack = runpy.run_path(str(EXPERIMENTS / "evidence.py"))["main"]

    pack(study, tmp_path / "kept")
    archives = list((tmp_path / "kept").iterdir())
    assert [file.name for file in archives] == ["seed_0.tar.xz"]
    with tarfile.open(archives[0]) as tar:
        tar.extractall(moved, filter="data")
    assert sorted(str(file.relative_to(moved)) for file in moved.rglob("*") if file.is_file()) == [
        f"mine/{arm}/0/{name}"
        for arm in ("none", "v3")
        for name in ("config.yaml", "evaluations/final/science.jsonl", "result.json")
    ]
    assert status(moved / "mine" / "v3" / "0") == "finished"
    assert read_json(moved / "mine" / "v3" / "0" / "result.json")["export"] is None

    first = archives[0].read_bytes()
    pack(study, tmp_path / "kept")
    assert archives[0].read_bytes() == first
