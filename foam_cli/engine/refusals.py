"""Settings that are right one by one and make no sense together: refused before anything is loaded."""

import importlib.util

from foam_cli.core.errors import ConfigError
from foam_cli.core.settings import Settings
from foam_cli.engine.defences import check_regularizers
from foam_cli.engine.old_data import require_one_source
from foam_cli.engine.stream import check_stream
from foam_cli.engine.tracking import check_trackers


def refuse_nonsense(settings: Settings) -> None:
    """Refuse a configuration whose parts do not go together; a ConfigError says which, why, and what to do.

    Args:
        settings: The configuration, whose parts were checked one by one.
    """
    _require_something_to_train(settings)
    _require_adapters_alone(settings)
    _require_validation(settings)
    _require_frozen_sources(settings)
    _require_untouched_base(settings)
    require_one_source(settings)
    check_regularizers(settings)
    check_stream(settings)
    check_trackers(settings)


def _require_something_to_train(settings: Settings) -> None:
    if settings.train.parameters == "grown" and not settings.growth:
        raise ConfigError(
            "train=grown with growth=none: nothing would be trained. Use train=ffn or train=full."
        )


def _require_adapters_alone(settings: Settings) -> None:
    if settings.train.parameters != "lora":
        return
    if settings.growth:
        raise ConfigError(
            f"train=lora with growth={type(settings.growth).__name__}: neurons are born as rows of the plain "
            "matrices that adapters take the place of, and what learns would be both. Add growth=none, or "
            "grow on a frozen model: train=grown."
        )
    if importlib.util.find_spec("peft") is None:
        raise ConfigError(
            "train=lora: peft is not installed. Use pip install 'foam-cli[lora]', or pip install peft."
        )


def _require_validation(settings: Settings) -> None:
    trigger = getattr(settings.growth, "trigger", None)
    if getattr(trigger, "reads_validation", False) and settings.train.validate_every_steps is None:
        raise ConfigError(
            f"growth.trigger={type(trigger).__name__} waits for validation losses, but "
            "train.validate_every_steps=null: give it a number of steps."
        )


def _require_frozen_sources(settings: Settings) -> None:
    initializer, trained = getattr(settings.growth, "initializer", None), settings.train.parameters
    if getattr(initializer, "needs_frozen_sources", False) and trained != "grown":
        raise ConfigError(
            f"growth.initializer={type(initializer).__name__} does not fit here with train={trained}: "
            "sources and newborns are equal halves, which never part where both learn. Add train=grown, or "
            "choose growth.initializer=split."
        )


def _require_untouched_base(settings: Settings) -> None:
    if settings.export.format != "delta":
        return
    growth, trained = settings.growth, settings.train.parameters
    why = None
    if trained == "lora":
        why = "it holds what growth added, and train=lora adds adapters: choose a growth with train=grown"
    elif trained != "grown":
        why = f"train={trained} trains the base: add train=grown"
    elif getattr(getattr(growth, "initializer", None), "edits_sources", False):
        name = type(growth.initializer).__name__
        why = (
            f"growth.initializer={name} divides the base's own out-columns: choose another initializer, such "
            "as growth.initializer=copy_noise"
        )
    elif getattr(getattr(growth, "recycling", None), "reads_activity", False):
        name = type(growth.recycling).__name__
        why = f"growth.recycling={name} erases neurons of the base: choose growth.recycling=none"
    if why is not None:
        raise ConfigError(
            f"export=delta does not fit here: a delta goes back onto the untouched base, but {why}, or "
            "export=hf."
        )
