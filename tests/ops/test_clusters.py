import numpy as np
import torch

from freqgan.ops.clusters import centres


def found(vectors: torch.Tensor, count: int, seed: int = 0) -> torch.Tensor:
    return centres(vectors, count, random=np.random.default_rng(seed))


def test_heaps_far_apart_are_found_whatever_the_start() -> None:
    middles = torch.tensor([[-0.9, 0.0, 0.3], [-0.2, 0.8, 0.1], [0.1, -0.7, 0.5], [0.9, 0.9, 0.9]])
    noise = torch.randn(4, 30, 3, generator=torch.Generator().manual_seed(0)) * 0.01
    heaps = middles.unsqueeze(1) + noise
    shuffled = heaps.flatten(0, 1)[torch.randperm(120, generator=torch.Generator().manual_seed(1))]
    for seed in range(5):
        torch.testing.assert_close(found(shuffled, 4, seed), heaps.mean(1), rtol=0, atol=1e-5)


def test_fewer_vectors_than_clusters_are_their_own() -> None:
    vectors = torch.tensor([[0.5, 1.0], [0.0, 2.0], [0.5, 1.0]])
    assert torch.equal(found(vectors, 10), torch.tensor([[0.0, 2.0], [0.5, 1.0]]))
    assert torch.equal(found(vectors[:1], 1), vectors[:1])


def test_the_same_seed_finds_the_same() -> None:
    vectors = torch.rand(200, 3, generator=torch.Generator().manual_seed(2))
    once = found(vectors, 10)
    assert torch.equal(found(vectors, 10), once)
    assert once.shape == (10, 3)
    assert once.dtype == vectors.dtype
    distances = torch.cdist(vectors, once).amin(1).square().mean()
    assert distances < 0.25 * vectors.var(0, correction=0).sum()
