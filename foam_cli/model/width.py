"""The width of the FFNs as a model's config states it; configs have several names for it."""

from typing import Any

from foam_cli.core.errors import ModelError

_NAMES = ("n_inner", "intermediate_size", "ffn_dim", "ffn_hidden_size", "decoder_ffn_dim")


def width_name(config: Any) -> str | None:
    """Find what a config calls it.

    Args:
        config: A model's config.

    Returns:
        The name, or None where the width follows from something else.
    """
    return next((name for name in _NAMES if hasattr(config, name)), None)


def widen(config: Any, width: int | None) -> None:
    """State another width, for a model that begins with random weights.

    Args:
        config: A model's config; changed in place.
        width: `model.intermediate_size`; None leaves the config as it is.

    Raises:
        ModelError: The config has no name for it.
    """
    if width is None:
        return
    if (name := width_name(config)) is None:
        raise ModelError(
            f"model.intermediate_size={width}: {type(config).__name__} has none of {', '.join(_NAMES)}, so "
            "its FFNs have the width that they have. Use model.intermediate_size=null."
        )
    setattr(config, name, width)
