"""Rendering through strata against the bare network, and what each switch is worth.

The baseline is the StyleGAN2 forward pass written plainly: a loop over the modules, no strata, no
states, channels first. A second one modulates the weights of every sample and convolves in groups,
as the reference implementation does by default.
"""

from __future__ import annotations

import copy
import subprocess
import sys
from typing import Any

import ganstrata
import torch
import torch.nn.functional as F
from ganstrata.core.composition import Pass, first_reader
from ganstrata.core.layers import layer_sets
from ganstrata.core.memory import keep_freed_memory
from ganstrata.plugins.generators.shared.mapping import GAIN, LEAK
from ganstrata.plugins.generators.stylegan2.network import SynthesisLayer, smooth, upsample_rgb
from measure import alternate, arguments, machine, table

CHILD = "--in-a-process-that"


def plain(network: Any, codes: torch.Tensor, layout: torch.memory_format, *, grouped: bool = False) -> torch.Tensor:
    """The network's forward pass, codes (N, L, D) to images (N, 3, H, W)."""
    apply = _grouped if grouped else _scaled
    first = network.block(network.sizes[0])
    x = first.const.expand(len(codes), -1, -1, -1).contiguous(memory_format=layout)
    rgb, layer = None, 0
    for size in network.sizes:
        block = network.block(size)
        for module in ([] if size == network.sizes[0] else [block.conv0]) + [block.conv1]:
            x = apply(module, x, module.affine(codes[:, layer]))
            layer += 1
        y = block.torgb(x, block.torgb.affine(codes[:, layer]))
        rgb = y if rgb is None else upsample_rgb(rgb, block.resample_filter) + y
    return (rgb + 1.0) / 2.0


def _scaled(module: SynthesisLayer, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
    return module(x, style, module.noise_const[None, None])


def _grouped(module: SynthesisLayer, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
    n, inputs = style.shape
    weight = module.weight[None] * style[:, None, :, None, None] * module.demodulation(style)[:, :, None, None, None]  # (N, O, I, 3, 3)
    outputs = weight.shape[1]
    x = x.reshape(1, n * inputs, *x.shape[2:])
    if module.up:
        x = F.conv_transpose2d(x, weight.transpose(1, 2).reshape(n * inputs, outputs, 3, 3), stride=2, groups=n)
        x = smooth(x.reshape(n, outputs, *x.shape[2:]), 4.0 * module.resample_filter, padding=1)
    else:
        x = F.conv2d(x, weight.reshape(n * outputs, inputs, 3, 3), padding=1, groups=n)
        x = x.reshape(n, outputs, *x.shape[2:])
    return F.leaky_relu(x + module.noise_const * module.noise_strength + module.bias[None, :, None, None], LEAK) * GAIN


def memory(rounds: int, batch: int, threads: int) -> dict[str, float]:
    """Rendering in fresh processes with and without keep_freed_memory(): it cannot be undone within one."""
    names = {"default": "as the C library has it", "keeps": "keep_freed_memory()"}
    found: dict[str, list[float]] = {name: [] for name in names.values()}
    for _ in range(3):
        for mode, name in names.items():
            command = [sys.executable, __file__, "--rounds", str(rounds), "--batch", str(batch), "--threads", str(threads), CHILD, mode]
            output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            found[name].append(float(output))
    return {name: sorted(values)[1] for name, values in found.items()}


@torch.inference_mode()
def main() -> None:
    options = arguments(__doc__, batch=(32, "images in one pass"), **{CHILD.removeprefix("--"): ("", "used by this script itself: default or keeps")})
    mode, n = vars(options)[CHILD.removeprefix("--").replace("-", "_")], options.batch
    if mode != "default":
        keep_freed_memory()
    g: Any = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    codes = g.broadcast(g.map(g.sample(n, 0, 0, ganstrata.Stream.PROBING).z))
    if mode:
        print(alternate({"render": lambda: ganstrata.render(g, codes)}, options.rounds)["render"])
        return
    first, last = torch.contiguous_format, torch.channels_last
    # A convolution takes the layout of its weights where they differ from its input's.
    network = copy.deepcopy(g.network).to(memory_format=first)
    image = ganstrata.render(g, codes)
    worst = max(float((plain(network, codes, first, grouped=grouped) - image).abs().max()) for grouped in (False, True))
    assert worst < 1e-4, f"the baselines do not compute the same picture: {worst}"
    print(machine())
    print(f"bundled:rooms, {g.card.resolution} px, batches of {n}; images of all cases in fp32 agree to {worst:.0e}")
    cases = {
        "bare network, channels first": lambda: plain(network, codes, first),
        "bare network, grouped convolutions": lambda: plain(network, codes, first, grouped=True),
        "bare network, channels last": lambda: plain(g.network, codes, last),
        "ganstrata.render": lambda: ganstrata.render(g, codes),
        "ganstrata.render, bf16": lambda: ganstrata.render(g, codes, precision="bf16"),
    }
    table("A full pass", alternate(cases, options.rounds), unit="per image", per=n)
    table("Memory that a batch frees", memory(options.rounds, n, options.threads), unit="per image", per=n)

    sets = layer_sets(["all", "groups"], g.groups, g.card.layers)
    kept = Pass(g, codes, restarts={first_reader(g, layers) for layers in sets.values()})
    edits: dict[str, Any] = {"full pass": lambda: ganstrata.render(g, codes)}
    edits |= {f"edit at {name}, layers {min(at)}-{max(at)}": lambda at=at: kept.edited(codes, at) for name, at in sets.items()}
    table("Prefix reuse: an edited image from the state before its first layer", alternate(edits, options.rounds), unit="per image", per=n)


if __name__ == "__main__":
    main()
