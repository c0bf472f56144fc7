"""What the parts of gen_ops.py share: the file in the making, the random numbers that choose options, conditions on inputs."""

import random

from golden_format import GoldenFile

rng = random.Random(20)
g = GoldenFile("gen_ops.py")


def away_from(value, gap=1e-3):
    return lambda t: (t["x"] - value).abs().min().item() > gap


def no_ties(t):
    flat = t["x"].reshape(-1).sort().values
    return (flat[1:] - flat[:-1]).min().item() > 1e-6


def per_axis(rank, values):
    """One number for all axes, or one each."""
    return [rng.choice(values)] * rank if rng.random() < 0.4 else [rng.choice(values) for _ in range(rank)]
