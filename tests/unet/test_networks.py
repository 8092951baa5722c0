"""The U-Net against Table 4: parameter count, any size, an independent composition, one patch."""

import numpy as np
import pytest
import torch
from torch import nn

from lulc_lib import legend
from lulc_lib.errors import InputError
from lulc_lib.unet.loss import FocalLoss
from lulc_lib.unet.networks import UNet


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small arrays on a busy machine: threads that wait for each other cost more than they give."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def parameters_by_hand(bands, classes, base, depth, convolutions):
    """Counted from Table 4, block by block."""
    def block(i, o):
        kernels = 9 * i * o + (convolutions - 1) * 9 * o * o
        return kernels + convolutions * 2 * o  # batch normalisation: gain and offset

    total, before = 0, bands
    for level in range(depth + 1):
        total += block(before, base * 2**level)
        before = base * 2**level
    for level in reversed(range(depth)):
        w = base * 2**level
        total += 4 * 2 * w * w + w  # transposed convolution 2×2 with bias
        total += block(2 * w, w)
    return total + base * classes + classes


@pytest.mark.parametrize(("base", "depth", "convolutions"), [(64, 4, 3), (8, 2, 3), (4, 3, 2)])
def test_parameter_count(base, depth, convolutions):
    with torch.device("meta"):  # counts without allocating
        model = UNet(base=base, depth=depth, convolutions=convolutions)
    found = sum(p.numel() for p in model.parameters())
    assert found == parameters_by_hand(10, len(legend.CODES), base, depth, convolutions)


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (33, 47), (40, 18)])
def test_any_size(size):
    model = UNet(base=2).eval()
    assert model(torch.zeros(1, 10, *size)).shape == (1, len(legend.CODES), *size)


def test_too_small_and_bad_settings():
    with pytest.raises(InputError, match=r"15×40.*at least 16"):
        UNet(base=2)(torch.zeros(1, 10, 15, 40))
    with pytest.raises(InputError, match="depth is 0"):
        UNet(depth=0)


def test_equals_independent_composition():
    """The same weights in layers put together by hand, on an odd size, give the same scores."""
    torch.manual_seed(0)
    model = UNet(in_channels=10, classes=5, base=3, depth=2)
    weights = iter([p.detach() for p in model.parameters()])

    def conv_bn_relu(x, times):
        for _ in range(times):
            kernel, gain, offset = next(weights), next(weights), next(weights)
            x = nn.functional.conv2d(nn.functional.pad(x, (1, 1, 1, 1)), kernel)
            mean = x.mean((0, 2, 3), keepdim=True)
            spread = (x.var((0, 2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
            x = (x - mean) / spread * gain[:, None, None] + offset[:, None, None]
            x = torch.maximum(x, torch.zeros(()))
        return x

    x = torch.randn(2, 10, 21, 18)
    pool = nn.MaxPool2d(2)
    a = conv_bn_relu(x, 3)
    b = conv_bn_relu(pool(a), 3)
    c = conv_bn_relu(pool(b), 3)
    ups = [(next(weights), next(weights)) for _ in range(2)]
    b2 = nn.ReplicationPad2d((0, 0, 0, 0))(nn.functional.conv_transpose2d(c, *ups[0], stride=2))
    b2 = conv_bn_relu(torch.cat([b, nn.ReplicationPad2d((0, b.shape[3] - b2.shape[3], 0,
                                                         b.shape[2] - b2.shape[2]))(b2)], 1), 3)
    a2 = nn.functional.conv_transpose2d(b2, *ups[1], stride=2)
    a2 = nn.ReplicationPad2d((0, a.shape[3] - a2.shape[3], 0, a.shape[2] - a2.shape[2]))(a2)
    a2 = conv_bn_relu(torch.cat([a, a2], 1), 3)
    expected = nn.functional.conv2d(a2, next(weights), next(weights))
    torch.testing.assert_close(model.train()(x), expected, rtol=1e-4, atol=1e-5)


def test_margin_is_what_the_network_sees():
    """What lies farther away than the margin does not matter, and the margin is not lavish."""
    model = UNet(base=2, depth=2).eval().double()
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(0.5)  # all positive: no ReLU is shut, every path counts
    size = 2 * model.margin + 40
    x = torch.rand(1, 10, size, 16, dtype=torch.double)
    x[..., ::2, :] += 1  # the four pixels of a pooling differ
    x.requires_grad_()
    reach = []
    for row in range(size // 2, size // 2 + 4):
        (gradient,) = torch.autograd.grad(model(x)[0, :, row, 8].sum(), x)
        seen = np.flatnonzero(gradient.abs().sum((0, 1, 3)).numpy())
        reach += [row - seen.min(), seen.max() - row]
    assert model.margin - 4 <= max(reach) <= model.margin


def test_overfits_one_patch():
    torch.manual_seed(0)
    x, target = torch.randn(1, 10, 24, 24), torch.randint(0, 3, (1, 24, 24))
    model, loss = UNet(classes=3, base=8, depth=2), FocalLoss()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        optimiser.zero_grad()
        loss(model(x), target).backward()
        optimiser.step()
    assert (model(x).argmax(1) == target).float().mean() > 0.98
