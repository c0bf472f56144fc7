"""unit_scaling.h5: the published unit-scaling package where it is right: functions, modules, mu-P optimisers."""

import sys

from unit_scaling_common import g
from unit_scaling_functions import binary, convolutions, elementwise, linears, losses, norms, primitives, residuals
from unit_scaling_layers import modules, optimizers

for part in (
    primitives,
    linears,
    convolutions,
    norms,
    elementwise,
    binary,
    residuals,
    losses,
    modules,
    optimizers,
):
    part()
g.write(sys.argv[1] if len(sys.argv) > 1 else "unit_scaling.h5")
