"""What the Python interface takes from conf/: policies with the values that callers name, and freezing."""

from functools import cache

from torch import nn

from foam_cli import config
from foam_cli.building import build
from foam_cli.core.settings import TrainSettings
from foam_cli.engine.optimizers import select_trainable
from foam_cli.growth.policy import NeuronGrowth


@cache
def growth_policy(
    *,
    gradient_percentile: float,
    max_growth_per_step: int,
    growth_cooldown: int,
    maturation_age: int,
    enable_replacement: bool,
) -> NeuronGrowth:
    """Build `growth=v3`, or `growth=grow_only` where nothing is to be replaced.

    Neurons are measured as often as conf/ says, and at least once between two events. A value that makes no
    sense is a ConfigError.

    Args:
        gradient_percentile: Neurons pressed above this percentile of their layer may be copied from.
        max_growth_per_step: Neurons born by one event in one layer.
        growth_cooldown: Optimizer steps from the start, and from one event, to the next.
        maturation_age: Optimizer steps for which a neuron counts as young.
        enable_replacement: Let neurons that matter least make room.

    Returns:
        The policy.
    """
    option = "v3" if enable_replacement else "grow_only"
    every = config.compose([f"growth={option}"]).values["growth"]["track_every_steps"]
    composed = config.compose(
        [
            f"growth={option}",
            f"growth.trigger.percentile={gradient_percentile}",
            f"growth.trigger.cooldown_steps={growth_cooldown}",
            f"growth.max_neurons_per_event={max_growth_per_step}",
            f"growth.maturation.mature_steps={maturation_age}",
            f"growth.track_every_steps={min(every, max(1, growth_cooldown))}",
        ]
    )
    values = {name: value for name, value in composed.values["growth"].items() if name != "_target_"}
    return build(NeuronGrowth, values, path="growth")


def train_only_ffns(model: nn.Module) -> None:
    """Freeze everything but the FFNs and what grows in them, as `train=ffn` does.

    Args:
        model: A causal language model, changed in place.
    """
    values = config.compose(["train=ffn"]).values["train"]
    select_trainable(model, build(TrainSettings, values, path="train"))
