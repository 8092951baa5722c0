"""The networks: Table 4, parameters by hand, any size, independent compositions, files."""

import os
import stat
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from lulc_lib import legend
from lulc_lib.errors import InputError
from lulc_lib.unet.checkpoint import build, load_model, save_model
from lulc_lib.unet.config import TrainConfig, get_config
from lulc_lib.unet.describe import differences, stages
from lulc_lib.unet.loss import FocalLoss
from lulc_lib.unet.model import FCN, NETWORKS, OriginalUNet, UNet, UNetPlusPlus
from lulc_lib.unet.normalise import Normalisation

CLASSES = len(legend.CODES)
KINDS = list(NETWORKS.values())


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
        model = UNet(base_channels=base, depth=depth, convolutions=convolutions)
    found = sum(p.numel() for p in model.parameters())
    assert found == parameters_by_hand(10, len(legend.CODES), base, depth, convolutions)


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (33, 47), (40, 18)])
def test_any_size_of_the_papers(size):
    model = UNet(base_channels=2).eval()
    assert model(torch.zeros(1, 10, *size)).shape == (1, len(legend.CODES), *size)


def test_too_small_for_the_papers():
    with pytest.raises(InputError, match=r"15×40.*at least 16"):
        UNet(base_channels=2)(torch.zeros(1, 10, 15, 40))
    with pytest.raises(InputError, match="depth is 0"):
        UNet(depth=0)


def test_equals_independent_composition():
    """The same weights in layers put together by hand, on an odd size, give the same scores."""
    torch.manual_seed(0)
    model = UNet(in_channels=10, classes=5, base_channels=3, depth=2)
    weights = iter([p.detach() for p in model.parameters()])

    def conv_bn_relu(x, times):
        for _ in range(times):
            kernel, gain, offset = next(weights), next(weights), next(weights)
            x = functional.conv2d(functional.pad(x, (1, 1, 1, 1)), kernel)
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
    b2 = nn.ReplicationPad2d((0, 0, 0, 0))(functional.conv_transpose2d(c, *ups[0], stride=2))
    b2 = conv_bn_relu(torch.cat([b, nn.ReplicationPad2d((0, b.shape[3] - b2.shape[3], 0,
                                                         b.shape[2] - b2.shape[2]))(b2)], 1), 3)
    a2 = functional.conv_transpose2d(b2, *ups[1], stride=2)
    a2 = nn.ReplicationPad2d((0, a.shape[3] - a2.shape[3], 0, a.shape[2] - a2.shape[2]))(a2)
    a2 = conv_bn_relu(torch.cat([a, a2], 1), 3)
    expected = functional.conv2d(a2, next(weights), next(weights))
    torch.testing.assert_close(model.train()(x), expected, rtol=1e-4, atol=1e-5)


def test_margin_of_the_papers_is_what_it_sees():
    """What lies farther away than the margin does not matter, and the margin is not lavish."""
    model = UNet(base_channels=2, depth=2).eval().double()
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(0.5)  # all positive: no ReLU is shut, every path counts
    size = 2 * model.margin + 40
    x = torch.rand(1, 10, size, 16, dtype=torch.double)
    x[..., ::2, :] += 1  # the four pixels of a pooling differ
    x.requires_grad_()
    radii = []
    for row in range(size // 2, size // 2 + 4):
        (gradient,) = torch.autograd.grad(model(x)[0, :, row, 8].sum(), x)
        seen = np.flatnonzero(gradient.abs().sum((0, 1, 3)).numpy())
        radii += [row - seen.min(), seen.max() - row]
    assert model.margin - 4 <= max(radii) <= model.margin


def test_the_papers_overfits_one_patch():
    torch.manual_seed(0)
    x, target = torch.randn(1, 10, 24, 24), torch.randint(0, 3, (1, 24, 24))
    model, loss = UNet(classes=3, base_channels=8, depth=2), FocalLoss()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        optimiser.zero_grad()
        loss(model(x), target).backward()
        optimiser.step()
    assert (model(x).argmax(1) == target).float().mean() > 0.98


def block(i, o, convolutions=2):
    """Parameters of a block: kernels without bias, and batch normalisation's gain and offset."""
    return 9 * i * o + (convolutions - 1) * 9 * o * o + convolutions * 2 * o


def count(kind, **settings):
    with torch.device("meta"):  # counts without allocating
        return sum(p.numel() for p in kind(**settings).parameters())


@pytest.mark.parametrize(("base", "depth"), [(64, 4), (4, 2), (3, 1)])
def test_parameters_of_the_original(base, depth):
    w = [10, *(base * 2**level for level in range(depth + 1))]
    total = sum(9 * i * o + o + 9 * o * o + o for i, o in pairwise(w))
    for low in w[1:-1]:
        total += 4 * 2 * low * low + low + 9 * 2 * low * low + low + 9 * low * low + low
    assert count(OriginalUNet, base_channels=base, depth=depth) == total + base * CLASSES + CLASSES


@pytest.mark.parametrize(("base", "depth"), [(32, 4), (4, 2), (3, 1)])
def test_parameters_of_plus_plus(base, depth):
    w = [base * 2**level for level in range(depth + 1)]
    total = sum(block(i, o) for i, o in zip([10, *w[:-1]], w, strict=True))
    for level in range(depth):
        for step in range(1, depth - level + 1):  # `step` nodes of the level and one from below
            total += 4 * w[level + 1] * w[level] + w[level] + block((step + 1) * w[level], w[level])
    assert count(UNetPlusPlus, base_channels=base, depth=depth) == total + base * CLASSES + CLASSES


@pytest.mark.parametrize(("base", "depth", "scales"), [(16, 5, 3), (4, 2, 3), (3, 1, 2)])
def test_parameters_of_fcn(base, depth, scales):
    w = [base * 2**level for level in range(depth + 1)]
    total = sum(block(i, o) for i, o in zip([10, *w[:-1]], w, strict=True))
    total += sum(v * CLASSES + CLASSES for v in w[-scales:]) + (scales - 1) * 16 * CLASSES**2
    assert count(FCN, base_channels=base, depth=depth) == total


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(8, 8), (9, 15), (17, 23), (40, 10)])
def test_any_size(kind, size):
    model = kind(base_channels=2, depth=3).eval()
    assert model(torch.zeros(2, 10, *size)).shape == (2, CLASSES, *size)


@pytest.mark.parametrize("kind", KINDS)
def test_too_small_and_bad_settings(kind):
    with pytest.raises(InputError, match=r"7×40.*at least 8"):
        kind(base_channels=2, depth=3)(torch.zeros(1, 10, 7, 40))
    with pytest.raises(InputError, match="base_channels is 0"):
        kind(base_channels=0)


def test_original_equals_independent_composition():
    torch.manual_seed(0)
    model = OriginalUNet(classes=4, base_channels=3, depth=1)
    w = iter([p.detach() for p in model.parameters()])

    def twice(x):
        for _ in range(2):
            x = functional.conv2d(functional.pad(x, (1, 1, 1, 1)), next(w), next(w)).clamp_min(0)
        return x

    x = torch.randn(2, 10, 11, 14)
    a = twice(x)
    b = twice(nn.MaxPool2d(2)(a))
    up = functional.conv_transpose2d(b, next(w), next(w), stride=2)
    up = torch.cat([up, up[:, :, -1:]], dim=2)  # 10 rows to 11
    found = functional.conv2d(twice(torch.cat([a, up], 1)), next(w), next(w))
    torch.testing.assert_close(model(x), found, rtol=1e-5, atol=1e-5)


def test_plus_plus_equals_the_nodes_written_out():
    """Depth 2: the six nodes of the paper's equation 1, one line each."""
    torch.manual_seed(0)
    net = UNetPlusPlus(classes=4, base_channels=3, depth=2).eval()
    x = torch.randn(1, 10, 12, 16)
    pool, cat = nn.MaxPool2d(2), lambda *parts: torch.cat(parts, dim=1)
    x00 = net.encoder[0](x)
    x10 = net.encoder[1](pool(x00))
    x20 = net.encoder[2](pool(x10))
    x01 = net.nodes["0_1"](cat(x00, net.up["0_1"](x10)))
    x11 = net.nodes["1_1"](cat(x10, net.up["1_1"](x20)))
    x02 = net.nodes["0_2"](cat(x00, x01, net.up["0_2"](x11)))
    torch.testing.assert_close(net(x), net.head(x02))


def test_fcn_starts_as_bilinear_interpolation_of_its_scores():
    """Before training, each doubling is torch's bilinear interpolation, except at the edge."""
    net = FCN(classes=3, base_channels=2, depth=3)
    coarse = torch.randn(1, 3, 7, 9)
    expected = functional.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    inner = np.s_[..., 1:-1, 1:-1]
    torch.testing.assert_close(net.up[0](coarse)[inner], expected[inner])


@pytest.mark.parametrize(("kind", "depth"), [(UNet, 2), (OriginalUNet, 2), (UNetPlusPlus, 2),
                                             (FCN, 1), (FCN, 2), (FCN, 3)])
def test_margin_is_what_the_network_sees(kind, depth):
    model = kind(base_channels=1, depth=depth).eval().double()
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(0.5)  # all positive: no ReLU is shut, every path counts
    step = 2**depth
    size = 2 * model.margin + 10 * step
    x = torch.rand(1, 10, size, 2 * step, dtype=torch.double)
    x[..., ::2, :] += 1  # the pixels of a pooling differ
    x.requires_grad_()
    radii = []
    for row in range(size // 2, size // 2 + step):
        (gradient,) = torch.autograd.grad(model(x)[0, :, row, step].sum(), x)
        seen = np.flatnonzero(gradient.abs().sum((0, 1, 3)).numpy())
        radii += [row - seen.min(), seen.max() - row]
    assert model.margin - 2 * step <= max(radii) <= model.margin


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_reaches_every_parameter(kind):
    torch.manual_seed(0)
    model = kind(base_channels=4, depth=2)
    model(torch.randn(2, 10, 19, 22)).square().mean().backward()
    for name, p in model.named_parameters():
        assert p.grad is not None, name
        assert torch.isfinite(p.grad).all(), name
        assert p.grad.abs().max() > 0, name


@pytest.mark.parametrize(("kind", "steps"), [(OriginalUNet, 200), (UNetPlusPlus, 60), (FCN, 120)])
def test_overfits_one_patch(kind, steps):
    """Pieces of 4 × 4 pixels: what a network whose finest scores lie 4 pixels apart can learn."""
    torch.manual_seed(0)
    x = torch.randn(1, 10, 16, 16)
    target = torch.randint(0, 3, (1, 4, 4)).repeat_interleave(4, 1).repeat_interleave(4, 2)
    model, loss = kind(classes=3, base_channels=8, depth=2), FocalLoss()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(model(x), target).backward()
        optimiser.step()
    assert (model(x).argmax(1) == target).float().mean() > 0.98


def test_chosen_by_name():
    smoke = get_config("smoke")
    assert smoke.network == "unet"
    for name, kind in NETWORKS.items():
        model = build(smoke.with_(network=name, convolutions=2))
        assert type(model) is kind
        assert (model.depth, model.convolutions) == (smoke.depth, 2)
    with pytest.raises(InputError, match=r"'resnet'.*unet, unet_original, unet_plus_plus, fcn"):
        smoke.with_(network="resnet")
    with pytest.raises(InputError, match="original U-Net has 2"):
        build(smoke.with_(network="unet_original"))


@pytest.mark.parametrize("name", list(NETWORKS))
def test_file_round_trip(name, tmp_path):
    config = get_config("smoke").with_(network=name, convolutions=2)
    model = build(config).eval()
    save_model(tmp_path / "model.pt", model, Normalisation("per_scene"), config)
    stored = load_model(tmp_path / "model.pt", torch.device("cpu"))
    x = torch.randn(1, 10, 12, 13)
    assert torch.equal(stored.model(x), model(x))
    assert stored.config == config


def test_files_from_before_there_was_a_choice_are_unets(tmp_path):
    path, config = tmp_path / "old.pt", get_config("smoke")
    save_model(path, build(config), Normalisation("per_scene"), config)
    values = torch.load(path, weights_only=True)
    del values["config"]["network"]
    torch.save(values, path)
    stored = load_model(path)
    assert type(stored.model) is UNet
    assert stored.config == config == TrainConfig.from_dict(values["config"])


def test_files_are_for_others_too(tmp_path):
    path, config = tmp_path / "model.pt", get_config("smoke")
    before = os.umask(0o022)
    try:
        save_model(path, build(config), Normalisation("per_scene"), config)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_stages_are_those_of_a_pass():
    model = UNet(base_channels=8, depth=2)
    found = {s.name: s for s in stages(model, patch=21)}
    assert found["input"].shape == (10, 21, 21)
    assert found["bottleneck"].shape == (32, 5, 5)
    assert found["up 1"].shape == (16, 10, 10)
    assert found["decoder 0"].shape == (8, 21, 21)
    assert found["encoder 0"].layers == "3 × (Conv3×3, BN, ReLU)"
    assert sum(s.parameters for s in found.values()) == sum(p.numel() for p in model.parameters())
    assert model.training and not any(m._forward_hooks for m in model.modules())


def test_differences_follow_the_modules():
    table = differences({"first": OriginalUNet(base_channels=4, depth=2),
                         "paper": UNet(base_channels=4, depth=2)})
    assert table["first"]["encoder block"] == "2 × (Conv3×3, ReLU); MaxPool2×2; padding = same"
    assert table["paper"]["decoder block"].endswith("3 × (Conv3×3, BN, ReLU)")
    model = UNet(base_channels=4, depth=2)
    model.head = nn.Conv2d(4, 3, 1)
    assert differences({"x": model})["x"]["output"] == "Conv1×1, 3 classes"
