"""What machine this is, and how torch is set up on it."""

import os
import platform
import resource
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from foam_cli.core.errors import ConfigError
from foam_cli.core.seeds import derive_seed
from foam_cli.core.settings import HardwareSettings
from foam_cli.engine.allocator import keep_freed_memory
from foam_cli.model.attention import attend_in_fp32
from foam_cli.model.cast_once import cast_once

_GIB = 2**30


def choose_profile() -> str:
    """Choose the hardware profile that `hardware=auto` stands for.

    Returns:
        The name of a file in conf/hardware.
    """
    if not torch.cuda.is_available():
        can = getattr(torch.cpu, "get_capabilities", dict)()
        return "cpu_bf16" if can.get("avx512_bf16") or can.get("amx_bf16") else "cpu"
    memory_bytes = torch.cuda.get_device_properties(0).total_memory
    if memory_bytes > 60 * _GIB:
        return "h200"
    return "rtx4090" if memory_bytes > 20 * _GIB else "rtx3060"


def resolve_auto(overrides: Sequence[str]) -> list[str]:
    """Replace `hardware=auto`, said or not, by the profile of this machine.

    Args:
        overrides: As on the command line.

    Returns:
        Overrides that name a profile.
    """
    named = [one for one in overrides if one.split("=")[0].lstrip("+") == "hardware"]
    if named and not named[-1].endswith("=auto"):
        return list(overrides)
    rest = [one for one in overrides if one not in named]
    return [f"hardware={choose_profile()}", *rest]


def set_up(settings: HardwareSettings, seed: int) -> None:
    """Set torch up for a run.

    Args:
        settings: The hardware profile.
        seed: For torch's own generator, which only dropout draws from.

    Raises:
        ConfigError: The profile wants a GPU and there is none.
    """
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "hardware.device=cuda: torch sees no CUDA device. Use hardware=cpu, or hardware.device=cpu to "
            "try this profile's precision and optimizer on the CPU."
        )
    torch.set_num_threads(settings.threads or int(os.environ.get("OMP_NUM_THREADS", "0")) or cores())
    if settings.device == "cpu":
        keep_freed_memory()
    if settings.deterministic:
        # Filling fresh memory is a debugging aid of torch that costs time and changes no result of ours.
        torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(settings.deterministic)
    torch.manual_seed(derive_seed(seed, "dropout"))
    if settings.device == "cuda":
        torch.set_float32_matmul_precision("high")


def suit(model: PreTrainedModel, settings: HardwareSettings) -> None:
    """Make a model compute what it computes in the way that is fast here.

    Args:
        model: The model, changed in place.
        settings: The hardware profile.
    """
    if settings.precision == "bf16_autocast":
        cast_once(model)
        if settings.device == "cpu":
            attend_in_fp32(model)


def autocast(settings: HardwareSettings) -> AbstractContextManager[Any]:
    """The context that forward passes run in.

    Args:
        settings: The hardware profile.

    Returns:
        bf16 autocast, or nothing.
    """
    if settings.precision == "bf16_autocast":
        return torch.autocast(settings.device, dtype=torch.bfloat16)
    return nullcontext()


def peak_memory_bytes(settings: HardwareSettings) -> int:
    """The most memory that the run has used.

    Args:
        settings: The hardware profile.

    Returns:
        On a GPU what torch allocated there, on the CPU the process's resident size.
    """
    if settings.device == "cuda":
        return torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def memory_bytes(settings: HardwareSettings) -> int:
    """The memory of the device.

    Args:
        settings: The hardware profile.

    Returns:
        What the profile states, or else what this machine has; on the CPU at most the container's limit.

    Raises:
        ConfigError: It states none and there is no such device here.
    """
    if settings.memory_gib is not None:
        return int(settings.memory_gib * _GIB)
    if settings.device == "cuda":
        if not torch.cuda.is_available():
            raise ConfigError(
                "hardware.memory_gib=null with hardware.device=cuda: torch sees no CUDA device whose memory "
                "could be asked for. State it, e.g. hardware.memory_gib=24."
            )
        return torch.cuda.get_device_properties(0).total_memory
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    stated = limit.read_text(encoding="utf-8").strip() if limit.is_file() else "max"
    return min(installed, int(stated)) if stated.isdigit() else installed


def describe() -> dict[str, Any]:
    """Describe the machine and the versions that matter for a result.

    Returns:
        Plain data for the manifest.
    """
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    versions = {"python": platform.python_version()}
    for package in (
        "foam-cli",
        "torch",
        "transformers",
        "bitsandbytes",
        "hydra-core",
        "datasets",
        "safetensors",
    ):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "machine": {
            "system": platform.platform(),
            "cpu": _cpu_name(),
            "cores": os.cpu_count(),
            "gpu": gpu,
            "threads": torch.get_num_threads(),
        },
        "versions": versions,
    }


def cores() -> int:
    """Count the cores that this process may use, which in a container can be fewer than there are.

    Returns:
        Their number.
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        return names[0] if names else platform.machine()
    except OSError:
        return platform.processor() or platform.machine()
