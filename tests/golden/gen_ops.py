"""ops.h5: the plain ops (issue 2), values, gradients and running statistics from PyTorch in float64."""

import sys

from ops_common import g
from ops_layers import convolutions, linears, losses, norms, pools
from ops_math import arithmetic, elementwise, rearrangements, reductions

for part in (
    convolutions,
    linears,
    norms,
    elementwise,
    pools,
    losses,
    arithmetic,
    reductions,
    rearrangements,
):
    part()
g.write(sys.argv[1] if len(sys.argv) > 1 else "ops.h5")
