"""Keep what the finished runs of a study say, without their weights: one archive a seed.

python experiments/evidence.py outputs/retention experiments/retention/evidence

Unpacked beside the command (tar -xf ARCHIVE -C outputs), the runs count as finished: `foam ablate` repeats none of
them, runs what is missing, and makes the comparison and its report of all.
"""

import argparse
import lzma
import tarfile
from pathlib import Path

from foam_cli.engine.folder import status

KEPT = ("config.yaml", "manifest.json", "result.json", "metrics.jsonl", "growth.jsonl", "samples.json", "evaluations")


def main() -> None:
    """Pack the runs of a study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="the study's folder: its runs are in ARM/SEED")
    parser.add_argument("to", type=Path, help="where the archives go")
    args = parser.parse_args()
    by_seed: dict[str, list[Path]] = {}
    for config in sorted(args.study.glob("*/*/config.yaml")):
        if status(config.parent) == "finished":
            by_seed.setdefault(config.parent.name, []).append(config.parent)
    args.to.mkdir(parents=True, exist_ok=True)
    for seed, runs in by_seed.items():
        archive = args.to / f"seed_{seed}.tar.xz"
        pack(args.study, runs, archive)
        print(f"{archive}: {len(runs)} runs, {archive.stat().st_size / 1e6:.2f} MB")


def pack(study: Path, runs: list[Path], archive: Path) -> None:
    """Write runs to one archive, always the same for the same runs.

    Args:
        study: The study's folder; names in the archive begin with its own name.
        runs: Folders in it.
        archive: What to write.
    """
    files = [file for run in runs for name in KEPT for file in (run / name, *(run / name).rglob("*")) if file.is_file()]
    # Runs of one seed share most of what they answered: files that are alike stand side by side.
    files.sort(key=lambda file: (*file.parts[-2:], file.parts))
    with lzma.open(archive, "wb", preset=9 | lzma.PRESET_EXTREME) as stream, tarfile.open(fileobj=stream, mode="w") as tar:
        for file in files:
            info = tarfile.TarInfo(str(file.relative_to(study.parent)))
            info.size = file.stat().st_size
            with file.open("rb") as content:
                tar.addfile(info, content)


if __name__ == "__main__":
    main()
