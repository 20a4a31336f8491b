"""Judge the parts of a file by their names: which is the generator's moving average, which no generator."""

from __future__ import annotations

import re

AVERAGES = (
    "g_ema",
    "generator_ema",
    "generator_smooth",
    "gs",
    "netg_ema",
    "ema",
    "params_ema",
    "model_ema",
    "g_smooth",
    "g_running",
    "avgg",
    "g_avg",
    "shadow_generator",
    "gen_shadow",
    "ge",
)
GENERATORS = (
    "g",
    "generator",
    "decoder",
    "netg",
    "gen",
    "state_dict",
    "model",
    "model_state_dict",
    "params",
    "net",
    "",
)
WRAPPERS = (  # names of entries that do not say of which network
    "state_dict",
    "model_state_dict",
    "params",
    "weights",
    "model",
    "module",
    "net",
    "network",
)
OTHERS = re.compile(
    r"(^|[_.])(d|d_aug|dis|disc|discriminator\w*|netd|critic|encoder|e|augment_pipe|inception|lpips|vgg\w*)"
    r"([_.]|$)"
)
AVERAGE = re.compile(r"(^|[_.])(g?emas?|smooth|running|averaged?|avg|shadow|gs)([_.]|$)")
GENERATOR = re.compile(r"(^|[_.])(g|gen|generator|netg|decoder|synthesis)([_.]|$)")
UNKNOWN = 2  # group of the rank of parts whose names say nothing; discriminators and the like come after it


def rank(name: str) -> tuple[int, int]:
    """Return the sort key of a part: moving averages, generators, unknown names, other networks.

    >>> sorted(["d", "encoder", "g", "g_ema", "something"], key=rank)
    ['g_ema', 'g', 'something', 'd', 'encoder']
    """
    low = name.lower()
    if OTHERS.search(low):
        return 3, 0
    for group, (known, pattern) in enumerate(((AVERAGES, AVERAGE), (GENERATORS, GENERATOR))):
        if low in known:
            return group, known.index(low)
        if pattern.search(low):
            return group, len(known)
    return UNKNOWN, 0


def inner_name(outer: str, key: str) -> str:
    """Return the name of an entry in the entry `outer`, whose name says more than `state_dict` does.

    All that is in a moving average is one, so its name is kept before the names of its networks.

    >>> inner_name("shadow_generator", "state_dict"), inner_name("models", "generator")
    ('shadow_generator', 'generator')
    >>> inner_name("model_ema", "module"), inner_name("ema", "generator"), inner_name("ema", "g_ema")
    ('model_ema', 'ema.generator', 'g_ema')
    """
    if key.lower() in WRAPPERS and rank(outer)[0] != UNKNOWN:
        return outer
    return f"{outer}.{key}" if rank(outer)[0] == 0 and rank(key)[0] != 0 else key
