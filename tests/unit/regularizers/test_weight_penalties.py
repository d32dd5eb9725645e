"""EWC and L2-SP against closed forms and numbers computed by hand."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from foam_cli.regularizers.ewc import Ewc
from foam_cli.regularizers.l2_init import L2Init
from foam_cli.regularizers.protocols import Look

EWC = Ewc(weight=3.0, num_examples=5, empirical=True, online_decay=None)


class Linear:
    """p(y | x) = softmax(W x), whose Fisher information is known: F_ij = E[p_i (1 - p_i) x_j²]."""

    def __init__(self, examples):
        self.examples = examples
        weight_VD = torch.randn(4, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
        self.weight = nn.Parameter(weight_VD)
        self.pretrained = {"weight": self.weight}

    def passes(self, num_examples):
        for x_ND, labels_N in (self.examples * num_examples)[:num_examples]:
            yield x_ND @ self.weight.T, labels_N

    def look(self, seed=0):
        return Look(passes=self.passes, seed=seed)

    def errors(self, x_ND, labels_N):
        """p - e_y, the gradient of -log p(y | x) with respect to the logits."""
        return (x_ND @ self.weight.detach().T).softmax(1) - nn.functional.one_hot(labels_N, 4)


def examples(*lengths):
    generator = torch.Generator().manual_seed(1)
    return [
        (
            torch.randn(n, 3, generator=generator, dtype=torch.float64),
            torch.randint(4, (n,), generator=generator),
        )
        for n in lengths
    ]


def test_the_empirical_fisher_squares_the_gradient_of_every_example_by_itself():
    model = Linear(examples(1, 3, 2))
    state = replace(EWC, num_examples=3).begin(model.pretrained, model.look())
    expected = sum((model.errors(x, y).T @ x).square() for x, y in model.examples) / 6
    assert torch.allclose(state["fisher.weight"], expected, rtol=1e-12)
    assert torch.equal(state["anchor.weight"], model.weight) and model.weight.grad is None
    assert state["anchor.weight"].data_ptr() != model.weight.data_ptr()


def test_with_labels_of_its_own_it_is_the_fisher_information():
    model = Linear(examples(40))
    state = replace(EWC, empirical=False, num_examples=800).begin(model.pretrained, model.look())
    ((x_ND, _),) = model.examples
    p_NV = (x_ND @ model.weight.detach().T).softmax(1)
    closed_form = (p_NV * (1 - p_NV)).T @ x_ND.square() / 40
    # A mean of 800 squares of nearly normal numbers: its standard error is √(2/800) = 5 %.
    assert torch.allclose(state["fisher.weight"], closed_form, rtol=0.2)
    wrong = replace(EWC, num_examples=1).begin(model.pretrained, model.look())
    assert not torch.allclose(wrong["fisher.weight"], closed_form, rtol=0.2)


def test_labels_are_drawn_by_the_seed_and_by_no_other_generator():
    model, method = Linear(examples(2, 3)), replace(EWC, empirical=False)
    before = torch.get_rng_state()
    one, same, other = (
        method.begin(model.pretrained, model.look(seed))["fisher.weight"] for seed in (0, 0, 1)
    )
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_ewc_pulls_by_the_fisher_information():
    weight = nn.Parameter(torch.tensor([1.0, 2.0, -1.0]))
    weight.grad = torch.tensor([0.5, 0.0, 0.0])
    state = {"anchor.w": torch.tensor([0.0, 2.0, 1.0]), "fisher.w": torch.tensor([2.0, 9.0, 0.5])}
    penalty = EWC.pull({"w": weight}, [], state)
    # ½ · 3 · (2 · 1² + 9 · 0² + ½ · (-2)²), and 3 F (θ - θ*) beside what was there
    assert penalty.item() == pytest.approx(6.0)
    assert weight.grad.tolist() == [6.5, 0.0, -3.0]


def test_online_ewc_lets_old_stages_fade_and_moves_its_anchor():
    model, method = Linear(examples(1, 2)), replace(EWC, online_decay=0.25)
    first = method.begin(model.pretrained, model.look())
    with torch.no_grad():
        model.weight += 1
    own = method.begin(model.pretrained, model.look())["fisher.weight"]
    second = method.end_stage(model.pretrained, model.look(), first)
    assert torch.allclose(second["fisher.weight"], 0.25 * first["fisher.weight"] + own, rtol=1e-12)
    assert torch.equal(second["anchor.weight"], model.weight)
    assert EWC.end_stage(model.pretrained, model.look(), first) is first


def test_l2_init_pulls_the_old_to_where_it_was_and_the_new_to_zero():
    old, new = nn.Parameter(torch.tensor([3.0, 1.0])), nn.Parameter(torch.tensor([[2.0]]))
    old.grad, new.grad = torch.zeros(2), torch.ones(1, 1)
    method = L2Init(alpha=0.5, beta=0.1)
    penalty = method.pull({"old": old}, [new], {"anchor.old": torch.tensor([1.0, 1.0])})
    assert penalty.item() == pytest.approx(0.5 * 0.5 * 4 + 0.5 * 0.1 * 4)
    assert old.grad.tolist() == [1.0, 0.0] and new.grad.item() == pytest.approx(1.2)


def test_bf16_weights_have_bf16_anchors_and_an_fp32_penalty():
    weight = nn.Parameter(torch.ones(3, dtype=torch.bfloat16))
    method = L2Init(alpha=1.0, beta=None)
    state = method.begin({"w": weight}, Look(passes=lambda _: iter(()), seed=0))
    assert state["anchor.w"].dtype == torch.bfloat16
    assert method.memory_bytes({"w": weight}) == {"anchors": 6}
    assert EWC.memory_bytes({"w": weight}) == {"anchors": 6, "Fisher information": 12}
    with torch.no_grad():
        weight += 0.5
    weight.grad = torch.zeros_like(weight)
    assert method.pull({"w": weight}, [], state).dtype == torch.float32
    assert weight.grad.tolist() == [0.5] * 3


@pytest.mark.parametrize(
    ("cls", "values", "complaint"),
    [
        (Ewc, {"weight": 0.0}, "weight=0.0"),
        (Ewc, {"num_examples": 0}, "num_examples=0"),
        (Ewc, {"online_decay": 1.5}, "online_decay=1.5"),
        (L2Init, {"alpha": 0.0, "beta": None}, "alpha=0.0"),
        (L2Init, {"alpha": None, "beta": None}, "nothing would be pulled"),
    ],
)
def test_values_without_sense_are_refused(cls, values, complaint):
    plain = {"weight": 1.0, "num_examples": 1, "empirical": False, "online_decay": None} if cls is Ewc else {}
    with pytest.raises(ValueError, match=complaint):
        cls(**plain | values)
