"""Keep what the finished runs of a study say, without their weights: one archive a seed.

    python experiments/evidence.py outputs/retention experiments/retention/evidence

Unpacked where the command is given (`tar -xf ARCHIVE -C outputs`), the runs count as finished: `foam ablate`
repeats none of them, runs what is missing, and compares and reports all.
"""

import io
import json
import lzma
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from foam_cli.core.files import read_json
from foam_cli.engine.folder import status

#: What the comparison and the report read, and what it takes to make the run again.
KEPT = ("config.yaml", "manifest.json", "result.json", "metrics.jsonl", "growth.jsonl", "samples.json")


def main(study: Path, target: Path) -> None:
    """Pack the finished runs of a study.

    Args:
        study: Its folder; the runs are in ARM/SEED.
        target: Where the archives go.
    """
    by_seed: dict[str, list[Path]] = {}
    for run in sorted(config.parent for config in study.glob("*/*/config.yaml")):
        if status(run) == "finished":
            by_seed.setdefault(run.name, []).append(run)
    target.mkdir(parents=True, exist_ok=True)
    for seed, runs in by_seed.items():
        archive = target / f"seed_{seed}.tar.xz"
        pack(runs, study.parent, archive)
        print(f"{archive}: {len(runs)} runs, {archive.stat().st_size / 1e6:.2f} MB")  # noqa: T201


def pack(runs: Sequence[Path], root: Path, archive: Path) -> None:
    """Write runs to one archive, which is the same for the same runs.

    Args:
        runs: Their folders.
        root: What names in the archive are relative to.
        archive: What to write.
    """
    files = [run / name for run in runs for name in KEPT if (run / name).is_file()]
    files += [file for run in runs for file in run.glob("evaluations/*/*") if file.is_file()]
    # Arms share most of what they answered: files that are alike stand side by side.
    files.sort(key=lambda file: (file.name, file.parent.name, file))
    with (
        lzma.open(archive, "wb", preset=9 | lzma.PRESET_EXTREME) as stream,
        tarfile.open(fileobj=stream, mode="w") as tar,
    ):
        for file in files:
            content = without_export(file) if file.name == "result.json" else file.read_bytes()
            member = tarfile.TarInfo(str(file.relative_to(root)))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def without_export(result: Path) -> bytes:
    """A result that names no exported folder, since none is packed, and it would be one of this machine.

    Args:
        result: result.json of a run.

    Returns:
        The file's new content.
    """
    return json.dumps(read_json(result) | {"export": None}, indent=2).encode()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
