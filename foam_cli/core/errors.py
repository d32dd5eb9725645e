"""Errors a user can act on: each names the key or the file, the value, and the fix."""


class FoamError(Exception):
    """An expected failure. The command line prints its message alone and leaves with `exit_code`."""

    exit_code: int = 1


class ConfigError(FoamError):
    """A setting is unknown, of the wrong type, or makes no sense together with another one."""

    exit_code = 2


class DataError(FoamError):
    """A data file is missing or malformed, or an example cannot be trained on."""


class ModelError(FoamError):
    """A model cannot be loaded, or its feed-forward layers are not understood."""


class GrowthError(FoamError):
    """A growth event cannot be carried out, or would change the model more than its tolerance allows."""


class TrainingError(FoamError):
    """Training had to stop: the loss or a gradient is not a finite number."""


class CheckpointError(FoamError):
    """A checkpoint is damaged, or belongs to another run."""


class ExportError(FoamError):
    """An export does not reproduce the running model, or its folder is not foam's to replace."""
