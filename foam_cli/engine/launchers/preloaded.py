"""What every run needs, imported once by the server that runs are forked from."""

import gc
import importlib

from foam_cli.core.imports import without_collecting

#: transformers and matplotlib load most of themselves at first use.
_WANTED = (
    "foam_cli.engine.study.worker",
    "foam_cli.growth.policy",
    "foam_cli.report.figures",
    "transformers.models.qwen2.modeling_qwen2",
    "omegaconf",
    "typer",
)

with without_collecting():
    for name in _WANTED:
        importlib.import_module(name)
gc.freeze()  # runs share these objects: none of them is to look at them, and by that to copy them
