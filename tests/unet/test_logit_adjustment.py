"""Logit adjustment: every network's probabilities change as the rule says."""

import numpy as np
import pytest
import torch

from lulc_lib import legend
from lulc_lib.unet.logit_adjustment import adjust_logits
from lulc_lib.unet.model import NETWORKS


@pytest.mark.parametrize("name", NETWORKS)
def test_probabilities_are_multiplied_by_shares(name):
    torch.manual_seed(0)
    model = NETWORKS[name](base_channels=4, depth=3).eval()
    x = torch.randn(1, 10, 29, 34)
    counts = np.arange(len(legend.CODES)) ** 3  # none of the first class: it counts as one pixel
    with torch.no_grad():
        before = model(x).softmax(dim=1)
        adjust_logits(model, counts, 0.3)
        after = model(x).softmax(dim=1)
    expected = before * torch.from_numpy(counts.clip(1) ** 0.3)[:, None, None]
    expected = (expected / expected.sum(dim=1, keepdim=True)).float()
    assert torch.allclose(after, expected, atol=1e-5)
    assert not torch.allclose(after, before, atol=0.02)
    adjust_logits(model, counts, 0.0)
    with torch.no_grad():
        assert torch.equal(model(x).softmax(dim=1), after)
