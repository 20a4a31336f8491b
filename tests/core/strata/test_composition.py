"""Strata composed into images: restarts, features, gradients, batches and precision."""

from __future__ import annotations

import pytest
import torch
from ganstrata import Generator, ModelCard, Pass, PluginConfig, State, Stratum, Stream, render
from ganstrata.core.errors import LayerError, PluginBroken, ShapeError
from ganstrata.core.strata.composition import first_reader
from torch import Tensor


class Ladder(Generator):
    """A generator in which one stratum reads no layer and two share a layer."""

    reads = (0, 1, None, 1, 2, 3)

    def __init__(
        self,
        config: PluginConfig = PluginConfig(),  # noqa: B008 - frozen
        device: torch.device = torch.device("cpu"),  # noqa: B008 - frozen
    ) -> None:
        super().__init__(config, device)
        self.card = ModelCard("ladder", resolution=4, layers=4, code_size=3, latent_size=3)
        self.strata = tuple(
            Stratum(f"s{s}", layer, 4, is_feature=layer != 3) for s, layer in enumerate(self.reads)
        )
        self.ran: list[int] = []

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        self.ran.append(s)
        x = torch.zeros(4, 4).expand(1, 3, 4, 4) if state.x is None else state.x
        gain = torch.ones(1, 3) if code is None else code
        return State(torch.tanh(1.1 * x + 0.5 * gain[:, :, None, None] + 0.1 * s))

    def finish(self, state: State) -> Tensor:
        assert state.x is not None
        return state.x


class Opaque(Generator):
    """One network that cannot be cut: one stratum, L = 1."""

    def __init__(self) -> None:
        super().__init__(PluginConfig(), torch.device("cpu"))
        self.card = ModelCard("opaque", resolution=2, layers=1, code_size=12, latent_size=12)
        self.strata = (Stratum("all", 0, 2, is_feature=False),)

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        assert code is not None
        return State(code.view(-1, 3, 2, 2).sigmoid())

    def finish(self, state: State) -> Tensor:
        assert state.x is not None
        return state.x


def codes_of(generator: Generator, n: int, start: int = 0) -> Tensor:
    return generator.broadcast(generator.map(generator.sample(n, 0, start, Stream.PROBING).z))


def moved(codes: Tensor, layers: tuple[int, ...]) -> Tensor:
    codes = codes.clone()
    codes[:, list(layers)] += 0.5
    return codes


@pytest.mark.parametrize("layers", [(0,), (1,), (2,), (3,), (1, 3), (0, 1, 2, 3)])
def test_restart_equals_full_pass_and_runs_only_what_is_behind_the_edit(layers: tuple[int, ...]) -> None:
    generator = Ladder()
    codes = codes_of(generator, 3)
    done = Pass(generator, codes, restarts=range(6))
    generator.ran.clear()
    edited = done.edited(moved(codes, layers), layers).images
    assert generator.ran == list(range(Ladder.reads.index(layers[0]), 6))
    assert torch.equal(edited, render(generator, moved(codes, layers)))
    assert not torch.equal(edited, done.rendering.images)


@pytest.mark.parametrize(
    "layers",
    [*((layer,) for layer in range(10)), (0, 1), (2, 3), (4, 5, 6, 7), (8, 9), (1, 8), tuple(range(10))],
)
def test_restart_equals_full_pass_on_the_bundled_model(rooms: Generator, layers: tuple[int, ...]) -> None:
    codes = codes_of(rooms, 2)
    done = Pass(rooms, codes, restarts=[first_reader(rooms, layers)])
    edited = done.edited(moved(codes, layers), layers).images
    assert torch.equal(edited, render(rooms, moved(codes, layers)))
    assert (edited - done.rendering.images).abs().max() > 1e-3
    assert torch.equal(done.edited(codes, layers).images, done.rendering.images), (
        "an edit that changes nothing"
    )


def test_a_pass_can_be_edited_again_and_again() -> None:
    generator = Ladder()
    codes = codes_of(generator, 2)
    done = Pass(generator, codes, restarts=[1, 4], features=[0, 4])
    first = done.edited(moved(codes, (2,)), (2,))
    done.edited(moved(codes, (1, 2)), (1, 2))
    again = done.edited(moved(codes, (2,)), (2,))
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.features[4], again.features[4])


def test_an_edit_restarts_from_the_last_stored_state_before_it() -> None:
    generator = Ladder()
    codes = codes_of(generator, 2)
    done = Pass(generator, codes, restarts=[1, 3])
    generator.ran.clear()
    done.edited(codes, (2,))  # first read by stratum 4
    assert generator.ran == [3, 4, 5]
    with pytest.raises(LayerError, match="no state is stored at or before stratum 0"):
        done.edited(codes, (0,))


def test_layers_that_no_stratum_reads() -> None:
    with pytest.raises(LayerError, match=r"reads layers \[7\]"):
        first_reader(Ladder(), (7,))


def test_opaque_generator_renders_edits_and_has_one_layer() -> None:
    generator = Opaque()
    codes = codes_of(generator, 3)
    assert codes.shape == (3, 1, 12)
    done = Pass(generator, codes, restarts=[0])
    assert done.rendering.images.shape == (3, 3, 2, 2)
    assert torch.equal(
        done.edited(moved(codes, (0,)), (0,)).images, (codes[:, 0] + 0.5).view(3, 3, 2, 2).sigmoid()
    )


def test_features_on_request_only() -> None:
    generator = Ladder()
    codes = codes_of(generator, 2)
    assert Pass(generator, codes).rendering.features == {}
    rendering = Pass(generator, codes, features=[1, 4]).rendering
    assert sorted(rendering.features) == [1, 4]
    assert rendering.features[1].shape == (2, 3, 4, 4)


def test_features_of_an_edit_are_those_of_a_full_pass(rooms: Generator) -> None:
    codes = codes_of(rooms, 2)
    wanted = [s for s, stratum in enumerate(rooms.strata) if stratum.is_feature]
    done = Pass(rooms, codes, features=wanted, restarts=[first_reader(rooms, (4,))])
    edited = done.edited(moved(codes, (4,)), (4,)).features
    full = Pass(rooms, moved(codes, (4,)), features=wanted).rendering.features
    assert sorted(edited) == sorted(full) == wanted
    assert all(torch.equal(edited[s], full[s]) for s in wanted)
    sizes = [rooms.strata[s].size for s in wanted]
    assert [full[s].shape[-1] for s in wanted] == sizes


def test_gradients_reach_every_layer_of_the_codes(rooms: Generator) -> None:
    codes = codes_of(rooms, 1).clone().requires_grad_()
    render(rooms, codes).square().mean().backward()
    assert codes.grad is not None
    assert bool((codes.grad.abs().amax(dim=2) > 0.0).all())


def test_gradient_is_the_slope_of_the_image() -> None:
    generator = Opaque()
    codes = codes_of(generator, 1).double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda c: generator.finish(generator.stratum(0, State(None), c[:, 0])), codes
    )
    (slope,) = torch.autograd.grad(render(generator, codes).sum(), codes)
    value = codes.detach().sigmoid()
    assert torch.allclose(slope, value * (1.0 - value), atol=1e-6)


def test_a_batch_does_not_change_an_image(rooms: Generator) -> None:
    codes = codes_of(rooms, 5)
    together = render(rooms, codes)
    alone = torch.cat([render(rooms, codes[i : i + 1]) for i in range(5)])
    assert (together - alone).abs().max() < 1e-5
    shuffled = render(rooms, codes[[3, 0, 4, 1, 2]])
    assert (shuffled - together[[3, 0, 4, 1, 2]]).abs().max() < 1e-5


def test_half_precision_is_near_and_comes_back_as_float32(rooms: Generator) -> None:
    codes = codes_of(rooms, 2)
    full = Pass(rooms, codes)
    half = Pass(rooms, codes, precision="bf16", features=[0], restarts=[0])
    assert half.rendering.images.dtype == torch.float32
    assert half.rendering.features[0].dtype == torch.bfloat16, "it was not computed in half precision at all"
    difference = (half.rendering.images - full.rendering.images).abs()
    assert 0.0 < float(difference.mean()) < 0.02
    edited = half.edited(moved(codes, (0,)), (0,)).images
    assert torch.equal(edited, render(rooms, moved(codes, (0,)), precision="bf16"))


@pytest.mark.parametrize("shape", [(2, 3), (2, 4, 4), (2, 5, 3), (4, 3), (1, 2, 4, 3)])
def test_codes_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"codes passed to render: expected \(N, L=4, D=3\)"):
        render(Ladder(), torch.zeros(shape))


@pytest.mark.parametrize("shape", [(3, 4, 3), (2, 4, 2), (2, 3)])
def test_edited_codes_of_another_shape(shape: tuple[int, ...]) -> None:
    generator = Ladder()
    done = Pass(generator, codes_of(generator, 2), restarts=[0])
    with pytest.raises(ShapeError, match=r"edited codes: expected \(N=2, L=4, D=3\)"):
        done.edited(torch.zeros(shape), (0,))


def test_images_of_another_shape_name_the_generator() -> None:
    class Grey(Ladder):
        def finish(self, state: State) -> Tensor:
            return super().finish(state)[:, :1]

    class Two(Ladder):
        def finish(self, state: State) -> Tensor:
            return super().finish(state)[:, :2]

    with pytest.raises(PluginBroken, match=r"Grey: finish returned pictures .* its card says channels=3"):
        render(Grey(), codes_of(Ladder(), 2))
    with pytest.raises(
        ShapeError, match=r"Two: images returned by finish: expected \(N=2, 3, H, W\), got \(2, 2, 4, 4\)"
    ):
        render(Two(), codes_of(Ladder(), 2))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cpu_and_cuda_agree(rooms: Generator) -> None:
    import ganstrata

    device = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cuda")
    codes = codes_of(rooms, 4)
    tf32 = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        images = render(device, codes.cuda()).cpu()
    finally:
        torch.backends.cudnn.allow_tf32 = tf32
    assert (images - render(rooms, codes)).abs().max() < 1e-3
