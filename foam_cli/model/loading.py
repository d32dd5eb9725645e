"""Load a base model and its tokenizer: from the package, from a folder, or from the hub."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from transformers.utils import logging as transformers_logging

from foam_cli.core.errors import ModelError
from foam_cli.core.files import read_json, sha256_file
from foam_cli.core.seeds import derive_seed
from foam_cli.core.settings import ModelSettings, Precision
from foam_cli.model.induction import make_induction_heads
from foam_cli.model.width import widen

_BUILTIN = "builtin:"
_TOKENIZER = "tokenizer.json"

#: Given to tokenizers that come without one, so that every model can be trained and asked in messages.
PLAIN_CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
)


@dataclass(frozen=True, kw_only=True)
class BaseModel:
    """A base model as it was loaded.

    Attributes:
        model: The model, in evaluation mode.
        tokenizer: Its tokenizer, with a chat template and a padding token.
        name: What the user asked for.
        sha256: Hash of its weights (or of its hub revision), by which a checkpoint knows its base.
        max_length: The longest input it can read, in tokens.
    """

    model: PreTrainedModel
    tokenizer: Any
    name: str
    sha256: str
    max_length: int


def weights_dtype(precision: Precision) -> torch.dtype:
    """The dtype that the pretrained weights are held in.

    Args:
        precision: As in HardwareSettings.

    Returns:
        torch.bfloat16 for `bf16`, else torch.float32.
    """
    return torch.bfloat16 if precision == "bf16" else torch.float32


def load_base(
    settings: ModelSettings, *, dtype: torch.dtype = torch.float32, device: str = "cpu", seed: int = 0
) -> BaseModel:
    """Load the model that a run starts from.

    Args:
        settings: Which one.
        dtype: The dtype of its weights.
        device: Where to put it.
        seed: For random weights.

    Returns:
        The model, its tokenizer and its identity.

    Raises:
        ModelError: It is not there, cannot be read or cannot be downloaded.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    source, revision = locate(settings), settings.revision
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision)
        if settings.init == "pretrained":
            model = AutoModelForCausalLM.from_pretrained(source, revision=revision, dtype=dtype)
        else:
            config = AutoConfig.from_pretrained(source, revision=revision)
            widen(config, settings.intermediate_size)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(derive_seed(seed, "init"))
                model = AutoModelForCausalLM.from_config(config, dtype=dtype)
                if settings.init == "induction":
                    make_induction_heads(model)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise ModelError(_reason(settings, error)) from error
    complete_tokenizer(tokenizer)
    model.to(device)  # pyright: ignore[reportArgumentType]
    model.eval()
    config = model.config.get_text_config()
    return BaseModel(
        model=model,
        tokenizer=tokenizer,
        name=settings.path,
        sha256=_identity(settings, Path(source)),
        max_length=int(getattr(config, "max_position_embeddings", 0) or 2048),
    )


def complete_tokenizer(tokenizer: Any) -> None:
    """Give a tokenizer what training and asking need: a padding token and a chat template.

    Args:
        tokenizer: Changed in place, and only where it lacks one.

    Raises:
        ModelError: It knows no token that could end or pad a text.
    """
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise ModelError(
            f"{tokenizer.name_or_path}: the tokenizer has no eos_token, unk_token or pad_token. "
            "Name one in its tokenizer_config.json."
        )
    if tokenizer.chat_template is None:
        tokenizer.chat_template = PLAIN_CHAT_TEMPLATE


def speaks_like(path: str, builtin: str) -> bool:
    """Say whether a model is one of the package's own, or has its vocabulary, as the export of a run has.

    Args:
        path: What `model.path` says.
        builtin: The name of the package's model.

    Returns:
        Whether it is; False for what is not a folder.
    """
    if path == f"{_BUILTIN}{builtin}":
        return True
    file = Path(path).expanduser() / _TOKENIZER
    own = Path(__file__).parent.parent / "assets" / builtin / _TOKENIZER
    return file.is_file() and _vocabulary(file) == _vocabulary(own)


def _vocabulary(file: Path) -> Any:
    try:
        return read_json(file)["model"]["vocab"]
    except (ValueError, KeyError, TypeError):
        return None


def locate(settings: ModelSettings) -> str:
    """Find where a model is.

    Args:
        settings: Which model.

    Returns:
        A folder that holds a config.json, or what is to be asked for at the hub.

    Raises:
        ModelError: It is meant to be a folder or a model of the package, and is not there.
    """
    if settings.path.startswith(_BUILTIN):
        folder = Path(__file__).parent.parent / "assets" / settings.path.removeprefix(_BUILTIN)
        if not folder.is_dir():
            raise ModelError(f"model.path={settings.path}: the package has no such model. It has: nano.")
        return str(folder)
    folder = Path(settings.path).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ModelError(f"model.path={settings.path}: the folder has no config.json, so no model.")
        return str(folder)
    looks_like_a_path = settings.path.startswith((".", "/", "~")) or settings.path.count("/") != 1
    if looks_like_a_path and settings.revision is None:
        raise ModelError(f"model.path={settings.path}: no such folder.")
    return settings.path


def _reason(settings: ModelSettings, error: Exception) -> str:
    first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if Path(settings.path).expanduser().is_dir() or settings.path.startswith(_BUILTIN):
        return f"model.path={settings.path}: cannot be loaded: {first_line}"
    return (
        f"model.path={settings.path} (revision {settings.revision or 'main'}): is no folder here and cannot "
        f"be loaded from the hub: {first_line} Without a network, pass a downloaded folder: model.path=DIR."
    )


def _identity(settings: ModelSettings, folder: Path) -> str:
    if settings.init != "pretrained":
        width = "" if settings.intermediate_size is None else f":{settings.intermediate_size}"
        return hashlib.sha256(f"{settings.init}:{settings.path}{width}".encode()).hexdigest()
    weights = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))
    if not folder.is_dir() or not weights:
        return hashlib.sha256(f"{settings.path}@{settings.revision}".encode()).hexdigest()
    digest = hashlib.sha256()
    for file in weights:
        digest.update(sha256_file(file).encode())
    return digest.hexdigest()
