import tracemalloc
from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from freqgan.ops import resample
from freqgan.ops.resample import Kernel, mirrored, reach, resize


def _bytes(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))


def _cubic(x: Fraction) -> Fraction:
    x = abs(x)
    if x <= 1:
        return Fraction(3, 2) * x**3 - Fraction(5, 2) * x**2 + 1
    return -Fraction(1, 2) * x**3 + Fraction(5, 2) * x**2 - 4 * x + 2 if x <= 2 else Fraction(0)


def _reference_line(line: list[int], new: int) -> list[int]:
    """One axis of uint8 `imresize`, in whole fractions, written from the published `contributions`."""
    scale = Fraction(new, len(line))
    shrink = min(scale, Fraction(1))
    width = 4 / shrink
    pixels = []
    for x in range(1, new + 1):
        centre = x / scale + Fraction(1, 2) * (1 - 1 / scale)
        left = floor(centre - width / 2)
        places = range(left, left + ceil(width) + 2)
        weights = [shrink * _cubic(shrink * (centre - place)) for place in places]
        both_ways = line + line[::-1]
        total = sum(w * both_ways[(place - 1) % len(both_ways)] for w, place in zip(weights, places, strict=True))
        pixels.append(min(max(floor(total / sum(weights) + Fraction(1, 2)), 0), 255))
    return pixels


def _reference(image: Tensor, height: int, width: int) -> Tensor:
    rows = image.mT.tolist()
    down = torch.tensor([_reference_line(column, height) for column in rows]).mT
    return torch.tensor([_reference_line(row, width) for row in down.tolist()], dtype=torch.uint8)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((16, 24), (4, 6)),
        ((12, 9), (4, 3)),
        ((10, 6), (5, 3)),
        ((16, 16), (2, 2)),
        ((3, 5), (12, 20)),
        ((4, 3), (12, 9)),
    ],
)
def test_bytes_are_those_of_the_published_algorithm(old: tuple[int, int], new: tuple[int, int]) -> None:
    for seed in range(3):
        image = _bytes(*old, seed=seed)
        assert torch.equal(resize(image, new), _reference(image, *new))


def test_values_by_hand() -> None:
    # A step reduced by 4. At 1/8, 3/8 … 15/8 the kernel is 987, 735, 399, 111, -49, -75, -45, -15 of 1024: in sum
    # 2048, and with a quarter of each, half of the whole. A new pixel whose centre lies two old ones beside the step
    # has 399 + 111 - 49 - 75 - 45 - 15 = 326 of 4096 from across it, 20.3 of 255; the next one -60, so less than 0.
    step = torch.tensor([[0] * 8 + [255] * 8], dtype=torch.uint8)
    assert resize(step, (1, 4)).tolist() == [[0, 20, 235, 255]]
    # Half-way between two bytes goes up, where rounding to even would give 126.
    assert resize(torch.tensor([[126, 127], [126, 127]], dtype=torch.uint8), (2, 1)).tolist() == [[127], [127]]
    flat = torch.full((7, 5), 93, dtype=torch.uint8)
    assert (resize(flat, (3, 4)) == 93).all()


def test_it_rounds_between_the_axes() -> None:
    image = _bytes(64, 64)
    once = resize(image.double(), 0.25).add(0.5).floor().clamp(0, 255)
    difference = (resize(image, 0.25).double() - once).abs()
    assert difference.max() == 1
    assert 0.05 < difference.mean() < 0.5


def test_the_axis_that_shrinks_more_comes_first() -> None:
    image = _bytes(32, 32)
    transposed_result = resize(image.mT.contiguous(), (16, 4)).mT
    assert torch.equal(resize(image, (4, 16)), transposed_result)
    assert not torch.equal(resize(image, 0.25), resize(image.mT.contiguous(), 0.25).mT)


@pytest.mark.parametrize("factor", [2, 3, 4, 6, 8])
def test_a_part_becomes_the_same_part(factor: int) -> None:
    image = _bytes(3, 24 * factor, 20 * factor)
    margin = ceil(reach(1 / factor) / factor)
    part = image[:, 5 * factor : 19 * factor, 3 * factor :]
    inner = resize(part, (14, 17))[:, margin : 14 - margin, margin:]
    assert torch.equal(inner, resize(image, (24, 20))[:, 5 + margin : 19 - margin, 3 + margin :])


def test_the_inside_is_that_of_pillow() -> None:
    image = np.random.default_rng(0).random((48, 64), np.float32)
    for kernel, pillow in {"bicubic": "BICUBIC", "bilinear": "BILINEAR", "box": "BOX", "lanczos3": "LANCZOS"}.items():
        theirs = np.asarray(Image.fromarray(image).resize((16, 12), Image.Resampling[pillow]))
        ours = resize(torch.from_numpy(image), (12, 16), kernel=kernel).numpy()
        np.testing.assert_allclose(ours[3:-3, 3:-3], theirs[3:-3, 3:-3], atol=1e-5)


def test_shapes_and_dtypes() -> None:
    assert resize(torch.zeros(2, 3, 5, 7), (10, 3)).shape == (2, 3, 10, 3)
    assert resize(torch.zeros(321, 481), 1 / 3).shape == (107, 161)
    assert resize(torch.zeros(2, 3), 2).shape == (4, 6)
    assert resize(_bytes(1, 1), (3, 2)).unique().numel() == 1
    assert resize(torch.zeros(4, 4, dtype=torch.bfloat16), 0.5).dtype == torch.float32
    assert resize(torch.zeros(4, 4, dtype=torch.float64), 0.5).dtype == torch.float64
    assert resize(_bytes(8, 8), 0.5).dtype == torch.uint8


def test_autocast_does_not_lower_the_precision() -> None:
    image = torch.rand(1, 3, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = resize(image, 0.5)
    assert torch.equal(inside, resize(image, 0.5))


@pytest.mark.parametrize("kernel", ["nearest", "box", "bilinear", "bicubic", "lanczos2", "lanczos3"])
def test_kernels_keep_flat_images_and_lines(kernel: Kernel) -> None:
    torch.testing.assert_close(resize(torch.ones(9, 7), (4, 15), kernel=kernel), torch.ones(4, 15))
    ramp = torch.arange(32.0).expand(2, 32)
    inside = resize(ramp, (2, 16), kernel=kernel)[0, 4:12]
    if kernel != "nearest":
        torch.testing.assert_close(inside, torch.arange(8.5, 24, 2), atol=1e-4, rtol=0)


def test_nearest_and_box() -> None:
    image = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    assert resize(image, (1, 2), kernel="box").tolist() == [[1.5, 3.5]]
    assert set(resize(image, (1, 2), kernel="nearest").flatten().tolist()) <= {1.0, 2.0, 3.0, 4.0}
    assert resize(image, (2, 8), kernel="nearest").tolist() == [[1, 1, 2, 2, 3, 3, 4, 4]] * 2


def test_without_antialiasing_only_near_pixels_count() -> None:
    image = torch.zeros(1, 16)
    image[0, 4] = 1.0
    assert resize(image, (1, 4), antialias=False)[0, 0] == 0
    assert resize(image, (1, 4))[0, 0] > 0.05


def test_gradients_of_first_and_second_order() -> None:
    image = torch.rand(2, 6, 5, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: resize(x, (3, 9)), image)
    assert gradgradcheck(lambda x: resize(x, (3, 9)) ** 2, image)


def test_reach() -> None:
    image = torch.zeros(1, 64, dtype=torch.float64)
    for kernel in ("box", "bilinear", "bicubic", "lanczos3"):
        for scale in (0.25, 0.5, 3.0):
            centre = (8 / scale - 1 / scale) + 0.5 * (1 / scale - 1)  # of new pixel 7, counted from 0
            touched = [
                place
                for place in range(64)
                if resize(image.index_fill(1, torch.tensor(place), 1.0), (1, int(64 * scale)), kernel=kernel)[0, 7] != 0
            ]
            assert max(abs(place - centre) for place in touched) <= reach(scale, kernel=kernel)


def test_mirrored_repeats_the_edge() -> None:
    line = np.array([3, 5, 8])
    assert line[mirrored(np.arange(-7, 10), 3)].tolist() == np.pad(line, 7, mode="symmetric").tolist()


def test_nothing_is_left() -> None:
    with pytest.raises(ValueError, match="would become 0"):
        resize(torch.zeros(3, 3), (0, 2))


@pytest.mark.parametrize("size", [(3, 9), (13, 2)])
def test_long_axes_take_another_way_to_the_same_values(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    image = torch.rand(2, 3, 6, 5, dtype=torch.float64, requires_grad=True)
    short = resize(image, size)
    monkeypatch.setattr(resample, "_LARGEST", 0)
    torch.testing.assert_close(resize(image, size), short)
    torch.testing.assert_close(resize(image.float(), size), short.float())
    assert gradcheck(lambda x: resize(x, size), image)
    assert gradgradcheck(lambda x: resize(x, size) ** 2, image)


def test_a_long_axis_takes_little_memory() -> None:
    line = torch.rand(1, 1, 2, 4000)
    tracemalloc.start()
    enlarged = resize(line, 4)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**24  # a dense matrix has half a gigabyte
    torch.testing.assert_close(enlarged[..., 400:800], resize(line[..., 90:210], 4)[..., 40:440])
