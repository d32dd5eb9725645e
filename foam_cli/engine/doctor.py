"""Checks of the installation: each says how things are, and how to mend them where they are wrong."""

import importlib.util
import logging
import os
import platform
import shutil
import socket
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distributions, requires, version
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from rich.table import Table

from foam_cli import config
from foam_cli.core.errors import FoamError

_GIB = 2**30
_PACKAGE = "foam-cli"
_HUB_SECONDS = 3.0
#: A base model of the size foam is made for, its checkpoints and an export take about this much.
_WISHED_DISK_BYTES, _LEAST_DISK_BYTES = 10 * _GIB, _GIB // 5
#: What Docker gives a container when nothing is said.
_SMALL_SHARED_BYTES = 64 * 2**20
#: Optional modules, and the extra of the package that brings each.
_EXTRA_OF = {
    "lm_eval": "lm-eval",
    "peft": "lora",
    "tensorboard": "trackers",
    "wandb": "trackers",
    "mlflow": "trackers",
    "trackio": "trackers",
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check found.

    Attributes:
        name: What was checked.
        status: `ok`; `warning`: something is slow or missing; `problem`: `foam train` would fail.
        detail: How things are.
        mend: What to do about it; empty where nothing is to be done.
    """

    name: str
    status: Literal["ok", "warning", "problem"]
    detail: str
    mend: str = ""


def examine(overrides: Sequence[str], config_dirs: Sequence[Path] = ()) -> list[Finding]:
    """Check everything.

    Args:
        overrides: Settings as for `foam train`; the folder and the hardware of these are checked.
        config_dirs: The user's own configuration folders.

    Returns:
        What was found; a check that itself fails is a problem among them.
    """
    found = [*_guarded("python", python), *_guarded("packages", packages)]
    if any(finding.status == "problem" for finding in found):
        return found  # what follows would only fail to import
    settings: dict[str, Any] = {}

    def settings_are_composed() -> list[Finding]:
        from foam_cli.engine import machine

        settings.update(config.compose(machine.resolve_auto(overrides), config_dirs).values)
        return [Finding(name="settings", status="ok", detail=f"{len(config.groups(config_dirs))} groups")]

    found += _guarded("settings", settings_are_composed)
    if not settings:
        return found
    checks: list[tuple[str, Callable[[], list[Finding]]]] = [
        ("device", lambda: device(settings["hardware"])),
        ("bitsandbytes", lambda: bitsandbytes(settings["hardware"])),
        ("threads", lambda: threads(settings["hardware"])),
        ("memory", shared_memory),
        ("disk", lambda: disk(Path(settings["output_dir"]))),
        ("cache", caches),
        ("hub", hub),
        ("extras", extras),
        ("hydra plugins", hydra_plugins),
    ]
    for name, check in checks:
        found += _guarded(name, check)
    return found


def _guarded(name: str, check: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return check()
    except FoamError as error:
        return [Finding(name=name, status="problem", detail=str(error), mend="Correct the setting.")]
    except Exception as error:  # a doctor must not fall ill
        what = f"{type(error).__name__}: {error}"
        return [Finding(name=name, status="problem", detail=what, mend="Reinstall the package it names.")]


def findings_table(findings: Sequence[Finding]) -> Table:
    """Show findings.

    Args:
        findings: The findings.

    Returns:
        What a console prints.
    """
    marks = {"ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "problem": "[bold red]problem[/]"}
    table = Table(box=None, pad_edge=False)
    for column in ("", "check", "found", "how to mend"):
        table.add_column(column, overflow="fold")
    for one in findings:
        cells = (text.replace("[", r"\[") for text in (one.name, one.detail, one.mend))
        table.add_row(marks[one.status], *cells)
    return table


# ---------------------------------------------------------------- the checks


def python() -> list[Finding]:
    """Tell which Python this is; an older one than foam needs does not come as far as here.

    Returns:
        The finding.
    """
    return [Finding(name="python", status="ok", detail=f"{platform.python_version()}, {sys.executable}")]


def packages() -> list[Finding]:
    """Check that every package foam needs is there in a version it was made for.

    Returns:
        One finding for all, or one for each that is wrong.
    """
    from packaging.requirements import Requirement

    try:
        needed = [Requirement(line) for line in requires(_PACKAGE) or []]
    except PackageNotFoundError:
        mend = "Install it: pip install -e . in its folder."
        return [Finding(name="packages", status="warning", detail="foam runs uninstalled", mend=mend)]
    found: list[Finding] = []
    for one in needed:
        if one.marker is not None and not one.marker.evaluate({"extra": ""}):
            continue
        mend = f"pip install '{one.name}{one.specifier}'"
        try:
            have = version(one.name)
        except PackageNotFoundError:
            found.append(Finding(name=one.name, status="problem", detail="not installed", mend=mend))
            continue
        if not one.specifier.contains(have, prereleases=True):
            detail = f"{have}, made for {one.specifier}"
            found.append(Finding(name=one.name, status="warning", detail=detail, mend=mend))
    names = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "datasets"))
    return found or [Finding(name="packages", status="ok", detail=names)]


def device(hardware: dict[str, Any]) -> list[Finding]:
    """Check the device that the settings ask for.

    Args:
        hardware: The settings' hardware.

    Returns:
        The finding.
    """
    import torch

    profile = f"{hardware['precision']}, {hardware['optimizer']}"
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        detail = f"{properties.name}, {properties.total_memory / _GIB:.0f} GiB; {profile}"
        if hardware["device"] == "cuda" and hardware["precision"] != "fp32" and properties.major < 8:
            mend = "It computes bf16 slowly: use hardware.precision=fp32."
            return [Finding(name="device", status="warning", detail=detail, mend=mend)]
        return [Finding(name="device", status="ok", detail=detail)]
    if hardware["device"] == "cuda":
        mend = "Use hardware=cpu, or install a torch with CUDA: https://pytorch.org/get-started."
        return [Finding(name="device", status="problem", detail="torch sees no CUDA device", mend=mend)]
    can: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    has = [name for name in ("avx2", "avx512_f", "avx512_bf16", "amx_bf16") if can.get(name)]
    detail = f"CPU with {', '.join(has) or 'no known vector instructions'}; {profile}"
    if torch.version.cuda is None and (shutil.which("nvidia-smi") or Path("/proc/driver/nvidia").exists()):
        mend = "This torch has no CUDA: install one that has, https://pytorch.org/get-started."
        return [Finding(name="device", status="warning", detail=f"{detail}; an NVIDIA driver", mend=mend)]
    if hardware["precision"] != "fp32" and not (can.get("avx512_bf16") or can.get("amx_bf16")):
        mend = "This CPU has no bf16 instructions, so bf16 is slow: use hardware.precision=fp32."
        return [Finding(name="device", status="warning", detail=detail, mend=mend)]
    return [Finding(name="device", status="ok", detail=detail)]


def bitsandbytes(hardware: dict[str, Any]) -> list[Finding]:
    """Take one 8-bit step.

    Args:
        hardware: The settings' hardware.

    Returns:
        The finding; a problem only where the settings use it.
    """
    import torch

    needed = hardware["optimizer"] == "adamw8bit"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it tells of kernels nobody asked for
            from bitsandbytes.optim.adamw import AdamW8bit

            where = hardware["device"] if torch.cuda.is_available() else "cpu"
            weight = torch.nn.Parameter(torch.ones(4096, device=where))
            weight.grad = torch.ones_like(weight)
            AdamW8bit([weight], lr=0.1).step()
        moved = bool((weight < 1).all())
        if moved:
            return [Finding(name="bitsandbytes", status="ok", detail="an 8-bit step works")]
        what = "an 8-bit step changes nothing"
    except (ImportError, OSError, RuntimeError, AttributeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
    mend = "pip install --force-reinstall bitsandbytes; until then use hardware.optimizer=adamw."
    return [Finding(name="bitsandbytes", status="problem" if needed else "warning", detail=what, mend=mend)]


def threads(hardware: dict[str, Any]) -> list[Finding]:
    """Compare threads with cores.

    Args:
        hardware: The settings' hardware.

    Returns:
        The finding.
    """
    from foam_cli.engine.machine import cores

    stated = os.environ.get("OMP_NUM_THREADS", "")
    wanted = hardware["threads"] or (int(stated) if stated.isdigit() else 0) or cores()
    detail = f"{wanted} threads on {cores()} cores"
    if stated and not stated.isdigit():
        return [
            Finding(
                name="threads",
                status="problem",
                detail=f"OMP_NUM_THREADS={stated} is not a number",
                mend="unset OMP_NUM_THREADS",
            )
        ]
    if wanted > cores():
        mend = f"More threads than cores are slower: hardware.threads={cores()}, or unset OMP_NUM_THREADS."
        return [Finding(name="threads", status="warning", detail=detail, mend=mend)]
    return [Finding(name="threads", status="ok", detail=detail)]


def shared_memory() -> list[Finding]:
    """Look at the memory that processes share.

    Returns:
        The finding; none where the system has no such folder.
    """
    folder = Path("/dev/shm")
    if not folder.is_dir():
        return []
    total = shutil.disk_usage(folder).total
    detail = f"{total / _GIB:.2f} GiB shared"
    if total > _SMALL_SHARED_BYTES:
        return [Finding(name="memory", status="ok", detail=detail)]
    mend = "Too little for several processes: start the container with --shm-size=2g or --ipc=host."
    return [Finding(name="memory", status="warning", detail=detail, mend=mend)]


def disk(output_dir: Path) -> list[Finding]:
    """Write into the folder that runs go to, and see how much room there is.

    Args:
        output_dir: The folder; where it is missing, its nearest parent stands for it.

    Returns:
        The finding.
    """
    folder = output_dir.expanduser().absolute()
    while not folder.exists():
        folder = folder.parent
    mend = "Choose a folder that can be written: output_dir=DIR."
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        detail = f"{folder}: {error.strerror}"
        return [Finding(name="disk", status="problem", detail=detail, mend=mend)]
    free = shutil.disk_usage(folder).free
    detail = f"{folder} can be written, {free / _GIB:.1f} GiB free"
    if free >= _WISHED_DISK_BYTES:
        return [Finding(name="disk", status="ok", detail=detail)]
    mend = "Checkpoints and an export of a large model need more: make room, or output_dir=DIR elsewhere."
    status = "problem" if free < _LEAST_DISK_BYTES else "warning"
    return [Finding(name="disk", status=status, detail=detail, mend=mend)]


def caches() -> list[Finding]:
    """See whether downloaded models and data sets can be kept.

    Returns:
        One finding.
    """
    from huggingface_hub.constants import HF_HUB_CACHE

    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    folders = (Path(HF_HUB_CACHE), Path(os.environ.get("HF_DATASETS_CACHE", home / "datasets")))
    for folder in folders:
        existing = folder.absolute()
        while not existing.exists():
            existing = existing.parent
        if not os.access(existing, os.W_OK):
            mend = "Name a folder that can be written: export HF_HOME=DIR."
            detail = f"{folder} cannot be written"
            return [Finding(name="cache", status="warning", detail=detail, mend=mend)]
    return [Finding(name="cache", status="ok", detail=", ".join(map(str, folders)))]


def hub() -> list[Finding]:
    """See whether the hub can be reached; never longer than a few seconds.

    Returns:
        The finding. No hub is a warning: built-in and local models need none.
    """
    from huggingface_hub.constants import ENDPOINT, HF_HUB_OFFLINE

    if HF_HUB_OFFLINE:
        detail = "HF_HUB_OFFLINE is set: only what is in the cache or in local folders"
        return [Finding(name="hub", status="ok", detail=detail)]
    where = _address(ENDPOINT)
    reached: list[bool] = []

    def knock() -> None:
        with socket.create_connection(where, timeout=_HUB_SECONDS):
            reached.append(True)

    # Looking a name up has no time limit of its own; a thread that is not waited for gives it one.
    thread = threading.Thread(target=_quietly, args=(knock,), daemon=True)
    thread.start()
    thread.join(_HUB_SECONDS)
    if reached:
        return [Finding(name="hub", status="ok", detail=f"{ENDPOINT} answers")]
    mend = "Use model=nano or a local folder (model.path=DIR), or set https_proxy or HF_ENDPOINT."
    return [Finding(name="hub", status="warning", detail=f"{ENDPOINT} cannot be reached", mend=mend)]


def _address(endpoint: str) -> tuple[str, int]:
    """Whom to knock at: the proxy, where there is one."""
    proxy = os.environ.get("https_proxy") or os.environ.get("HTTPS_PROXY")
    parts = urlsplit(proxy or endpoint)
    return parts.hostname or "huggingface.co", parts.port or (80 if parts.scheme == "http" else 443)


def _quietly(call: Callable[[], None]) -> None:
    try:
        call()
    except OSError:
        return


def extras() -> list[Finding]:
    """List optional packages.

    Returns:
        One finding: none of them is needed to train.
    """
    here = [name for name in _EXTRA_OF if importlib.util.find_spec(name) is not None]
    missing = [name for name in _EXTRA_OF if name not in here]
    detail = f"installed: {', '.join(here) or 'none'}; not installed: {', '.join(missing) or 'none'}"
    wanted = ",".join(dict.fromkeys(_EXTRA_OF[name] for name in missing))
    mend = f"If you want them: pip install 'foam-cli[{wanted}]'" if missing else ""
    return [Finding(name="extras", status="ok", detail=detail, mend=mend)]


def hydra_plugins() -> list[Finding]:
    """List launchers and other plugins of Hydra.

    Returns:
        One finding.
    """
    names = sorted(
        one.metadata["Name"] for one in distributions() if (one.metadata["Name"] or "").startswith("hydra-")
    )
    plugins = [f"{name} {version(name)}" for name in dict.fromkeys(names) if name != "hydra-core"]
    mend = "" if plugins else "For clusters and parallel runs: pip install 'foam-cli[launchers]'"
    detail = ", ".join(plugins) or "none installed: runs go one after another"
    return [Finding(name="hydra plugins", status="ok", detail=detail, mend=mend)]
