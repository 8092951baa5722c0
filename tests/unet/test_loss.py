"""Focal loss against cross-entropy, by hand, and on batches without a label; class weights."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from lulc_lib import legend
from lulc_lib.errors import InputError
from lulc_lib.unet.loss import FocalLoss, class_weights, label_counts


def example():
    torch.manual_seed(0)
    logits = torch.randn(2, 4, 5, 6, requires_grad=True)
    target = torch.randint(0, 4, (2, 5, 6))
    target[torch.rand(2, 5, 6) < 0.4] = legend.IGNORE_INDEX
    return logits, target


@pytest.mark.parametrize("weight", [None, torch.tensor([0.5, 2.0, 1.0, 0.1])])
def test_gamma_0_is_cross_entropy(weight):
    logits, target = example()
    expected = functional.cross_entropy(
        logits, target, weight=weight, ignore_index=legend.IGNORE_INDEX
    )
    found = FocalLoss(0.0, weight)(logits, target)
    torch.testing.assert_close(found, expected)
    a, b = (torch.autograd.grad(v, logits, retain_graph=True)[0] for v in (found, expected))
    torch.testing.assert_close(a, b)


def test_by_hand():
    """Two labelled pixels with p = 0.8 and 0.25, weights 1 and 3, and one that is ignored."""
    p = torch.tensor([[0.8, 0.2], [0.75, 0.25], [0.5, 0.5]])
    logits = p.log().T[None, :, None, :]  # (1, 2, 1, 3)
    target = torch.tensor([[[0, 1, legend.IGNORE_INDEX]]])
    found = FocalLoss(2.0, torch.tensor([1.0, 3.0]))(logits, target)
    expected = (0.2**2 * -np.log(0.8) + 3 * 0.75**2 * -np.log(0.25)) / 4
    assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_unlabelled_batch_and_certain_pixel_have_finite_gradients(gamma):
    logits = torch.zeros(1, 3, 2, 2)
    logits[:, 0] = 200.0  # p is exactly 1
    logits.requires_grad_()
    for value in (legend.IGNORE_INDEX, 0):
        loss = FocalLoss(gamma)(logits, torch.full((1, 2, 2), value))
        (gradient,) = torch.autograd.grad(loss, logits)
        assert loss.item() == 0
        assert torch.isfinite(gradient).all()
        assert gradient.abs().max() < 1e-6


def test_negative_gamma():
    with pytest.raises(InputError, match="gamma is -1"):
        FocalLoss(-1)


def test_counts_and_weights():
    mask = np.full((4, 4), legend.NO_DATA, dtype=np.uint8)
    mask[0], mask[1, :1] = legend.CODES[0], legend.CODES[-1]
    counts = label_counts([mask, mask])
    assert counts.tolist() == [8, *[0] * 8, 2]
    full = class_weights(counts, 1.0)
    assert full[0] * 8 == pytest.approx(full[-1] * 2)
    assert np.mean([full[0], full[-1]]) == pytest.approx(1)
    assert (class_weights(counts, 0.0) == 1).all()
