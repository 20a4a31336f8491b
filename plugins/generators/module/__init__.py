"""Run any torch.nn.Module by dotted path, as one stratum or several."""
