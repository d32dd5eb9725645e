"""The run folder: its name, its lock, and the files in it. It can be read without foam."""

import fcntl
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from foam_cli import __version__, config
from foam_cli.core.errors import CheckpointError, ConfigError, FoamError
from foam_cli.core.files import append_jsonl, read_json, read_jsonl, sha256_json, write_json, write_text
from foam_cli.core.growth import GrowthRecord
from foam_cli.engine import machine
from foam_cli.engine.tracking import Tracking

#: Settings that say where a run is kept or shown, not what it does; the run's id leaves them out.
_PLACE_KEYS = ("output_dir", "cache_dir", "name", "seed", "tracker")


def run_id(composed: Mapping[str, Any]) -> str:
    """Name what a run does, whatever its seed and place.

    Args:
        composed: The resolved configuration.

    Returns:
        Eight hexadecimal digits.
    """
    return sha256_json({key: value for key, value in composed.items() if key not in _PLACE_KEYS})[:8]


def arm_folder(composed: Mapping[str, Any], choices: Mapping[str, str]) -> Path:
    """Where all seeds of this configuration are kept.

    Args:
        composed: The resolved configuration.
        choices: Chosen options by group, for a name that people recognise.

    Returns:
        OUTPUT_DIR/study/arm.
    """
    composed = config.resolve_environment(composed)
    name = composed["name"]
    words = [choices.get(group, "") for group in ("model", "data", "growth")]
    arm = name["arm"] or "-".join([*filter(None, words), run_id(composed)])
    return Path(composed["output_dir"]) / name["study"] / arm


class RunFolder:
    """One run's folder, locked while it is in use."""

    def __init__(self, path: Path, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self.tracking = Tracking()
        self._lock: TextIO | None = None

    # ---------------------------------------------------------------- opening

    @staticmethod
    def create(arm: Path, seed: int) -> "RunFolder":
        """Make a new folder; nothing that exists is ever touched.

        Args:
            arm: From `arm_folder`.
            seed: The run's seed.

        Returns:
            The folder `arm/seed`, or `arm/seed-2` ... where earlier runs are kept already.

        Raises:
            FoamError: The folder cannot be made.
        """
        number = 1
        while True:
            path = arm / (f"{seed}" if number == 1 else f"{seed}-{number}")
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                number += 1
                continue
            except OSError as error:
                raise FoamError(f"output_dir={arm}: cannot be made: {error}") from error
            return RunFolder(path).locked()

    @staticmethod
    def open(path: Path, *, read_only: bool = False) -> "RunFolder":
        """Open an existing run.

        Args:
            path: The folder.
            read_only: Whether it is only looked at; then nothing in it changes and it need not be free.

        Returns:
            The folder, locked unless it is only looked at.

        Raises:
            ConfigError: It is not a run folder.
        """
        if not (path / "config.yaml").is_file():
            raise ConfigError(f"{path}: is not a run folder (it has no config.yaml).")
        return RunFolder(path, read_only) if read_only else RunFolder(path).locked()

    def locked(self) -> "RunFolder":
        """Take the folder for this process.

        Returns:
            Itself.

        Raises:
            CheckpointError: Another process has it.
        """
        self._lock = (self.path / ".lock").open("w", encoding="utf-8")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise CheckpointError(
                f"{self.path}: another run is writing there. Wait for it, or choose another output_dir."
            ) from error
        return self

    @property
    def has_begun(self) -> bool:
        """Whether a process has worked on it; a study writes the configuration of its runs beforehand."""
        return (self.path / "manifest.json").is_file()

    def close(self) -> None:
        """Give the folder back."""
        try:
            self.tracking.close()
        finally:
            if self._lock is not None:
                self._lock.close()

    # ---------------------------------------------------------------- files

    def write_start(
        self, composed: Mapping[str, Any], command: str, data: Mapping[str, str], base: str
    ) -> None:
        """Write what defines the run.

        Args:
            composed: The resolved configuration.
            command: What the user typed.
            data: Name to SHA-256 of every data set.
            base: SHA-256 of the base model.
        """
        if self.read_only:
            return
        write_text(self.path / "config.yaml", config.to_yaml(composed))
        write_json(
            self.path / "manifest.json",
            {
                "command": command,
                "foam": __version__,
                "git_commit": git_commit(),
                "seed": composed["seed"],
                "run_id": run_id(composed),
                "base_sha256": base,
                "data": dict(data),
                "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
                **machine.describe(),
            },
        )

    def log(self, row: dict[str, Any]) -> None:
        """Append a row to metrics.jsonl.

        Args:
            row: At least a step and a number.
        """
        append_jsonl(self.path / "metrics.jsonl", row)
        self.tracking.log(row)

    def log_growth(self, record: GrowthRecord) -> None:
        """Append an event to growth.jsonl.

        Args:
            record: The event.
        """
        append_jsonl(self.path / "growth.jsonl", asdict(record))
        self.tracking.log_growth(record)

    def forget_after(self, step: int) -> None:
        """Drop logged rows of steps that a resumed run will take again.

        Args:
            step: The step of the checkpoint.
        """
        if self.read_only:
            return
        for name in ("metrics.jsonl", "growth.jsonl"):
            rows = [row for row in read_jsonl(self.path / name) if row["step"] <= step]
            write_text(self.path / name, "")
            for row in rows:
                append_jsonl(self.path / name, row)

    def earlier_seconds(self) -> float:
        """Time that earlier parts of this run took.

        Returns:
            Seconds, as far as they were written down.
        """
        try:
            return float(read_json(self.path / "result.json")["seconds"])
        except (OSError, ValueError, KeyError):
            return 0.0

    def write_result(self, result: dict[str, Any]) -> None:
        """Write result.json.

        Args:
            result: Its content.
        """
        write_json(self.path / "result.json", result)
        self.tracking.note_result(result)


def git_commit() -> str | None:
    """The commit of the working directory.

    Returns:
        Its hash, with `-dirty` where files have changed; None outside a repository.
    """
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True, text=True, timeout=5, check=True, env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None


def newest_unfinished(arm: Path) -> Path:
    """Find the run that `--resume auto` means.

    Args:
        arm: From `arm_folder`.

    Returns:
        The newest folder of this configuration that is not finished.

    Raises:
        ConfigError: There is none.
    """
    candidates = [path.parent for path in arm.glob("*/config.yaml") if status(path.parent) != "finished"]
    if not candidates:
        raise ConfigError(f"--resume auto: there is no unfinished run of this configuration in {arm}.")
    return max(candidates, key=lambda path: (path / "config.yaml").stat().st_mtime)


def status(path: Path) -> str:
    """How far a run is.

    Args:
        path: Its folder.

    Returns:
        `finished`, `failed`, `interrupted`, or `started` where it has not said anything.
    """
    try:
        return str(read_json(path / "result.json")["status"])
    except (OSError, ValueError, KeyError):
        return "started"
