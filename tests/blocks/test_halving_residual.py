import torch
import torch.nn.functional as F

from freqgan.blocks import HalvingResidual


def test_it_is_two_convolutions_beside_a_mean() -> None:
    torch.manual_seed(0)
    block = HalvingResidual(3, 5).eval()
    x = torch.randn(2, 3, 8, 6)
    first, norm, _, second, other = block.body
    body = other(second(F.relu(norm(first(x)))))
    beside = F.conv2d(F.avg_pool2d(x, 2), block.shortcut[1].weight, block.shortcut[1].bias)
    torch.testing.assert_close(block(x), F.relu(body + beside))
    assert block(x).shape == (2, 5, 4, 3)


def test_gradients_reach_every_weight() -> None:
    block = HalvingResidual(2, 4)
    block(torch.randn(3, 2, 4, 4)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in block.parameters())
