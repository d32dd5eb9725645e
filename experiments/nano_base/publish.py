"""Put the model of a finished `foam train experiment=nano_base` run into the package.

    python experiments/nano_base/publish.py RUN_DIR

The weights are rounded to bf16, which halves the file; the scores written beside them are those of the
rounded weights. The tokenizer and the shape in foam_cli/assets/nano are left as they are: the run was made
with them.
"""

import json
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from foam_cli.config import from_yaml
from foam_cli.core.files import read_json, sha256_file, write_json

ASSETS = Path(__file__).parents[2] / "foam_cli" / "assets" / "nano"


def main(run: Path) -> None:
    """Round, copy, score, and write recipe.json.

    Args:
        run: The run folder.
    """
    result = read_json(run / "result.json")
    if result["status"] != "finished":
        raise SystemExit(f"{run}: the run is {result['status']}, not finished.")
    tensors = {
        name: t.to(torch.bfloat16) for name, t in load_file(run / "export" / "model.safetensors").items()
    }
    weights = ASSETS / "model.safetensors"
    save_file(tensors, weights, metadata={"format": "pt"})
    answer = subprocess.run(
        ["foam", "eval", "nanoworld", "model=nano", "hardware=cpu", "output_dir=outputs", "--json"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    scores = json.loads(answer.stdout)
    manifest = read_json(run / "manifest.json")
    recipe = {
        "command": "foam train experiment=nano_base",
        "seed": manifest["seed"],
        "data_sha256": manifest["data"],
        "weights_sha256": sha256_file(weights),
        "steps": result["step"],
        "tokens": result["tokens"],
        "seconds": result["seconds"],
        "parameters": result["parameters"]["final"],
        "versions": manifest["versions"],
        "machine": manifest["machine"],
        "metrics": scores["metrics"],
        "intervals": scores["intervals"],
        "items_sha256": scores["data_sha256"],
        "config": {**from_yaml(run / "config.yaml"), "output_dir": "outputs"},
    }
    write_json(ASSETS / "recipe.json", recipe)
    print(json.dumps(scores["metrics"], indent=2))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
