import pytest
import torch

from lucidmr.enhance import tiling
from lucidmr.enhance.tiling import parts_of
from lucidmr.errors import LucidError


def local(images):
    """A network that looks at direct neighbours only: tiles must not show."""
    smooth = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return torch.cat([images - smooth, smooth, images], 1)


def limited(most):
    """A network that runs out of memory on more pixels than ``most``, with the words that torch uses."""
    calls = []

    def network(images):
        calls.append(images.numel())
        if images.numel() > most:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes.")
        return local(images)

    return network, calls


def test_whole_image_when_memory_suffices():
    images = torch.rand(1, 1, 48, 80)
    assert torch.equal(parts_of(local, images, 16), local(images))


def test_sides_are_padded_to_the_stride_and_cut_back():
    seen = []

    def network(images):
        seen.append(tuple(images.shape))
        return local(images)

    assert parts_of(network, torch.rand(1, 1, 50, 70), 32).shape == (1, 3, 50, 70)
    assert seen == [(1, 1, 64, 96)]


def test_out_of_memory_falls_back_to_tiles_with_the_same_result():
    images = torch.rand(1, 1, 600, 500)
    network, calls = limited(400 * 400)
    expected = local(images)
    assert torch.allclose(parts_of(network, images, 16), expected, atol=1e-6)
    assert len(calls) > 2


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_every_kind_of_out_of_memory_is_known(error):
    raised = []

    def network(images):
        if not raised:
            raised.append(error)
            raise error
        return local(images)

    assert parts_of(network, torch.rand(1, 1, 256, 256), 16).shape == (1, 3, 256, 256)


def test_gives_up_with_one_line_when_the_smallest_tile_does_not_fit():
    network, _ = limited(10)
    with pytest.raises(LucidError, match=r"out of memory on cpu even for tiles of 128 pixels; .*--device cpu"):
        parts_of(network, torch.rand(1, 1, 300, 300), 16)


def test_other_errors_are_not_hidden():
    def network(images):
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        parts_of(network, torch.rand(1, 1, 64, 64), 16)


def test_tiles_cover_every_pixel_once():
    kept = [inner for _, inner in tiling._spans(1000, 300)]
    assert [index for inner in kept for index in range(inner.start, inner.stop)] == list(range(1000))


def test_stacks_become_as_many_parts_as_the_network_has():
    images = torch.rand(1, 7, 300, 280)

    def network(stack):
        if stack.shape[-1] > 256:
            raise MemoryError
        return stack[:, [3, 0, 6, 1]]

    assert torch.equal(parts_of(network, images, 16), images[:, [3, 0, 6, 1]])
