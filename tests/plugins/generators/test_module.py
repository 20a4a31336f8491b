"""Modules of users as generators: what they give, and that it is what they give by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from closeness import assert_near
from ganstrata import Generator, Pass, Stream, render
from ganstrata.core.checkpoints.detect import candidates, read_checkpoint
from ganstrata.core.errors import DataError
from own_models import CHAIN, Chain, Direct, Rows, Styled, Z
from safetensors.torch import save_file
from torch import Tensor, nn

SHAPED = {"size": Z, "shape": [Z, 1, 1]}
STYLED: dict[str, Any] = {"target": "own_models:Styled", "latent": {"size": Z}, "output": {"item": "picture"}}
CODES = {**STYLED, "mapping": "mapping", "codes": ["low", "middle", "high"]}


def load(**config: Any) -> Generator:
    return ganstrata.load_generator("module", device="cpu", **config)


def chain(**config: Any) -> Generator:
    return load(**{"target": "own_models:Chain", "latent": SHAPED, **config})


def own(kind: type[nn.Module], **arguments: Any) -> nn.Module:
    """The module that the plugin has, made by hand."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return kind(**arguments).eval()


def draw(generator: Generator, n: int = 4) -> tuple[Tensor, Tensor | None, Tensor]:
    latents = generator.sample(n, 0, 0, Stream.PROBING)
    return latents.z, latents.condition, generator.broadcast(generator.map(latents.z, latents.condition))


def trained(path: Path, module: nn.Module, seed: int = 3) -> dict[str, Tensor]:
    """A state dict with other weights than the constructor's, in a file."""
    torch.manual_seed(seed)
    tensors = {
        name: value + 0.05 * torch.rand_like(value) if value.is_floating_point() else value
        for name, value in module.state_dict().items()
    }
    torch.save(tensors, path)
    return tensors


def test_a_module_with_its_weights_gives_the_modules_pictures(tmp_path: Path) -> None:
    module = own(Chain, width=7)
    module.load_state_dict(trained(tmp_path / "a.pt", module))
    generator = chain(arguments={"width": 7}, checkpoint=str(tmp_path / "a.pt"))
    z, _, codes = draw(generator)
    assert_near(render(generator, codes), (module(z[:, :, None, None]) + 1.0) / 2.0)
    card = generator.card
    assert (card.resolution, card.layers, card.code_size, card.latent_size, card.family) == (
        8,
        1,
        Z,
        Z,
        "Chain",
    )
    assert (card.sha256, card.source) == (read_checkpoint(tmp_path / "a.pt").sha256, "a.pt")
    assert generator.space == "z"
    assert [s.reads for s in generator.strata] == [0]


def test_the_fingerprint_is_of_the_weights_and_not_of_the_file(tmp_path: Path) -> None:
    tensors = trained(tmp_path / "a.pt", own(Chain))
    save_file(tensors, tmp_path / "a.safetensors")
    trained(tmp_path / "b.pt", own(Chain), seed=4)
    one, same, other = (
        chain(checkpoint=str(tmp_path / name)).fingerprint for name in ("a.pt", "a.safetensors", "b.pt")
    )
    assert one == same
    assert one != other


def test_without_a_checkpoint_the_constructor_decides_and_is_the_same_everywhere() -> None:
    torch.manual_seed(1)
    one = chain()
    torch.manual_seed(2)
    before = torch.random.get_rng_state()
    other = chain()
    assert torch.equal(torch.random.get_rng_state(), before), (
        "loading leaves the caller's random numbers alone"
    )
    assert one.fingerprint == other.fingerprint
    assert torch.equal(render(one, draw(one)[2]), render(other, draw(other)[2]))


def test_a_function_may_return_the_module() -> None:
    assert (
        load(target="own_models:make", arguments={"width": 3}, latent=SHAPED).network.first.out_channels == 3
    )  # type: ignore[attr-defined]


def test_a_file_may_import_those_beside_it(tmp_path: Path) -> None:
    (tmp_path / "sizes_of_mine.py").write_text("WIDTH = 4\n")
    (tmp_path / "mine.py").write_text(
        "import own_models\nfrom sizes_of_mine import WIDTH\nclass G(own_models.Chain):\n    pass\n"
    )
    generator = load(target=f"{tmp_path / 'mine.py'}:G", latent=SHAPED)
    assert torch.equal(render(generator, draw(generator)[2]), render(chain(), draw(chain())[2]))


@pytest.mark.parametrize("colours", [1, 4])
def test_grey_and_alpha_are_kept(colours: int) -> None:
    generator = chain(arguments={"colours": colours}, background="black")
    z, _, codes = draw(generator)
    images = render(generator, codes)
    assert images.shape == (4, colours, 8, 8)
    assert (generator.card.channels, generator.card.background) == (colours, "#000000")
    assert_near(images, (own(Chain, colours=colours)(z[:, :, None, None]) + 1.0) / 2.0)
    rgb = ganstrata.Pass(generator, codes).rendering.images
    on_black = images[:, :3] * images[:, 3:].clamp(0.0, 1.0)
    assert_near(rgb, images.expand(-1, 3, -1, -1) if colours == 1 else on_black)


def test_methods_arguments_items_and_ranges_are_taken_from_the_config() -> None:
    by_item = load(**STYLED, call={"arguments": {"gain": 0.5}})
    z, _, codes = draw(by_item)
    module = own(Styled)
    assert_near(render(by_item, codes), (module(z, gain=0.5)["picture"] + 1.0) / 2.0)
    by_method = load(
        target="own_models:Styled",
        latent={"size": Z, "argument": "z"},
        call={"method": "images"},
        output={"range": [-2.0, 2.0]},
    )
    assert torch.allclose(render(by_method, codes), (module.images(z) + 2.0) / 4.0, atol=1e-6)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("prior", "low", "high", "mean", "spread"),
    [
        ({}, -9.0, 9.0, 0.0, 1.0),
        ({"prior": "uniform"}, -1.0, 1.0, 0.0, 3**-0.5),
        ({"prior": "uniform", "low": 1.0, "high": 5.0}, 1.0, 5.0, 3.0, 2.0 / 3**0.5),
        ({"prior": "truncated", "scale": 0.5}, -1.0, 1.0, 0.0, 0.4398),
    ],
)
def test_priors_have_their_mean_and_spread(
    prior: dict[str, Any], low: float, high: float, mean: float, spread: float
) -> None:
    generator = chain(latent={**SHAPED, **prior})
    z = generator.sample(2000, 5, 0, Stream.PROBING).z
    assert z.shape == (2000, Z)
    assert low <= z.min() < z.max() <= high
    assert abs(float(z.mean()) - mean) < 0.05 * spread
    assert abs(float(z.std()) / spread - 1.0) < 0.02
    assert torch.equal(generator.sample(3, 5, 1100, Stream.PROBING).z, z[1100:1103]), (
        "a sample depends on its index alone"
    )
    assert not torch.equal(generator.sample(3, 5, 1100, Stream.EDITING).z, z[1100:1103])


def test_strata_give_features_and_the_same_picture() -> None:
    whole, cut = chain(), chain(strata=CHAIN)
    codes = draw(whole)[2]
    done = Pass(cut, codes, features=[0, 1, 2, 3, 4])
    assert torch.equal(done.rendering.images, render(whole, codes))
    module = own(Chain)
    x = codes[:, 0, :, None, None]
    for i, name in enumerate(CHAIN[:-1]):
        x = module.get_submodule(name)(x.clone())
        # Behind `norm` stands a module that writes into what it is given: what was handed out must stay.
        assert_near(done.rendering.features[i], x)
    assert [(s.name, s.reads, s.size, s.is_feature) for s in cut.strata] == [
        ("first", 0, 4, True), ("norm", None, 4, True), ("act", None, 4, True), ("blocks", None, 4, True),
        ("last", None, 8, True), ("tanh", None, 8, False),
    ]  # fmt: skip


def test_numbers_name_the_parts_of_a_sequence(tmp_path: Path) -> None:
    (tmp_path / "seq.py").write_text(
        "from own_models import *\nG = lambda: nn.Sequential(*Chain().children())\n"
    )
    generator = load(target=f"{tmp_path / 'seq.py'}:G", latent=SHAPED, strata=[0, 1, 2, 3, 4, 5])
    assert torch.equal(render(generator, draw(generator)[2]), render(chain(), draw(chain())[2]))


def test_a_restart_in_a_chain_gives_the_whole_pass() -> None:
    generator = chain(strata=CHAIN)
    codes = draw(generator)[2]
    done = Pass(generator, codes, restarts=[0, 2, 4])
    assert torch.equal(done.edited(codes + 0.3, [0]).images, render(generator, codes + 0.3))
    assert torch.equal(done.edited(codes, [0]).images, done.rendering.images)


def test_a_mapping_network_gives_w() -> None:
    generator = load(**STYLED, mapping="mapping")
    z, _, codes = draw(generator)
    module = own(Styled)
    assert generator.space == "w"
    assert_near(generator.map(z), module.mapping(z))  # type: ignore[operator]
    assert_near(render(generator, codes), (module(z)["picture"] + 1.0) / 2.0)
    assert generator.card.layers == 1


def layerwise(module: Styled, codes: Tensor) -> Tensor:
    """The pictures of a style-based network with another w at each layer, by hand."""
    module.styles = lambda z, y: list(codes.unbind(1))  # type: ignore[method-assign]
    return (module(codes[:, 0])["picture"] + 1.0) / 2.0


@pytest.mark.parametrize("kind", ["listed", "rows"])
def test_codes_of_each_layer_arrive_where_they_belong(kind: str) -> None:
    """Any codes give what the network gives with them.

    Sub-modules are listed, or a mapping returns a row per layer.
    """
    generator = (
        load(**CODES)
        if kind == "listed"
        else load(**{**STYLED, "target": "own_models:Rows"}, mapping="mapping")
    )
    module = own(Styled) if kind == "listed" else own(Rows)
    assert isinstance(module, Styled)
    assert generator.card.layers == 3
    torch.manual_seed(0)
    codes = torch.randn(4, 3, Z)
    images = render(generator, codes)
    assert_near(images, layerwise(module, codes))
    done = Pass(generator, codes, restarts=[0, 1, 2])
    for layers in ([0], [1], [2], [0, 2], [0, 1, 2]):
        edited = codes.clone()
        edited[:, layers] += 1.0
        moved = done.edited(edited, layers).images
        assert_near(moved, layerwise(module, edited))
        assert not torch.allclose(moved, images, atol=1e-3)


def test_layers_may_share_sub_modules_and_keep_their_order() -> None:
    generator = load(**{**CODES, "codes": ["high", ["low", "middle"]]})
    codes = draw(generator)[2] + torch.tensor([0.0, 1.0])[:, None]
    assert [s.name for s in generator.strata] == ["high", "low+middle", "Styled"]
    assert_near(render(generator, codes), layerwise(own(Styled), codes[:, [1, 1, 0]]))  # type: ignore[arg-type]


def test_codes_need_no_mapping() -> None:
    listed = load(target="own_models:Direct", latent={"size": Z}, codes=["start", "low", "high"])
    inside = load(
        target="own_models:Direct",
        arguments={"functional": True},
        latent={"size": Z},
        codes=["input", "low", "high"],
    )
    torch.manual_seed(0)
    codes = torch.randn(3, 3, Z)
    assert listed.space == inside.space == "z"
    assert_near(render(listed, codes), render(inside, codes))
    module = own(Direct)
    z = codes[:, 0]
    assert_near(render(listed, z[:, None].expand(-1, 3, -1)), (module(z) + 1.0) / 2.0)


@pytest.mark.parametrize("options", [{}, {"codes": ["low", "middle", "high"]}])
def test_classes_are_given_by_number(options: dict[str, Any]) -> None:
    generator = load(
        **STYLED, arguments={"classes": 4}, classes={"count": 4, "draw": [1, 3]}, mapping="mapping", **options
    )
    z, condition, codes = draw(generator, 8)
    assert condition is not None
    assert set(condition.tolist()) == {1, 3}
    module = own(Styled, classes=4)
    images = render(generator, codes, condition=condition)
    assert torch.allclose(images, (module(z, condition)["picture"] + 1.0) / 2.0, atol=1e-6)
    with pytest.raises(DataError, match="needs a class from 0 to 3"):
        generator.map(z)
    with pytest.raises(DataError, match="form: index"):
        generator.map(z, torch.eye(4)[condition])


def test_classes_are_given_as_weights(tmp_path: Path) -> None:
    (tmp_path / "hot.py").write_text(
        "from own_models import *\n"
        "class G(Chain):\n"
        "    def __init__(self):\n        super().__init__()\n        self.of = nn.Linear(5, Z)\n"
        "    def forward(self, z, *, labels):\n        return super().forward(z + self.of(labels)[:, :, "
        "None, None])\n"
    )
    generator = load(
        target=f"{tmp_path / 'hot.py'}:G",
        latent=SHAPED,
        classes={"count": 5, "form": "one_hot", "argument": "labels"},
    )
    _, condition, codes = draw(generator)
    assert condition is not None
    images = render(generator, codes, condition=condition)
    assert torch.equal(images, render(generator, codes, condition=torch.eye(5)[condition]))
    assert not torch.allclose(images, render(generator, codes, condition=(condition + 1) % 5), atol=1e-3)


NOISY: dict[str, Any] = {**CODES, "arguments": {"noise": 0.5}}


def test_fresh_noise_is_a_function_of_seed_and_sample() -> None:
    generator = load(**NOISY, noise="fresh")
    codes = draw(generator, 1)[2].expand(3, -1, -1)
    images = render(generator, codes, index=torch.tensor([5, 6, 5]), noise=9)
    assert_near(images[0], images[2])
    assert not torch.allclose(images[0], images[1], atol=1e-2)
    assert_near(render(generator, codes[:1], index=torch.tensor([6]), noise=9), images[1:2])
    assert not torch.allclose(
        render(generator, codes[:1], index=torch.tensor([6]), noise=8), images[1:2], atol=1e-2
    )


def test_noise_may_be_the_same_for_all() -> None:
    generator = load(**NOISY, noise="fixed")
    codes = draw(generator, 1)[2].expand(2, -1, -1)
    before = torch.random.get_rng_state()
    images = render(generator, codes, index=torch.tensor([5, 6]))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert_near(images[0], images[1])
    done = Pass(generator, codes, index=torch.tensor([5, 6]), restarts=[0, 1, 2])
    assert torch.equal(done.edited(codes, [2]).images, images), "an edit sees the noise of its baseline"


EVERY = [
    {"target": "own_models:Chain", "latent": SHAPED},
    {"target": "own_models:Chain", "latent": SHAPED, "strata": CHAIN},
    {**STYLED, "mapping": "mapping"},
    CODES,
    {**NOISY, "noise": "fixed"},
    {**STYLED, "target": "own_models:Rows", "mapping": "mapping"},
]


@pytest.mark.parametrize("config", EVERY)
def test_gradients_reach_every_code(config: dict[str, Any]) -> None:
    generator = load(**config)
    codes = draw(generator, 2)[2].clone().requires_grad_()
    weight = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))

    def objective(c: Tensor) -> Tensor:
        return (render(generator, c) * weight).sum()

    (gradient,) = torch.autograd.grad(objective(codes), codes)
    assert all(parameter.grad is None for parameter in generator.network.parameters())  # type: ignore[attr-defined]
    with torch.no_grad():
        for layer in range(codes.shape[1]):
            step = torch.zeros_like(codes)
            step[:, layer] = torch.nn.functional.normalize(gradient[:, layer], dim=1)
            slope = (objective(codes + 1e-2 * step) - objective(codes - 1e-2 * step)) / 2e-2
            assert float(slope) == pytest.approx(float((gradient * step).sum()), rel=0.05, abs=1e-3)
            assert slope > 1e-3


def half_precision_draws_the_same() -> bool:
    """Whether noise that a network draws itself is the same in bfloat16; torch 2.6 draws other numbers."""
    whole, half = (
        torch.randn(64, generator=torch.Generator().manual_seed(0), dtype=dtype)
        for dtype in (torch.float32, torch.bfloat16)
    )
    return torch.allclose(whole, half.float(), atol=0.05)


@pytest.mark.parametrize("config", EVERY)
def test_a_picture_does_not_depend_on_the_batch_and_bfloat16_is_close(config: dict[str, Any]) -> None:
    generator = load(**config)
    codes = draw(generator, 5)[2]
    images = render(generator, codes)
    assert torch.allclose(render(generator, codes[2:3], index=torch.tensor([2])), images[2:3], atol=1e-5)
    half = render(generator, codes, precision="bf16")
    assert half.dtype == torch.float32
    if config.get("noise") == "fixed" and not half_precision_draws_the_same():
        pytest.skip("torch draws other random numbers in bfloat16 than in float32")
    assert 0.0 < float((half - images).abs().max()) < 0.05


def test_auto_never_chooses_module(tmp_path: Path) -> None:
    trained(tmp_path / "a.pt", own(Chain))
    assert [c.plugin for c in candidates(read_checkpoint(tmp_path / "a.pt"))] == []
