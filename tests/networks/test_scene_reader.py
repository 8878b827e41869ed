import pytest
import torch

from freqgan.networks import SceneReader
from freqgan.networks.scene_reader import CELLS


@pytest.fixture
def reader() -> SceneReader:
    torch.manual_seed(0)
    return SceneReader(colors=3, kinds=4, backgrounds=5, patterns=2, channels=4).eval()


@pytest.mark.parametrize("size", [16, 64, 100])
def test_what_is_read_of_images_of_any_size(reader: SceneReader, size: int) -> None:
    found = reader(torch.rand(2, 3, size, size))
    assert found.cell_color.shape == (2, 4, CELLS, CELLS)
    assert found.cell_kind.shape == (2, 4, CELLS, CELLS)
    assert found.present.shape == found.large.shape == (2, 3)
    assert found.kind.shape == (2, 3, 4)
    assert found.place.shape == (2, 3, 2)
    assert (found.background.shape, found.pattern.shape) == ((2, 5), (2, 2))


def test_a_place_is_that_of_the_cells_that_show_the_colour(reader: SceneReader) -> None:
    # A convolution of one that passes red through, however wide the network is inside.
    torch.nn.init.zeros_(reader.about.weight)
    torch.nn.init.zeros_(reader.about.bias)

    def shown(module: object, inputs: object, cells: torch.Tensor) -> torch.Tensor:
        logits = torch.full_like(cells, -20.0)
        logits[:, 0] = 20.0
        logits[:, 2, 12, 3], logits[:, 0, 12, 3] = 20.0, -20.0
        return logits

    reader.cell_color.register_forward_hook(shown)
    place = reader(torch.rand(1, 3, 64, 64)).place[0, 1]
    torch.testing.assert_close(place, torch.tensor([3.5 / CELLS, 12.5 / CELLS]), rtol=0, atol=1e-3)


def test_every_weight_takes_a_gradient_and_images_are_read_alone(reader: SceneReader) -> None:
    images = torch.rand(3, 3, 32, 32)
    torch.stack([part.square().sum() for part in reader(images)]).sum().backward()
    assert [name for name, weight in reader.named_parameters() if weight.grad is None or not weight.grad.any()] == []
    with torch.no_grad():
        torch.testing.assert_close(reader(images[1:2]).present, reader(images).present[1:2])
