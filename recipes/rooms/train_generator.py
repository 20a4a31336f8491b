"""Train the rooms generator: StyleGAN2 with layer-wise codes, grown from small pictures to large ones.

    python -m recipes.rooms.train_generator --data build/rooms/train --out build/rooms/generator --processes 2

On a CPU every process takes one core; on CUDA one process takes the device. Non-saturating logistic
loss, lazy R1, style mixing, moving average of the weights. It continues from `state.pt` in the output
folder if there is one; `samples_*.png` and `progress.csv` show the progress.
"""

from __future__ import annotations

import argparse
import copy
import csv
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as distributed
import torch.multiprocessing as multiprocessing
import torch.nn.functional as F
from ganstrata.plugins.generators.shared.modulated import upsample_rgb
from ganstrata.plugins.generators.stylegan2.network import Network
from numpy.typing import NDArray
from torch import Tensor

from .discriminator import Discriminator
from .render import grid

CHANNELS = {4: 192, 8: 192, 16: 128, 32: 64, 64: 32, 128: 32}
JUDGE_CHANNELS = {4: 192, 8: 192, 16: 128, 32: 64, 64: 32, 128: 32}
W_DIM = Z_DIM = 128
MAPPING_LAYERS = 4
MIXING = 0.8  # share of pictures made with two styles
R1_EVERY = 16
R1_GAMMA = 0.2


@dataclass(frozen=True)
class Stage:
    """Hold one phase of the training: picture size, number of pictures, rate and averaging."""

    size: int
    pictures: int
    rate: float = 2.5e-3
    average: float = 0.998
    noise: bool = False


def plan(size: int) -> tuple[Stage, ...]:
    """Plan to grow to `size`, then continue with noise, a lower rate and a longer average."""
    growing = [Stage(16, 200_000), Stage(32, 500_000)]
    growing += [Stage(r, 600_000) for r in (64, 128) if r < size]
    return (
        *growing,
        Stage(size, 550_000),
        Stage(size, 80_000, rate=1.5e-3, average=0.999, noise=True),
        Stage(size, 180_000, rate=5e-4, average=0.9995, noise=True),
    )


def up_to(channels: dict[int, int], size: int) -> dict[int, int]:
    """Return the widths of the resolutions of a network of this size."""
    return {r: width for r, width in channels.items() if r <= size}


def forward(network: Network, codes: Tensor, size: int, dtype: torch.dtype, *, noise: bool) -> Tensor:
    """Map codes (N, L, D) to pictures (N, 3, size, size) in about [-1, 1], by the blocks up to `size`."""
    n = codes.shape[0]
    first = network.block(4)
    x = first.const.to(dtype).expand(n, -1, -1, -1).contiguous(memory_format=torch.channels_last)
    rgb: Tensor | None = None
    layer = 0
    for r in network.sizes:
        if r > size:
            break
        block = network.block(r)
        for conv in ([] if r == 4 else [block.conv0]) + [block.conv1]:
            grain = torch.randn(n, 1, r, r, device=x.device) if noise else None
            x = conv(x, conv.affine(codes[:, layer]), grain)
            layer += 1
        # ToRGB shares its layer with the next block's first convolution.
        y = block.torgb(x, block.torgb.affine(codes[:, layer]))
        rgb = y if rgb is None else upsample_rgb(rgb, block.resample_filter) + y
    assert rgb is not None
    return rgb


def mixed_codes(network: Network, n: int, layers: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Draw codes (N, L, D), a share of them with two styles, and the first style's w (N, D)."""
    w = network.mapping(torch.randn(n, Z_DIM, device=device))
    other = network.mapping(torch.randn(n, Z_DIM, device=device))
    cut = torch.randint(1, layers, (n, 1), device=device)
    cut = torch.where(torch.rand(n, 1, device=device) < MIXING, cut, layers)
    second = torch.arange(layers, device=device)[None] >= cut  # (N, L)
    return torch.where(second[:, :, None], other[:, None], w[:, None]), w


def share(module: torch.nn.Module) -> None:
    """Average the gradients over the processes."""
    if not distributed.is_initialized():
        return
    grads = [p.grad for p in module.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in grads])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for grad, part in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
        grad.copy_(part.view_as(grad))


class Pictures:
    """Serve rendered rooms from memory, at the size of the stage."""

    def __init__(self, images: NDArray[np.uint8], seed: int) -> None:
        self.images = images
        self.rng = np.random.default_rng(seed)

    def batch(self, n: int, size: int, device: torch.device) -> Tensor:
        """Return pictures (n, 3, size, size) in [-1, 1]."""
        chosen = self.rng.integers(0, len(self.images), n)
        x = (
            torch.from_numpy(self.images[np.sort(chosen)]).to(device).permute(0, 3, 1, 2).float() / 127.5
            - 1.0
        )
        return x if size == x.shape[-1] else F.avg_pool2d(x, x.shape[-1] // size)


class Trainer:
    """Train the generator and the discriminator, with their optimisers and the moving average."""

    def __init__(
        self,
        data: Path,
        out: Path,
        *,
        size: int,
        batch: int,
        seed: int,
        device: str,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        torch.manual_seed(seed)
        self.device, self.dtype, self.out = torch.device(device), torch.bfloat16, out
        self.batch, self.rank, self.processes = batch // processes, rank, processes
        self.pictures = Pictures(np.load(data / "images.npy", mmap_mode="r"), seed)
        self.network = Network(up_to(CHANNELS, size), Z_DIM, W_DIM, MAPPING_LAYERS).to(self.device)
        for r in self.network.sizes[3:]:
            # What is grown later starts almost silent.
            self.network.block(r).torgb.weight.data.mul_(0.02)
        self.judge = Discriminator(up_to(JUDGE_CHANNELS, size)).to(self.device)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimisers = [
            torch.optim.Adam(m.parameters(), 2.5e-3, (0.0, 0.99), foreach=True)
            for m in (self.network, self.judge)
        ]
        self.seen, self.step, self.seconds = 0, 0, 0.0
        self.fixed = torch.randn(64, Z_DIM)
        self.diverge()

    def diverge(self) -> None:
        """Give every process its own random numbers."""
        torch.manual_seed(self.seen + 7919 * self.rank)
        self.pictures.rng = np.random.default_rng([self.seen, self.rank])

    def save(self) -> None:
        """Write everything needed to continue, atomically."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "judge": self.judge.state_dict(),
            "optimisers": [o.state_dict() for o in self.optimisers],
            "fixed": self.fixed,
            "counters": (self.seen, self.step, self.seconds),
        }
        temporary = self.out / "state.pt.part"
        torch.save(state, temporary)
        temporary.replace(self.out / "state.pt")

    def load(self) -> None:
        """Continue from a saved state."""
        state = torch.load(self.out / "state.pt", weights_only=True, map_location=self.device)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.judge.load_state_dict(state["judge"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.fixed = state["fixed"].cpu()
        self.seen, self.step, self.seconds = state["counters"]
        self.diverge()

    def train_step(self, stage: Stage) -> tuple[float, float]:
        """Update both networks once, on one batch of generated and one of rendered pictures."""
        layers = 2 * (stage.size.bit_length() - 1) - 2
        generator, judge = self.optimisers
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = stage.rate
        self.judge.requires_grad_(False)
        codes, w = mixed_codes(self.network, self.batch, layers, self.device)
        fake = forward(self.network, codes, stage.size, self.dtype, noise=stage.noise)
        generator_loss = F.softplus(-self.judge(fake, self.dtype)).mean()
        generator.zero_grad(set_to_none=True)
        generator_loss.backward()
        share(self.network)
        generator.step()
        self.judge.requires_grad_(True)
        real = self.pictures.batch(self.batch, stage.size, self.device)
        judge_loss = (
            F.softplus(self.judge(fake.detach(), self.dtype)).mean()
            + F.softplus(-self.judge(real, self.dtype)).mean()
        )
        total = judge_loss
        if self.step % R1_EVERY == 0:
            probe = real[: self.batch // 2].clone().requires_grad_()
            (slope,) = torch.autograd.grad(self.judge(probe).sum(), probe, create_graph=True)
            gamma = R1_GAMMA * (stage.size / 64) ** 2
            total = total + slope.square().sum((1, 2, 3)).mean() * (gamma / 2 * R1_EVERY)
        judge.zero_grad(set_to_none=True)
        total.backward()
        share(self.judge)
        judge.step()
        self._follow(stage, w.detach())
        return judge_loss.item(), generator_loss.item()

    @torch.no_grad()
    def _follow(self, stage: Stage, w: Tensor) -> None:
        """Move the averaged weights, and the mean w, after an update."""
        weight = 1.0 - min(stage.average, 1.0 - 1.0 / (self.step + 1))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), weight)
        self.network.mapping.w_avg.lerp_(w.mean(0), 0.002)
        self.average.mapping.w_avg.lerp_(w.mean(0), 0.002)
        self.step += 1
        self.seen += self.batch * self.processes

    @torch.no_grad()
    def show(self, size: int) -> None:
        """Write a grid of the averaged generator's pictures of the same 64 latents."""
        layers = 2 * (size.bit_length() - 1) - 2
        codes = self.average.mapping(self.fixed.to(self.device))[:, None].expand(-1, layers, -1)
        pictures = forward(self.average, codes, size, self.dtype, noise=False)
        pixels = ((pictures.clamp(-1, 1) + 1) * 127.5 + 0.5).byte().permute(0, 2, 3, 1).cpu().numpy()
        grid(pixels, 8, 128 // size).save(self.out / f"samples_{size}_{self.seen // 1000:05d}k.png")

    def run(self, plan: tuple[Stage, ...], *, every: int) -> None:
        """Run the remaining stages; save, report and show at regular numbers of pictures."""
        done = 0
        for stage in plan:
            done += stage.pictures
            while self.seen < done:
                began, start = time.monotonic(), self.seen
                losses: list[tuple[float, float]] = []
                while self.seen < min(done, start + every):
                    losses.append(self.train_step(stage))
                elapsed = time.monotonic() - began
                self.seconds += elapsed
                if self.rank > 0:
                    continue
                judge, generator = np.mean(losses, axis=0).tolist()
                row = (
                    stage.size,
                    self.seen,
                    round((self.seen - start) / elapsed, 1),
                    round(judge, 3),
                    round(generator, 3),
                    round(self.seconds),
                )
                print("size {}, {} pictures, {}/s, adversary {}, generator {}, {} s".format(*row), flush=True)
                with (self.out / "progress.csv").open("a", newline="") as file:
                    csv.writer(file).writerow(row)
                self.save()
                self.show(stage.size)


def work(rank: int, processes: int, args: argparse.Namespace) -> None:
    """Run one process of the training."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    if processes > 1:
        meeting = f"file://{(args.out / 'meeting').resolve()}"
        distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=processes)
    trainer = Trainer(
        args.data,
        args.out,
        size=args.size,
        batch=args.batch,
        seed=args.seed,
        device=args.device,
        rank=rank,
        processes=processes,
    )
    if (args.out / "state.pt").exists():
        trainer.load()
    trainer.run(plan(args.size), every=args.every)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--size", type=int, default=64, choices=(64, 128), help="of the pictures; 128 wants a GPU"
    )
    parser.add_argument("--batch", type=int, default=32, help="pictures in a step, over all processes")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=20_000, help="pictures between two checkpoints")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "meeting").unlink(missing_ok=True)
    if args.processes > 1:
        multiprocessing.spawn(work, (args.processes, args), nprocs=args.processes)
    else:
        work(0, 1, args)


if __name__ == "__main__":
    main()
