from typing import Any

import pytest
import torch
import torch.nn.functional as F

from freqgan.networks.text_stages import ChannelGLU

FORMATS: list[Any] = [torch.contiguous_format, torch.channels_last]


@pytest.mark.parametrize("memory_format", FORMATS)
def test_a_gate_is_pytorch_s_and_its_gradient_keeps_the_memory_format(memory_format: Any) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 6, 4, 5).double().contiguous(memory_format=memory_format).requires_grad_()
    ours, wanted = ChannelGLU()(x), F.glu(x, 1)
    torch.testing.assert_close(ours, wanted)
    assert ours.is_contiguous(memory_format=memory_format)
    weight = torch.randn_like(ours)
    (gradient,) = torch.autograd.grad((ours * weight).sum(), x)
    torch.testing.assert_close(gradient, torch.autograd.grad((wanted * weight).sum(), x)[0])
    assert gradient.is_contiguous(memory_format=memory_format)
