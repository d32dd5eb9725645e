"""Operations of a run, against torch's own counter on real passes and against a derivation."""

import pytest
import torch
from tiny_families import family_config, tiny_family
from torch.utils.flop_counter import FlopCounterMode

from foam_cli.config import compose
from foam_cli.core.growth import GrowthRecord
from foam_cli.engine.flops import training_flops
from foam_cli.engine.run import build_settings
from foam_cli.engine.state import RunState, Work
from foam_cli.model.heads import logits_at
from foam_cli.model.lora import add_lora, lora_parameters


def settings_of(*words):
    return build_settings(compose(["hardware=cpu", "growth=none", *words]).values)


def work(shapes, num_events=0):
    """What a run would have noted of batches (rows, tokens, targets)."""
    return Work(
        num_events=num_events,
        tokens=sum(rows * tokens for rows, tokens, _ in shapes),
        attended=sum(rows * tokens**2 for rows, tokens, _ in shapes),
        targets=sum(targets for *_, targets in shapes),
    )


SHAPES = [(3, 24, 10), (1, 40, 40), (5, 8, 7)]


@pytest.mark.parametrize("train", ["full", "lora"])
def test_batches_of_any_shape_are_counted_as_torch_counts_them(train):
    settings = settings_of(f"train={train}")
    config = family_config(
        "qwen2", attn_implementation="eager"
    )  # torch's counter does not know the CPU's kernel
    config._attn_implementation = "eager"
    found = training_flops(config, settings, RunState(work=[work(SHAPES)]), [])

    model = tiny_family("qwen2", attn_implementation="eager").train()
    if settings.train.lora is not None:
        add_lora(model, settings.train.lora, 0)
        model.requires_grad_(False)
        for parameter in lora_parameters(model):
            parameter.requires_grad_(True)
    with FlopCounterMode(display=False) as counter:
        for rows, tokens, targets in SHAPES:
            ids_BT = torch.zeros(rows, tokens, dtype=torch.int64)
            at_N = torch.zeros(targets, dtype=torch.int64)
            logits_at(model, model.get_output_embeddings(), ids_BT, at_N).sum().backward()
    assert found == counter.get_total_flops()


@pytest.mark.slow
def test_born_neurons_count_from_their_birth_on_and_in_steps_of_64():
    settings = settings_of("growth=gradmax", "train=full", "growth.max_neurons_per_event=70")
    born = GrowthRecord(
        event=1, step=5, reason="", born={0: 70, 1: 70}, recycled={}, blocks_after=[], parameters_before=0,
        parameters_after=0,
    )  # fmt: skip
    config = family_config("qwen2")
    before, after = work(SHAPES), work(SHAPES, num_events=1)

    def flops(*works):
        return training_flops(config, settings, RunState(work=list(works), records=[born]), [48, 48])

    # 128 slots of 3 x 32 weights in two blocks: a product forward and two backward, 2 operations each.
    assert flops(before, after) - 2 * flops(before) == before.tokens * 2 * 128 * 3 * 32 * (3 * 2)
