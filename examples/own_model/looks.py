"""Measure digits and faces by plain arithmetic on pixels, for digits.yaml and faces.yaml."""

import torch


def strokes(images):
    """Return ink, width, height and slant of light strokes on black, (N, 4), in pixels except ink."""
    light = images.mean(dim=1)  # (N, H, W)
    ink = light.sum(dim=(1, 2))
    share = light / ink.clamp(min=1e-6)[:, None, None]
    y, x = (torch.arange(n, device=light.device, dtype=light.dtype) for n in light.shape[1:])
    across, down = share.sum(dim=1), share.sum(dim=2)  # (N, W), (N, H)
    x = x - (across * x).sum(dim=1, keepdim=True)  # (N, W)
    y = y - (down * y).sum(dim=1, keepdim=True)  # (N, H)
    var_x, var_y = (across * x * x).sum(dim=1), (down * y * y).sum(dim=1)
    cov = (share * y[:, :, None] * x[:, None, :]).sum(dim=(1, 2))
    slant = -cov / var_y.clamp(min=1e-6)  # positive: the top leans to the right
    return torch.stack([ink / light[0].numel(), var_x.sqrt(), var_y.sqrt(), slant], dim=1)


def portrait(images):
    """Return brightness of hair, corners and face, light from the left, and contrast, (N, 5)."""
    light = images.mean(dim=1)  # (N, H, W)
    h, w = light.shape[1] // 8, light.shape[2] // 8  # an eighth of the picture
    hair = light[:, :h, 2 * w : 6 * w].mean(dim=(1, 2))
    corners = torch.cat([light[:, : 2 * h, :w], light[:, : 2 * h, -w:]], dim=2).mean(dim=(1, 2))
    middle = light[:, 3 * h : 6 * h, 2 * w : 6 * w]  # eyes to mouth
    left, right = middle.chunk(2, dim=2)
    side = left.mean(dim=(1, 2)) - right.mean(dim=(1, 2))
    return torch.stack([hair, corners, middle.mean(dim=(1, 2)), side, light.std(dim=(1, 2))], dim=1)
