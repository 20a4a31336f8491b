"""Rewrite the class of a digit generator: MNIST, 28 px (akanametov/WGAN-GP, MIT)."""

from torch import nn


class Block(nn.Module):
    def __init__(self, i, o, k, s):
        super().__init__()
        self.block = nn.Sequential(nn.ConvTranspose2d(i, o, k, s), nn.BatchNorm2d(o), nn.ReLU(inplace=True))

    def forward(self, x):
        return self.block(x)


class Generator(nn.Module):
    def __init__(self, z_dim=64):
        super().__init__()
        blocks = Block(z_dim, 256, 3, 2), Block(256, 128, 4, 1), Block(128, 64, 3, 2)
        self.model = nn.Sequential(*blocks, nn.ConvTranspose2d(64, 1, 4, 2), nn.Tanh())

    def forward(self, z):
        return self.model(z)
