"""Rewrite the class of a face generator: CelebA, 32 px (fletchersarip93/face-generator, Apache-2.0)."""

from torch import nn


class Generator(nn.Module):
    def __init__(self, z_dim=100):
        super().__init__()

        def up(i, o, k=4, s=2, p=1):
            return nn.Sequential(
                nn.ConvTranspose2d(i, o, k, s, p, bias=False), nn.BatchNorm2d(o), nn.LeakyReLU(0.2)
            )

        widen = nn.Sequential(
            nn.Conv2d(256, 128, 3, padding=1, bias=False), nn.BatchNorm2d(128), nn.LeakyReLU(0.2)
        )
        last = nn.Sequential(nn.ConvTranspose2d(32, 3, 4, 2, 1), nn.Tanh())
        self.generator_deconv = nn.Sequential(up(z_dim, 256, 4, 1, 0), widen, up(128, 64), up(64, 32), last)

    def forward(self, z):
        return self.generator_deconv(z)
