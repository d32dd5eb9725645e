"""Attention by products against attention written out in fp64."""

import math

import pytest
import torch
from torch import nn

from foam_cli.model.attention import _attend, attend_by_products
from tests.tiny_families import tiny_family


def by_hand(q, k, v, allowed):
    q, k, v = q.double(), k.double(), v.double()
    out = torch.zeros_like(q)
    for b in range(q.shape[0]):
        for h in range(q.shape[1]):
            shared = h * k.shape[1] // q.shape[1]
            for t in range(q.shape[2]):
                scores = (k[b, shared] @ q[b, h, t]) / math.sqrt(q.shape[3])
                scores[~allowed[b, t]] = -torch.inf
                out[b, h, t] = scores.softmax(0) @ v[b, shared]
    return out.transpose(1, 2)


@pytest.mark.parametrize("masked", [False, True])
def test_products_attend_as_by_hand(masked):
    torch.manual_seed(0)
    B, H, K, T, E = 2, 6, 2, 9, 16
    q, k, v = (torch.randn(B, heads, T, E).bfloat16() for heads in (H, K, K))
    allowed = torch.ones(B, T, T, dtype=torch.bool).tril()
    if masked:  # the first two tokens of the second row are padding
        allowed[1, :, :2] = False
        allowed[1, :2, :2] = torch.eye(2, dtype=torch.bool)
    found, _ = _attend(nn.Identity(), q, k, v, allowed[:, None] if masked else None)
    expected = by_hand(q, k, v, allowed)
    assert (found.double() - expected).norm() < 0.01 * expected.norm()


def test_gradients_are_those_of_fp32_attention():
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, heads, 12, 16).bfloat16().requires_grad_() for heads in (4, 2, 2))
    direction = torch.randn(2, 12, 4, 16)
    found, _ = _attend(nn.Identity(), q, k, v, None)
    got = torch.autograd.grad((found * direction).sum(), (q, k, v))
    wide = [one.detach().float().requires_grad_() for one in (q, k, v)]
    expected = nn.functional.scaled_dot_product_attention(*wide, is_causal=True, enable_gqa=True)
    wanted = torch.autograd.grad((expected.transpose(1, 2) * direction).sum(), wide)
    for one, other in zip(got, wanted, strict=True):
        assert (one.float() - other).norm() < 0.02 * other.norm()


@pytest.mark.parametrize("length", [20, 300])
def test_a_model_gives_the_logits_it_gave(length):
    model = tiny_family("qwen2").eval()
    ids = torch.randint(0, 50, (2, length), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = model(input_ids=ids).logits
        attend_by_products(model)
        assert torch.equal(model(input_ids=ids).logits, expected)  # in fp32 nothing changes
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = model(input_ids=ids).logits
    assert (found.float() - expected).norm() < 0.03 * expected.norm()
