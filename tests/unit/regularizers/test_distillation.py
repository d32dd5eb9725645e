"""Distillation against torch's own distributions and closed forms."""

from dataclasses import replace

import pytest
import torch
from torch.distributions import Categorical, kl_divergence

from foam_cli.core.errors import ConfigError
from foam_cli.regularizers.distillation import Distillation

DISTILLATION = Distillation(
    weight=0.7, temperature=2.0, on="old", replaces_loss=False, top_k=3, cache_dir="teachers"
)


def logits(seed, dtype=torch.float64):
    return 3 * torch.randn(6, 11, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def merged(p_NV, ids_Nk):
    """Probabilities of some tokens and of the rest, by hand."""
    top = torch.stack([p[ids] for p, ids in zip(p_NV, ids_Nk, strict=True)])
    return torch.cat([top, 1 - top.sum(1, keepdim=True)], 1)


def test_it_is_the_kl_divergence_at_the_temperature_times_its_square():
    teacher, student = logits(1), logits(2)
    found = DISTILLATION.penalty(student, DISTILLATION.answers(teacher, None))
    expected = kl_divergence(Categorical(logits=teacher / 2), Categorical(logits=student / 2)).sum()
    assert found.item() == pytest.approx(0.7 * 4 * expected.item(), rel=1e-12)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_outside_the_likeliest_there_is_one_bucket(k):
    teacher, student = logits(1), logits(2)
    answers = DISTILLATION.answers(teacher, k)
    order = teacher.argsort(1, descending=True)[:, :k]
    assert torch.equal(answers.ids_Nk, order)
    p, q = (merged((one / 2).softmax(1), order) for one in (teacher, student))
    expected = kl_divergence(Categorical(probs=p), Categorical(probs=q)).sum()
    found = DISTILLATION.penalty(student, answers)
    assert found.item() == pytest.approx(0.7 * 4 * expected.item(), rel=1e-9)
    exact = DISTILLATION.penalty(student, DISTILLATION.answers(teacher, None)).item()
    if k == 10:  # the bucket is a single token, so nothing was merged
        assert found.item() == pytest.approx(exact, rel=1e-12)
    else:  # merging tokens can only lower a divergence
        assert 0 < found.item() < exact


def test_a_rest_too_small_for_one_minus_the_sum_still_has_a_gradient():
    teacher = torch.tensor([[60.0, 0.0, 0.0, 0.0]])
    student = torch.tensor([[80.0, 0.0, 0.0, 0.0]], requires_grad=True)
    method = replace(DISTILLATION, temperature=1.0, weight=1.0)
    penalty = method.penalty(student, method.answers(teacher, 1))
    (gradient,) = torch.autograd.grad(penalty, student)
    assert 0 <= penalty.item() < 1e-20 and gradient.isfinite().all()


@pytest.mark.parametrize("k", [None, 3])
def test_the_gradient_is_right_and_zero_where_the_two_agree(k):
    teacher, student = logits(1), logits(2).requires_grad_()
    answers = DISTILLATION.answers(teacher, k)
    assert torch.autograd.gradcheck(lambda s: DISTILLATION.penalty(s, answers), student)
    penalty = DISTILLATION.penalty(same := teacher.clone().requires_grad_(), answers)
    (gradient,) = torch.autograd.grad(penalty, same)
    assert abs(penalty.item()) < 1e-14 and gradient.abs().max() < 1e-14


def test_the_gradient_is_temperature_times_the_difference_of_probabilities():
    teacher, student = logits(1), logits(2).requires_grad_()
    penalty = DISTILLATION.penalty(student, DISTILLATION.answers(teacher, None))
    (gradient,) = torch.autograd.grad(penalty, student)
    expected = 0.7 * 2 * ((student / 2).softmax(1) - (teacher / 2).softmax(1))
    assert torch.allclose(gradient, expected, atol=1e-14)


def test_bf16_logits_are_compared_in_fp32():
    student = logits(2, torch.bfloat16)
    assert DISTILLATION.penalty(student, DISTILLATION.answers(student, 3)).dtype == torch.float32


def test_as_many_answers_as_tokens_are_refused():
    with pytest.raises(ConfigError, match=r"top_k=11: must be less than the 11 tokens"):
        DISTILLATION.answers(logits(1), 11)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"weight": 0.0}, "weight=0.0"),
        ({"temperature": -1.0}, "temperature=-1.0"),
        ({"top_k": 0}, "top_k=0"),
        ({"on": "all", "replaces_loss": True}, "nothing new would be learnt"),
    ],
)
def test_values_without_sense_are_refused(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        replace(DISTILLATION, **change)
