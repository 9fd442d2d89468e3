"""Blocks, lists, optional values, derivatives, vectorizing, weights from outside, random numbers, complex numbers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from language.harness import Case, Weights


def lin(w: Weights, path: str, x: Tensor) -> Tensor:
    """`nn.Linear` by its path."""
    return F.linear(x, w[f"{path}.weight"], w.get(f"{path}.bias"))


def deriv(y: Tensor, x: Tensor) -> Tensor:
    """A derivative that can be derived again."""
    return torch.autograd.grad(y.sum(), x, create_graph=True)[0]


def _skips(w: Weights, x: Tensor) -> Tensor:
    a = torch.relu(lin(w, "downs.0.linear", x))
    b = torch.relu(lin(w, "downs.1.linear", a))
    c = torch.relu(lin(w, "downs.2.linear", b))
    return lin(w, "ups.1.linear", lin(w, "ups.0.linear", c) + b) + a


def _energy(w: Weights, path: str, x: Tensor) -> Tensor:
    return torch.tanh(lin(w, path, x)).sum(-1)


def _residual(w: Weights, t: Tensor) -> Tensor:
    """u'' + u of a network u, point by point."""
    u = torch.tanh(t[:, None] @ w["u.first.weight"].T + w["u.first.bias"]) @ w["u.second.weight"].T
    u = (u + w["u.second.bias"])[:, 0]
    return deriv(deriv(u, t), t) + u


def _forces(w: Weights, x: Tensor) -> Tensor:
    return deriv(_energy(w, "f.lin", x), x)


def _hessian(w: Weights, x: Tensor, v: Tensor) -> Tensor:
    g = deriv(_energy(w, "f.lin", x), x)
    return deriv((g * v.detach()).sum(), x)


def _rank_one(w: Weights, x: Tensor) -> Tensor:
    return F.linear(x, w["f.weight"] + torch.outer(w["u"], w["v"]), w["f.bias"])


def _normed(w: Weights, x: Tensor) -> Tensor:
    weight = w["g"][:, None] * w["f.weight"] / w["f.weight"].norm(dim=1, keepdim=True)
    return F.linear(x, weight, w["f.bias"])


def _modulated(w: Weights, x: Tensor, z: Tensor) -> Tensor:
    scale = lin(w, "style", z)
    weights = w["f.weight"] * scale[:, None, :]
    return torch.einsum("bnd,bed->bne", x, weights) + w["f.bias"]


def _experts(w: Weights, x: Tensor) -> Tensor:
    h = torch.einsum("bed,efd->bef", x, w["mlp.up.weight"]) + w["mlp.up.bias"]
    return torch.einsum("bef,edf->bed", F.gelu(h), w["mlp.down.weight"]) + w["mlp.down.bias"]


def _ensemble(w: Weights, x: Tensor) -> Tensor:
    ys = torch.einsum("bd,efd->ebf", x, w["head.weight"]) + w["head.bias"][:, None]
    return ys.mean(0)


CASES = (
    Case("lists_of_tensors", ((2, 4),), lambda w, x: _lists(w, x)),
    Case("a_list_of_blocks", ((2, 4),), lambda w, x: torch.sin(lin(w, "linear", x.relu().tanh()))),
    Case("a_list_of_instances_used_twice", ((2, 4),), lambda w, x: _mirror(w, x)),
    Case("a_function_of_a_list", ((2, 4),), lambda w, x: 2 * x + 3 * x**2 + 5 * x**3),
    Case("tensors_spliced", ((2, 4), (2, 4)), lambda w, x, y: torch.cat([x, y, x * y], 1)),
    Case("an_optional_output_that_is_there", ((2, 4),), lambda w, x: (x + 1) * (2 * x) + x + 1),
    Case(
        "an_optional_input_given_and_not",
        ((2, 4), (2, 4)),
        lambda w, x, m: torch.softmax(torch.where(m, x, -1.0), -1) + x.softmax(-1),
        elems="fb",
    ),
    Case("a_name_bound_on_one_path", ((2, 4),), lambda w, x: (x + w["one.bias"]) * x),
    Case("a_gradient", ((3, 4),), _forces),
    Case("a_gradient_of_a_gradient", ((5,),), _residual),
    Case("a_Hessian_times_a_vector", ((3, 4), (3, 4)), _hessian),
    Case("a_gradient_through_a_scan", ((3, 5),), lambda w, x: _through(x)),
    Case("a_gradient_through_layers", ((3, 4),), lambda w, x: _layers(w, x)),
    Case("straight_through", ((2, 4),), lambda w, x: (x + (x.round() - x).detach()) * 2),
    Case("a_step_with_the_derivative_of_a_ramp", ((2, 4),), lambda w, x: _step(x) * x),
    Case("a_gradient_reversed", ((2, 4),), lambda w, x: torch.sin(_reversed(lin(w, "f", x)))),
    Case("a_weight_of_low_rank_added", ((2, 4),), _rank_one),
    Case("a_weight_normed", ((2, 4),), _normed),
    Case("a_weight_for_each_example", ((2, 3, 4), (2, 5)), _modulated),
    Case("stacked_weights", ((2, 3, 4),), _experts),
    Case("an_ensemble", ((2, 4),), _ensemble),
    Case("over_an_axis_with_shared_weights", ((2, 3, 4),), lambda w, x: lin(w, "f", x).sum(-1)),
    Case("over_in_over", ((2, 4), (3, 4)), lambda w, a, c: torch.sin(a[:, None] * c[None]).sum(-1)),
    Case("a_typed_block", ((2, 3, 4),), lambda w, x: _pre(w, x)),
    Case("complex_numbers", ((2, 4), (2, 4)), lambda w, x, y: _complex(x, y)),
    Case(
        "a_filter_by_Fourier_transforms",
        ((2, 8),),
        lambda w, x: torch.fft.irfft(torch.fft.rfft(x) * torch.view_as_complex(w["w"]), n=8),
    ),
    Case(
        "sorted_picked_put",
        ((2, 5), (2, 2)),
        lambda w, x, y: (x.sort(-1).values, x.topk(2).values ** 2, torch.cat([x[:, :1], y, x[:, 3:]], 1)),
    ),
    Case("scattered", ((5, 4), (5,)), lambda w, x, i: torch.zeros(3, 4, dtype=x.dtype).index_add(0, i, x), elems="fi"),
    Case("frozen_random_features", ((2, 4),), lambda w, x: torch.cos(F.linear(x, w["w"], w["phase"])) * (2 / 6) ** 0.5),
    Case("structured_weights", ((2, 4),), lambda w, x: F.linear(x, w["w"])),
    Case("packs_from_a_list", ((2, 3),), lambda w, x: x[:, :, None, None] * w["w"]),
    Case("itself_while_a_number_lasts", ((2, 4),), lambda w, x: _tree(w, "tree", x, 2)),
    Case("compositions", ((2, 4),), lambda w, x: _composed(w, _composed(w, x))),
    Case(
        "one_weight_of_an_instance",
        ((2, 3),),
        lambda w, i: torch.tanh(w["wte.weight"][i]) @ w["wte.weight"].T,
        elems="i",
    ),
    Case("weights_of_all_layers_penalized", ((2, 4),), lambda w, x: _penalized(w, x)),
    Case("a_tied_autoencoder", ((2, 4),), lambda w, x: torch.relu(x @ w["code.weight"].T) @ w["code.weight"]),
    Case("a_shared_block_in_every_layer", ((2, 4),), lambda w, x: _shared(w, x)),
    Case("a_number_of_the_layer_as_a_scale", ((2, 4),), lambda w, x: _by_depth(w, x)),
)


def _step(x: Tensor) -> Tensor:
    """1 above 0, with the derivative of a ramp from -1 to 1."""
    ramp = x.clamp(-1, 1)
    return ramp + ((x > 0).to(x.dtype) - ramp).detach()


def _reversed(x: Tensor) -> Tensor:
    return -0.5 * x + (1.5 * x).detach()


def _lists(w: Weights, x: Tensor) -> Tensor:
    skips = []
    for i in range(3):
        x = torch.relu(lin(w, f"downs.{i}.linear", x))
        skips.append(x)
    for i, skip in enumerate(reversed(skips[:2])):
        x = lin(w, f"ups.{i}.linear", x) + skip
    return x


def _mirror(w: Weights, x: Tensor) -> Tensor:
    names = sorted({name.rpartition(".")[0] for name in w})
    for name in [*names, *reversed(names)]:
        x = torch.tanh(lin(w, name, x))
    return x


def _through(x: Tensor) -> Tensor:
    h = torch.zeros(len(x), dtype=x.dtype)
    for t in x.unbind(1):
        h = torch.sin(h + t)
    return deriv(h, x)


def _layers(w: Weights, x: Tensor) -> Tensor:
    y = x
    for i in range(3):
        y = torch.tanh(lin(w, f"f.layers.{i}.lin", y))
    return deriv(y, x)


def _pre(w: Weights, x: Tensor) -> Tensor:
    def norm(path: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, (4,), w[f"{path}.norm.weight"], w[f"{path}.norm.bias"])

    x = x + lin(w, "mlp.F.linear_2", torch.relu(lin(w, "mlp.F.linear", norm("mlp", x))))
    return x + torch.tanh(norm("act", x))


def _complex(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    z = torch.exp(torch.complex(x, y)) * torch.complex(y, x).conj() + 2
    return z.abs(), z.real - z.imag, z


def _tree(w: Weights, path: str, x: Tensor, depth: int) -> Tensor:
    if depth == 0:
        return torch.tanh(x)
    left = _tree(w, f"{path}.left", lin(w, f"{path}.f", x), depth - 1)
    return left + _tree(w, f"{path}.right", x, depth - 1)


def _composed(w: Weights, x: Tensor) -> Tensor:
    return lin(w, "mlp.linear_2", torch.relu(lin(w, "mlp.linear", x)))


def _penalized(w: Weights, x: Tensor) -> tuple[Tensor, Tensor]:
    for i in range(3):
        x = torch.relu(lin(w, f"net.h.{i}.f", x))
    return x, torch.stack([w[f"net.h.{i}.f.weight"].square().sum() for i in range(3)]).sum()


def _shared(w: Weights, x: Tensor) -> Tensor:
    for i in range(3):
        x = x + torch.tanh(lin(w, "shared", x)) * lin(w, f"h.{i}.own", x)
    return x


def _by_depth(w: Weights, x: Tensor) -> Tensor:
    for i in range(3):
        x = x + lin(w, f"h.{i}.f", x) / (i + 1)
    return x
