"""Neurons that avoid what old data uses: their rows, their updates, and what old data notices of them."""

from dataclasses import replace

import pytest
import torch
from tiny_families import tiny_family

from foam_cli.core.errors import GrowthError
from foam_cli.core.growth import GrowthPlan
from foam_cli.engine.measure import Measurements
from foam_cli.growth.context import GrowthContext
from foam_cli.growth.initializers.nullspace import Nullspace, leading_directions
from foam_cli.growth.initializers.random import Random
from foam_cli.model.neuron_adamw import NeuronAdamW
from foam_cli.model.neurons import make_growable
from foam_cli.model.optimizer import forget
from foam_cli.model.surgery import apply

NUM = 8


def drawn(low, high, seed, num=16):
    return torch.randint(low, high, (num, 16), generator=torch.Generator().manual_seed(seed))


#: Old text is of three words, new text of others; the second old batch was never measured.
OLD, UNSEEN_OLD, NEW = drawn(2, 5, 1, 64), drawn(2, 5, 2, 64), drawn(20, 97, 3)


def loss_of(model, tokens_BT):
    return model(tokens_BT, labels=tokens_BT, use_cache=False).loss


class Growing:
    """A frozen model whose grown neurons learn."""

    def __init__(self, model):
        self.model = model.requires_grad_(False)
        self.ffns = make_growable(model, NUM)
        self.optimizer = NeuronAdamW(
            [ffn.bank for ffn in self.ffns], betas=(0.9, 0.99), eps=1e-8, weight_decay=0.0
        )
        self.optimizer.set_lr(lambda birth: 1e-2)
        for ffn in self.ffns:
            ffn.bank.requires_grad_(True)

    def bear(self, initializer, old=OLD, recycled=(), event=1):
        pools = {"old": old, "new": NEW}
        context = GrowthContext(
            step=0, seed=0, ffns=self.ffns, signals=(), validation_losses=(),
            block_births=(None,) * len(self.ffns),
            measure=Measurements(self.model, lambda pool: [lambda: loss_of(self.model, pools[pool])]),
        )  # fmt: skip
        num = len(recycled) or NUM
        births = [
            initializer.bear(context, block, tuple(range(num)), event) for block in range(len(self.ffns))
        ]
        births = tuple(replace(one, recycled=recycled) for one in births)
        _, touched = apply(self.model, GrowthPlan(event=event, step=0, reason="test", neurons=births), 0)
        forget(touched, self.optimizer, None)
        return births

    def learn(self, num_steps):
        for _ in range(num_steps):
            loss_of(self.model, NEW).backward()
            self.optimizer.step()
            self.optimizer.zero_grad()

    @torch.no_grad()
    def logits(self, tokens_BT):
        return self.model(tokens_BT).logits


def changes(model, initializer):
    """RMS change of the logits on unseen old text, and the fall of the loss on new text, after 50 steps."""
    growing = Growing(model)
    before, loss_before = growing.logits(UNSEEN_OLD), loss_of(model, NEW).item()
    growing.bear(initializer)
    growing.learn(50)
    moved = (growing.logits(UNSEEN_OLD) - before).square().mean().sqrt().item()
    return moved, loss_before - loss_of(model, NEW).item()


@pytest.mark.slow
@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_old_outputs_change_ten_times_less_than_with_random_rows(family, tiny_model):
    """Same frozen model, data, steps, learning rate and size of the draw; only the projection differs."""
    random_moved, random_learnt = changes(tiny_model(family), Random(std=0.1))
    moved, learnt = changes(tiny_model(family), Nullspace(std=0.1, unheld_frac=1e-3))
    assert random_moved > 0.1  # without the projection it is not nothing
    assert moved < random_moved / 10
    assert learnt > random_learnt / 2  # and new text is still learnt


@pytest.mark.parametrize("family", ["gpt2", "llama", "llama-biased"])
def test_rows_stay_orthogonal_and_biases_zero_while_everything_else_learns(family, tiny_model):
    growing = Growing(tiny_family(family) if "-" in family else tiny_model(family))
    assert (growing.ffns[0].bank.gate_bias_C is None) == (family != "llama-biased")
    births = growing.bear(Nullspace(std=0.1, unheld_frac=1e-3))
    growing.learn(20)
    for ffn, born in zip(growing.ffns, births, strict=True):
        bank, avoided_RD = ffn.bank, born.avoided_RD
        for rows_CD, born_GD in ((bank.up_CD, born.up_GD), (bank.gate_CD, born.gate_GD)):
            if rows_CD is not None:
                assert (rows_CD @ avoided_RD.T).abs().max() < 1e-6
                assert (rows_CD[:NUM] - born_GD).abs().max(1).values.min() > 1e-2
        assert not any(one is not None and one.any() for one in (bank.bias_C, bank.gate_bias_C))
        assert bank.down_CD[:NUM].abs().max() > 1e-2
        assert (bank.down_CD[:NUM] @ avoided_RD.T).abs().max() > 1e-2  # out-columns are free


def test_a_recycled_slot_is_free_again(tiny_model):
    growing = Growing(tiny_model("gpt2"))
    births = growing.bear(Nullspace(std=0.1, unheld_frac=1e-3))
    growing.bear(Random(std=0.1), recycled=(80 + 2, 80 + 5), event=2)
    bank, avoided_RD = growing.ffns[1].bank, births[1].avoided_RD
    before_CR = (bank.up_CD @ avoided_RD.T).detach()
    growing.learn(5)
    moved_C = ((bank.up_CD @ avoided_RD.T).detach() - before_CR).abs().max(1).values
    free = torch.zeros(64, dtype=torch.bool)
    free[[2, 5]] = True
    assert moved_C[free].min() > 1e-3 and moved_C[~free].max() < 1e-6
    assert bank.bias_C[free].all() and not bank.bias_C[~free].any()


def test_a_later_event_measures_anew_for_all(tiny_model):
    growing = Growing(tiny_model("llama"))
    growing.bear(Nullspace(std=0.1, unheld_frac=1e-3))
    births = growing.bear(
        Nullspace(std=0.1, unheld_frac=1e-3), old=drawn(9, 12, 5, 64), recycled=(82, 85), event=2
    )
    bank, avoided_RD = growing.ffns[0].bank, births[0].avoided_RD
    before_CR = (bank.up_CD @ avoided_RD.T).detach()
    assert before_CR[0].abs().max() > 1e-2 and before_CR[2].abs().max() < 1e-6
    growing.learn(5)
    assert ((bank.up_CD @ avoided_RD.T).detach() - before_CR).abs().max() < 1e-6


def test_directions_are_those_that_hold_the_trace():
    generator = torch.Generator().manual_seed(0)
    basis_DD = torch.linalg.qr(torch.randn(6, 6, generator=generator, dtype=torch.float64)).Q
    values_D = torch.tensor([50.0, 30.0, 15.0, 4.0, 1.0, 0.0], dtype=torch.float64)
    moment_DD = (basis_DD * values_D) @ basis_DD.T
    for held, num in (
        (0.4, 1),
        (0.5 + 1e-9, 2),
        (0.95 - 1e-9, 3),
        (0.95 + 1e-9, 4),
        (0.999, 5),
        (1 - 1e-12, 5),
    ):
        found_RD = leading_directions(moment_DD, held)
        assert len(found_RD) == num
        spanned_DD = basis_DD[:, :num] @ basis_DD[:, :num].T
        torch.testing.assert_close(found_RD.T @ found_RD, spanned_DD)
    assert len(leading_directions(torch.eye(6, dtype=torch.float64), 0.999)) == 5  # one stays free


def test_moments_are_those_of_the_inputs_that_count(tiny_model):
    model = tiny_model("gpt2")
    ffns = make_growable(model, 1)
    halves = OLD[:8], OLD[8:16]
    measure = Measurements(
        model, lambda pool: [], lambda pool: [lambda half=half: loss_of(model, half) for half in halves]
    )
    found_DD = measure.input_moments("old")[1]
    seen = []
    handle = ffns[1].register_forward_hook(lambda _, args, y: seen.append(args[0][:, :-1].flatten(0, 1)))
    loss_of(model, OLD[:16])
    handle.remove()
    x_TD = seen[0].detach().double()  # the last token of a row is followed by nothing, so it has no gradient
    torch.testing.assert_close(found_DD, x_TD.T @ x_TD / len(x_TD), rtol=1e-4, atol=1e-6)


def test_directions_that_are_not_orthonormal_are_refused(tiny_model):
    growing = Growing(tiny_model("gpt2"))
    made = growing.bear(Nullspace(std=0.1, unheld_frac=1e-3))
    wrong = replace(made[0], avoided_RD=2 * made[0].avoided_RD)
    with pytest.raises(GrowthError, match="orthonormal"):
        apply(growing.model, GrowthPlan(event=2, step=0, reason="test", neurons=(wrong,)), 0)
