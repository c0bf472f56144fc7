"""optim.h5: 100 steps of the optimisers, learning-rate schedules, gradient clipping."""

import sys
import warnings

import torch
from torch.optim import lr_scheduler as schedule

from golden_format import GoldenFile, made

warnings.filterwarnings("ignore")
FORMULA = "grad of param i at step t (from 0) = a*p + b*tanh(p) + noise*made(shape, noise_seed + 1000*i + t)"
g = GoldenFile("gen_optim.py", gradient=FORMULA)
OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
SHAPES = [(3, 4), (5,)]
STEPS = (1, 2, 10, 100)


def optimizer_case(name, op, groups, common):
    """groups: one dict of settings a parameter group; every parameter in the first, or one parameter each."""
    number = len(g.cases) + 1
    problem = dict(a=0.8, b=0.7, noise=0.1, noise_seed=500000 + 5000 * number, steps=max(STEPS))
    members = [["p0", "p1"]] if len(groups) == 1 else [["p0"], ["p1"]]
    options = dict(groups=[dict(params=m, **common, **s) for m, s in zip(members, groups)], **problem)
    entry = g.case(name, op, options)
    params = {
        f"p{i}": g.add_made(entry, f"p{i}", s, 10 * number + i, scale=2.0).requires_grad_()
        for i, s in enumerate(SHAPES)
    }
    optimizer = OPTIMIZERS[op](
        [dict(params=[params[k] for k in m], **common, **s) for m, s in zip(members, groups)]
    )
    for t in range(problem["steps"]):
        for i, p in enumerate(params.values()):
            noise = made(p.shape, problem["noise_seed"] + 1000 * i + t)
            p.grad = (
                problem["a"] * p.detach() + problem["b"] * torch.tanh(p.detach()) + problem["noise"] * noise
            )
        optimizer.step()
        if t + 1 in STEPS:
            for k, p in params.items():
                g.store(entry, f"{k}_after_{t + 1}", p)


def optimizers():
    for name, settings in [
        ("plain", dict()),
        ("weight decay", dict(weight_decay=0.05)),
        ("momentum", dict(momentum=0.9)),
        ("momentum and dampening", dict(momentum=0.9, dampening=0.4)),
        ("nesterov", dict(momentum=0.8, nesterov=True)),
        ("nesterov and weight decay", dict(momentum=0.9, nesterov=True, weight_decay=0.02)),
        ("momentum, dampening, weight decay", dict(momentum=0.5, dampening=0.1, weight_decay=0.01)),
    ]:
        optimizer_case(f"sgd {name}", "sgd", [dict(lr=0.03)], settings)
    optimizer_case(
        "sgd two groups",
        "sgd",
        [dict(lr=0.05, weight_decay=0.1), dict(lr=0.01, weight_decay=0.0)],
        dict(momentum=0.9),
    )
    for op in ("adam", "adamw"):
        for name, settings in [
            ("default betas", dict()),
            ("weight decay", dict(weight_decay=0.1)),
            ("amsgrad", dict(amsgrad=True)),
            ("amsgrad and weight decay", dict(amsgrad=True, weight_decay=0.05)),
            ("large eps", dict(eps=1e-2)),
            ("short betas", dict(betas=(0.5, 0.8))),
            ("no first moment", dict(betas=(0.0, 0.99), eps=1e-6)),
            ("long betas", dict(betas=(0.95, 0.9999), weight_decay=0.01)),
        ]:
            optimizer_case(f"{op} {name}", op, [dict(lr=0.02)], {"weight_decay": 0.0, **settings})
        optimizer_case(
            f"{op} two groups",
            op,
            [dict(lr=0.05, weight_decay=0.1), dict(lr=0.005, weight_decay=0.0)],
            dict(betas=(0.9, 0.99)),
        )
        optimizer_case(
            f"{op} two groups, amsgrad in one",
            op,
            [dict(lr=0.03, amsgrad=True), dict(lr=0.01, amsgrad=False)],
            dict(weight_decay=0.0),
        )


def schedule_case(name, kind, make, options, base_rates, metric=None):
    """Stores `lr` (50, groups): the rate of each group while step t runs, t from 0."""
    entry = g.case(name, "schedule", dict(kind=kind, base_lrs=base_rates, steps=50, **options))
    params = [torch.zeros(1, requires_grad=True) for _ in base_rates]
    optimizer = torch.optim.SGD([dict(params=[p], lr=rate) for p, rate in zip(params, base_rates)], lr=1.0)
    values = None if metric is None else g.add_made(entry, "metric", (50,), **metric)
    scheduler = make(optimizer)
    rates = []
    for t in range(50):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        if t < 49:
            scheduler.step(values[t].item()) if metric else scheduler.step()
    g.store(entry, "lr", torch.tensor(rates))


def schedules():
    for groups, rates in [("one group", [0.1]), ("two groups", [0.1, 0.004])]:
        schedule_case(
            f"constant, {groups}", "constant", lambda o: schedule.LambdaLR(o, lambda _: 1.0), {}, rates
        )
        for step_size, gamma in [(7, 0.5), (1, 0.9), (20, 0.1)]:
            options = dict(step_size=step_size, gamma=gamma)
            schedule_case(
                f"step {step_size} {gamma}, {groups}",
                "step",
                lambda o: schedule.StepLR(o, **options),
                options,
                rates,
            )
        for t_max, eta_min in [(50, 0.0), (49, 0.0), (30, 0.0), (50, 0.001)]:
            options = dict(T_max=t_max, eta_min=eta_min)
            schedule_case(
                f"cosine {t_max} down to {eta_min}, {groups}",
                "cosine",
                lambda o: schedule.CosineAnnealingLR(o, **options),
                options,
                rates,
            )
        for start, end, iterations in [(1 / 3, 1.0, 5), (0.01, 1.0, 20), (0.5, 0.8, 10), (1.0, 0.0, 49)]:
            options = dict(start_factor=start, end_factor=end, total_iters=iterations)
            schedule_case(
                f"linear {start:.2f} to {end} in {iterations}, {groups}",
                "linear",
                lambda o: schedule.LinearLR(o, **options),
                options,
                rates,
            )
        for options in [
            dict(),
            dict(anneal_strategy="linear"),
            dict(pct_start=0.1, div_factor=10.0, final_div_factor=100.0),
            dict(three_phase=True),
            dict(three_phase=True, anneal_strategy="linear", pct_start=0.4),
        ]:
            options = dict(
                dict(
                    total_steps=50,
                    pct_start=0.3,
                    anneal_strategy="cos",
                    div_factor=25.0,
                    final_div_factor=1e4,
                    three_phase=False,
                ),
                **options,
            )
            schedule_case(
                f"one cycle {options['anneal_strategy']} {options['pct_start']} three phases {options['three_phase']}, {groups}",
                "one_cycle",
                lambda o: schedule.OneCycleLR(o, max_lr=list(rates), cycle_momentum=False, **options),
                options,
                rates,
            )
        for label, metric, options in [
            ("noisy metric", dict(seed=71), dict(factor=0.5, patience=3)),
            (
                "slow metric",
                dict(seed=72, scale=0.01, shift=1.0),
                dict(factor=0.1, patience=2, threshold=0.01, cooldown=2),
            ),
            (
                "maximum, absolute",
                dict(seed=73),
                dict(mode="max", factor=0.7, patience=1, threshold=0.1, threshold_mode="abs"),
            ),
            ("floor", dict(seed=74), dict(factor=0.2, patience=0, min_lr=0.002)),
            ("eps", dict(seed=75), dict(factor=0.5, patience=0, eps=1e-4)),
        ]:
            options = dict(
                dict(
                    mode="min",
                    factor=0.1,
                    patience=10,
                    threshold=1e-4,
                    threshold_mode="rel",
                    cooldown=0,
                    min_lr=0.0,
                    eps=1e-8,
                ),
                **options,
            )
            schedule_case(
                f"plateau {label}, {groups}",
                "plateau",
                lambda o: schedule.ReduceLROnPlateau(o, **options),
                options,
                rates,
                metric,
            )
        options = dict(
            warmup=dict(start_factor=0.1, end_factor=1.0, total_iters=10),
            cosine=dict(T_max=40, eta_min=0.0),
            milestone=10,
        )
        schedule_case(
            f"linear warm-up then cosine, {groups}",
            "warmup_cosine",
            lambda o: schedule.SequentialLR(
                o,
                [
                    schedule.LinearLR(o, **options["warmup"]),
                    schedule.CosineAnnealingLR(o, **options["cosine"]),
                ],
                [10],
            ),
            options,
            rates,
        )


def clip_case(name, op, options, scale, clip):
    entry = g.case(name, op, options)
    number = len(g.cases)
    params = []
    for i, shape in enumerate([(3, 4), (5,), ()]):
        p = torch.zeros(shape, requires_grad=True)
        p.grad = g.add_made(entry, f"g{i}", shape, 10 * number + i, scale=scale)
        params.append(p)
    norm = clip(params)
    for i, p in enumerate(params):
        g.store(entry, f"g{i}_after", p.grad)
    if norm is not None:
        g.store(entry, "total_norm", norm)


def clipping():
    for norm_type, label in [(2.0, 2.0), (1.0, 1.0), (float("inf"), "inf"), (3.0, 3.0)]:
        for max_norm, scale in [(0.5, 1.0), (100.0, 1.0), (1.0, 1e-4), (1.0, 1e4)]:
            clip_case(
                f"clip norm {label} to {max_norm} at {scale}",
                "clip_grad_norm",
                dict(max_norm=max_norm, norm_type=label),
                scale,
                lambda params: torch.nn.utils.clip_grad_norm_(params, max_norm, norm_type),
            )
    for value, scale in [(0.5, 1.0), (0.1, 10.0), (2.0, 1.0)]:
        clip_case(
            f"clip value {value} at {scale}",
            "clip_grad_value",
            dict(clip_value=value),
            scale,
            lambda params: torch.nn.utils.clip_grad_value_(params, value),
        )


optimizers()
schedules()
clipping()
g.write(sys.argv[1] if len(sys.argv) > 1 else "optim.h5")
