"""Every regularizer of conf/ is held to the same promises; a new YAML file needs no edit here."""

import importlib

import pytest
import torch
import yaml
from torch import nn

from foam_cli.building import build
from foam_cli.config import compose, conf_dir
from foam_cli.regularizers.protocols import AnswerPenalty, Look, WeightPenalty

FILES = sorted((conf_dir() / "regularizer").glob("*.yaml"))
OPTIONS = [file.stem for file in FILES if file.stem != "none"]


def method(option):
    nodes = yaml.safe_load((conf_dir() / "regularizer" / f"{option}.yaml").read_text(encoding="utf-8"))
    assert list(nodes) == [option], "a file holds one key of its own name, so that a list merges by name"
    node = nodes[option]
    module, _, name = node.pop("_target_").rpartition(".")
    return build(getattr(importlib.import_module(module), name), node)


def of_kind(kind):
    return [option for option in OPTIONS if isinstance(method(option), kind)]


class Tiny:
    """A model of two weights, one of which nothing looks at, and a weight that has grown beside them."""

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        self.used, self.unused, self.new = (
            nn.Parameter(torch.randn(5, 3, generator=generator, dtype=torch.float64)) for _ in range(3)
        )
        self.pretrained = {"block.used": self.used, "unused": self.unused}
        for parameter in (self.used, self.unused, self.new):
            parameter.grad = torch.zeros_like(parameter)
        x_ND = torch.randn(4, 3, generator=generator, dtype=torch.float64)
        self.look = Look(
            passes=lambda n: ((x_ND @ self.used.T, torch.tensor([0, 1, 2, 4])) for _ in range(n)), seed=0
        )


def test_every_option_is_of_one_kind_and_all_of_them_go_together():
    assert sorted({*of_kind(WeightPenalty), *of_kind(AnswerPenalty)}) == OPTIONS
    assert not {*of_kind(WeightPenalty)} & {*of_kind(AnswerPenalty)}
    together = compose([f"regularizer=[{','.join(OPTIONS)}]", "hardware=cpu"]).values["regularizer"]
    assert sorted(together) == OPTIONS
    assert compose(["hardware=cpu"]).values["regularizer"] == {}


@pytest.mark.parametrize("option", of_kind(WeightPenalty))
def test_a_penalty_on_weights_begins_at_zero_and_has_the_gradient_of_its_value(option):
    penalty, tiny = method(option), Tiny()
    state = penalty.begin(tiny.pretrained, tiny.look)
    for key, tensor in state.items():
        assert tensor.shape == tiny.pretrained[key.partition(".")[2]].shape
    with torch.no_grad():
        tiny.new.zero_()
    assert penalty.pull(tiny.pretrained, [tiny.new], state).item() == 0
    assert not any(one.grad.any() for one in (tiny.used, tiny.unused, tiny.new))

    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for one in (tiny.used, tiny.unused, tiny.new):
            one.add_(torch.randn(5, 3, generator=generator, dtype=torch.float64))
    assert penalty.pull(tiny.pretrained, [tiny.new], state).item() > 0
    gradients, step = [(one, one.grad.clone()) for one in (tiny.used, tiny.unused, tiny.new)], 1e-4
    for one, found in gradients:
        for place in ((0, 0), (4, 2)):
            values = []
            for sign in (1, -1):
                with torch.no_grad():
                    one[place] += sign * step
                    values.append(penalty.pull(tiny.pretrained, [tiny.new], state).item())
                    one[place] -= sign * step
            assert found[place].item() == pytest.approx((values[0] - values[1]) / (2 * step), abs=1e-8)


@pytest.mark.parametrize("option", of_kind(WeightPenalty))
def test_a_penalty_on_weights_adds_to_the_gradient_and_makes_none(option):
    penalty, tiny = method(option), Tiny()
    state = penalty.begin(tiny.pretrained, tiny.look)
    with torch.no_grad():
        tiny.used += 1
    penalty.pull(tiny.pretrained, [tiny.new], state)
    alone = tiny.used.grad.clone()
    tiny.used.grad, tiny.unused.grad = torch.ones_like(tiny.used), None
    penalty.pull(tiny.pretrained, [tiny.new], state)
    assert torch.equal(tiny.used.grad, 1 + alone) and tiny.unused.grad is None


@pytest.mark.parametrize("option", of_kind(WeightPenalty))
def test_a_penalty_on_weights_says_what_it_takes(option):
    penalty, tiny = method(option), Tiny()
    pretrained = {name: nn.Parameter(one.detach().float()) for name, one in tiny.pretrained.items()}
    x_ND = torch.randn(2, 3, generator=torch.Generator().manual_seed(2))
    used = pretrained["block.used"]
    look = Look(passes=lambda n: ((x_ND @ used.T, torch.tensor([0, 1])) for _ in range(n)), seed=0)
    state = penalty.begin(pretrained, look)
    taken = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    assert sum(penalty.memory_bytes(pretrained).values()) == taken


@pytest.mark.parametrize("top_k", [None, 3])
@pytest.mark.parametrize("option", of_kind(AnswerPenalty))
def test_a_penalty_on_answers_is_zero_where_they_agree_and_has_the_right_gradient(option, top_k):
    penalty, generator = method(option), torch.Generator().manual_seed(0)
    teacher, student = (torch.randn(4, 9, generator=generator, dtype=torch.float64) for _ in range(2))
    answers = penalty.answers(teacher, top_k)
    assert penalty.penalty(teacher, answers).abs().item() < 1e-12
    assert penalty.penalty(student, answers).item() > 0
    assert torch.autograd.gradcheck(lambda s: penalty.penalty(s, answers), student.requires_grad_())
