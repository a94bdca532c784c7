import pytest
import torch

from lucidmr.physics.averages import box_mean


def noise(seed=1, shape=(96, 80)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_mean_counts_what_is_in_the_box_and_exists():
    image = noise()
    means = box_mean(image, (2, 3))
    for freq, phase in ((0, 0), (1, 40), (50, 79), (40, 40)):
        box = image[max(0, freq - 2) : freq + 3, max(0, phase - 3) : phase + 4]
        assert float(means[freq, phase]) == pytest.approx(float(box.mean()), abs=1e-6)
    assert torch.allclose(box_mean(image, (2, 3), 2), box_mean(means, (2, 3)), atol=1e-6)
    assert torch.equal(box_mean(image, (0, 0)), image)
