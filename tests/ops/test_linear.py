import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from freqgan.ops.linear import constant, full_precision, linear

MATRIX = torch.randn(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def forward(x: Tensor) -> tuple[Tensor, ...]:
    y = x @ MATRIX.to(x).mT
    return y[..., :1].clone(), y[..., 1:].clone()


def adjoint(first: Tensor, rest: Tensor) -> tuple[Tensor, ...]:
    return (torch.cat((first, rest), dim=-1) @ MATRIX.to(first),)


def test_gradients_of_first_and_second_order() -> None:
    x = torch.randn(2, 5, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: linear(forward, adjoint, x), x)
    assert gradgradcheck(lambda x: linear(forward, adjoint, x), x)


def test_an_unused_output_has_no_part_in_the_gradient() -> None:
    x = torch.randn(5, dtype=torch.float64, requires_grad=True)
    _, rest = linear(forward, adjoint, x)
    rest.sum().backward()
    torch.testing.assert_close(x.grad, MATRIX[1:].sum(0))


def test_the_adjoint_is_what_backward_uses() -> None:
    x = torch.randn(5, dtype=torch.float64, requires_grad=True)
    first, _ = linear(forward, lambda first, rest: (torch.full_like(x, 7.0),), x)
    first.sum().backward()
    assert x.grad is not None
    assert (x.grad == 7).all()


def test_autocast_changes_neither_output_nor_gradients() -> None:
    x = torch.randn(64, 5, requires_grad=True)

    def outcome() -> list[Tensor]:
        outputs = linear(forward, adjoint, x)
        (gradient,) = torch.autograd.grad(outputs[1].square().sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(gradient.square().sum(), x)
        return [*outputs, gradient, second]

    plain = outcome()
    with torch.autocast("cpu", torch.bfloat16):
        inside = outcome()
    for value, expected in zip(inside, plain, strict=True):
        assert value.dtype == torch.float32
        assert torch.equal(value, expected)


def test_full_precision_lifts_and_restores_reduced_matrix_products() -> None:
    matmul = torch.backends.mkldnn.matmul
    kept = matmul.fp32_precision
    matmul.fp32_precision = "bf16"
    try:
        with full_precision("cpu"):
            assert matmul.fp32_precision == "ieee"
        assert matmul.fp32_precision == "bf16"
        with pytest.raises(RuntimeError, match="boom"), full_precision("cpu"):
            raise RuntimeError("boom")
        assert matmul.fp32_precision == "bf16"
    finally:
        matmul.fp32_precision = kept


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_constants_take_the_precision_of_their_partner(dtype: torch.dtype) -> None:
    like = torch.zeros(1, dtype=dtype)
    array = MATRIX.numpy()
    assert constant(array, like).dtype == dtype
    assert constant(array + 0j, like).dtype == dtype.to_complex()
    assert constant(array, like.to("meta")).is_meta
