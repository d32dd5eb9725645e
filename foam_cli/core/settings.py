"""The sections of a configuration that are plain settings; methods (`_target_`) are typed where they live.

No field has a default: conf/ owns every value.
"""

from dataclasses import dataclass
from typing import Any, Literal

Precision = Literal["fp32", "bf16_autocast", "bf16"]


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Which base model.

    Attributes:
        path: A folder, a hub id, or `builtin:nano` for the model inside the package.
        revision: The hub revision (a commit hash), or None for local models.
        init: `pretrained` loads the weights, `random` only the configuration and the tokenizer; `induction`
            is random with attention heads that begin by finding and copying what stood here before.
        intermediate_size: Neurons per FFN where that is not the config's; for random weights alone.
    """

    path: str
    revision: str | None
    init: Literal["pretrained", "random", "induction"]
    intermediate_size: int | None

    def __post_init__(self) -> None:
        if self.intermediate_size is None:
            return
        if self.init == "pretrained":
            raise ValueError(
                f"intermediate_size={self.intermediate_size}: pretrained weights have the width that they "
                "have. Use null, or random weights: model.init=random."
            )
        if self.intermediate_size < 1:
            raise ValueError(f"intermediate_size={self.intermediate_size}: must be at least 1.")


@dataclass(frozen=True, kw_only=True)
class LoraSettings:
    """Low-rank adapters.

    Attributes:
        rank: The rank of what an adapter adds to a weight.
        alpha: It is scaled by alpha / rank.
        targets: Which linear layers of the blocks get one, by their last names such as q_proj; None for all.
    """

    rank: int
    alpha: float
    targets: list[str] | None

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha <= 0:
            raise ValueError(f"rank={self.rank}, alpha={self.alpha}: must be at least 1 and positive.")
        if self.targets is not None and not self.targets:
            raise ValueError("targets=[]: nothing would be trained; null takes every linear layer.")


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """What is trained, for how long and how fast.

    Attributes:
        parameters: `full`: everything; `ffn`: the feed-forward layers; `grown`: only what growth added;
            `lora`: only low-rank adapters.
        lora: The adapters; None but for `lora`.
        steps: Optimizer steps.
        lr: Peak learning rate of pretrained parameters.
        grown_lr: Peak learning rate of what was added to the model: grown neurons and blocks, adapters.
        batch_tokens: Token budget of one forward pass, padding included.
        accumulate: Forward passes per optimizer step.
        warmup_steps: Steps of linear warm-up.
        final_lr_frac: The cosine ends at this fraction of the peak.
        weight_decay: Decoupled weight decay of matrices.
        beta1: Adam's first decay rate.
        beta2: Adam's second decay rate.
        clip_norm: Gradients are scaled down to this global norm, or None for no clipping.
        log_every_steps: A row of metrics.jsonl every so many steps.
        validate_every_steps: Validation loss every so many steps, or None.
    """

    parameters: Literal["full", "ffn", "grown", "lora"]
    lora: LoraSettings | None
    steps: int
    lr: float
    grown_lr: float
    batch_tokens: int
    accumulate: int
    warmup_steps: int
    final_lr_frac: float
    weight_decay: float
    beta1: float
    beta2: float
    clip_norm: float | None
    log_every_steps: int
    validate_every_steps: int | None

    def __post_init__(self) -> None:
        for name in ("steps", "batch_tokens", "accumulate", "log_every_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: must be at least 1.")
        if (self.parameters == "lora") != (self.lora is not None):
            raise ValueError(
                f"parameters={self.parameters}: train.lora belongs to train=lora and to nothing else; choose "
                "one option of the group and leave train.parameters alone."
            )
        if self.lr <= 0 or self.grown_lr <= 0:
            raise ValueError(f"lr={self.lr}, grown_lr={self.grown_lr}: must be positive.")
        if self.validate_every_steps is not None and self.validate_every_steps < 1:
            raise ValueError(f"validate_every_steps={self.validate_every_steps}: null turns it off.")


@dataclass(frozen=True, kw_only=True)
class HardwareSettings:
    """What the run may use of the machine.

    Attributes:
        device: `cpu` or `cuda`.
        precision: `fp32`; `bf16_autocast`: fp32 weights, bf16 matrix products; `bf16`: bf16 weights with a
            compensated update.
        optimizer: For pretrained parameters: `adamw` (fused), `adamw8bit` (bitsandbytes) or `muon`.
        threads: CPU threads, or None for one per core.
        compile: Compile the training pass with torch.compile; all slots of the banks are then computed.
        deterministic: Ask torch for deterministic algorithms; an exact resume needs it on a GPU.
        memory_gib: Memory of the device, which `foam plan` compares with; None: what this machine has.
        nominal_tflops: Dense matrix products per second in the profile's precision as its maker states them,
            in 10¹² operations, for `foam plan`; None: `foam plan` measures.
    """

    device: Literal["cpu", "cuda"]
    precision: Precision
    optimizer: Literal["adamw", "adamw8bit", "muon"]
    threads: int | None
    compile: bool
    deterministic: bool
    memory_gib: float | None
    nominal_tflops: float | None

    def __post_init__(self) -> None:
        for name in ("memory_gib", "nominal_tflops"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name}={value}: must be positive, or null.")


@dataclass(frozen=True, kw_only=True)
class CheckpointSettings:
    """When to save.

    Attributes:
        every_steps: Save every so many steps, or None for only at the end and on interruption.
        keep: Newest checkpoints kept.
    """

    every_steps: int | None
    keep: int

    def __post_init__(self) -> None:
        if self.every_steps is not None and self.every_steps < 1:
            raise ValueError(f"every_steps={self.every_steps}: null turns it off.")
        if self.keep < 1:
            raise ValueError(f"keep={self.keep}: at least the newest checkpoint must be kept.")


@dataclass(frozen=True, kw_only=True)
class ExportSettings:
    """What is written at the end of a run.

    Attributes:
        format: `hf`: a plain Hugging Face folder; `delta`: one small file with what growth added to a frozen
            base; `none`: nothing.
        max_abs_dlogits: The exported model's logits may differ from the running model's by at most this.
    """

    format: Literal["hf", "delta", "none"]
    max_abs_dlogits: float


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One part of a stream: what is learnt after what came before, for `train.steps` steps.

    Attributes:
        name: The option of the group data.
        task: The task that asks for what it teaches: the only one of the evaluation of its name, or else
            that name.
        data: Its source of documents.
    """

    name: str
    task: str
    data: Any


@dataclass(frozen=True, kw_only=True)
class RunName:
    """Where a run's folder stands: OUTPUT_DIR/study/arm/seed.

    Attributes:
        study: The question it belongs to.
        arm: The variant; None makes a name of the model, the data, the growth and a hash.
    """

    study: str
    arm: str | None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A whole configuration. Fields of type Any hold the objects that their `_target_` names.

    Attributes:
        seed: Everything random follows from it.
        output_dir: Where run folders are made.
        cache_dir: Where tokenised data is kept for other runs: a folder, `auto` for what FOAM_CACHE names or
            else ~/.cache/foam, or None to keep none.
        name: The run folder's place in it.
        plugins: Packages whose classes `_target_` may name; command line only.
        model: The base model.
        data: A source of documents; the first stage's where there are several.
        stages: What is learnt one after the other, from `data=[a,b,...]`; empty for a single source.
        growth: A growth policy, or empty for none.
        replay: A replay strategy, or empty for none.
        regularizer: Penalties on forgetting by name; empty for none.
        train: The training loop.
        hardware: The machine.
        evaluation: Tasks by name, with `every_steps` and `batch_tokens`.
        checkpoint: When to save.
        export: What to write at the end.
        interpolate: Points between base and trained model to score at the end, or empty for none.
        tracker: Where the run's numbers are shown beside those of others, by name; empty for nowhere.
    """

    seed: int
    output_dir: str
    cache_dir: str | None
    name: RunName
    plugins: list[str]
    model: ModelSettings
    data: Any
    stages: list[Stage]
    growth: Any
    replay: Any
    regularizer: dict[str, Any]
    train: TrainSettings
    hardware: HardwareSettings
    evaluation: dict[str, Any]
    checkpoint: CheckpointSettings
    export: ExportSettings
    interpolate: Any
    tracker: dict[str, Any]

    @property
    def total_steps(self) -> int:
        """Optimizer steps of all stages together."""
        return self.train.steps * max(1, len(self.stages))
