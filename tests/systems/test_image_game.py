import pytest
import torch

from freqgan.systems.image_game import accuracy


@pytest.mark.parametrize("relative", [True, False])
def test_accuracy_counts_images_on_their_side(relative: bool) -> None:
    real, fake = torch.tensor([3.0, 1.0]), torch.tensor([2.0, 1.0])
    # Against the others' means of 1.5 and 2, one real and one generated image are on their side; against 0, both reals.
    assert accuracy(real, fake, relative=relative).item() == 0.5
    assert accuracy(real + 9, fake, relative=relative).item() == (1.0 if relative else 0.5)
