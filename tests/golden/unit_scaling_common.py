"""What the parts of gen_unit_scaling.py share: the file in the making, and the package put right where it is inexact."""

import importlib.metadata

import unit_scaling.functional as U

from golden_format import GoldenFile

g = GoldenFile(
    "gen_unit_scaling.py",
    unit_scaling=importlib.metadata.version("unit-scaling"),
    gradient="grad of param i at step t (from 0) = a*p + b*tanh(p) + noise*made(shape, noise_seed + 1000*i + t)",
)
UNARY = (None, "gmean", "hmean", "amean", "to_output_scale", "to_grad_input_scale")
BINARY = (None, "gmean", "hmean", "amean", "to_output_scale", "to_left_grad_scale", "to_right_grad_scale")
UNIT = dict(scale=1.7)  # uniform numbers of about unit deviation


def exact_rms(x, dims=None, keepdim=False, eps=0.0):
    """The package's own goes through float32."""
    return (x.pow(2).mean(dims, keepdim=keepdim) + eps).sqrt()


U.rms = exact_rms


def named(constraint):
    return constraint or "none"
