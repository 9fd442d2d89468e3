"""What takes a block in brackets and is no operation: how it is written, what it means, and an example."""

from __future__ import annotations

from typing import NamedTuple


class Form(NamedTuple):
    """One form; `example` is a block, for the reference."""

    written: str
    means: str
    example: str


FORMS = {
    "over": Form(
        "over[axis, f](x)",
        "f at every index of an axis, with shared weights, as one batched kernel.",
        "block example(x: [b, n, d]) -> [b, n]:\n    return over[n, sum[1]](x)\n",
    ),
    "each": Form(
        "each[axis, F](x)",
        "The template F at every index of an axis, with weights of its own for each.",
        "use std.nn (Linear)\n\nblock Example[e, d](x: [e, b, d]) -> [e, b, d]:\n"
        "    return each[e, Linear[d, d, ...]](x)\n",
    ),
    "repeat": Form(
        "repeat[n, F](x)",
        "The template F n times, one after the other, each with weights of its own; of a list of k templates, "
        "iteration i takes entry i % k. The first operand is carried, the others are seen whole by each.",
        "use std.nn (Linear)\n\nblock Example[d](x: [b, d]) -> [b, d]:\n"
        "    return x |> repeat[3, Linear[d, d, ...]] as layers\n",
    ),
    "grad": Form(
        "grad[f](x)",
        "The derivative of f in its first input; f gives one number.",
        "block energy(x: [d]) -> []:\n    return sum(x ** 4)\n\n"
        "block example(x: [d]) -> [d]:\n    return grad[energy](x)\n",
    ),
    "custom_grad": Form(
        "custom_grad[f, b](x)",
        "f(x), with b(x, g) in the place of its derivative in x, where g is that of the result.",
        "block straight(x: [b, d], g: [b, d]) -> [b, d]:\n    return g\n\n"
        "block example(x: [b, d]) -> [b, d]:\n    return custom_grad[round, straight](x)\n",
    ),
    "count": Form(
        "count[F]",
        "How many learned numbers a block holds, as a size.",
        "use std.nn (Linear)\n\nblock example(x: [b, 3]) -> [b, 8]:\n    return zeros[b, count[Linear[3, 2, ...]]]\n",
    ),
    "initial": Form(
        "initial[F]",
        "In an initializer: how all weights of F start, on one flat axis.",
        "use std.nn (Linear)\n\nblock Example(x: [b, 3]) -> [b, 2]:\n"
        "    param theta: [count[Linear[3, 2, ...]]] = initial[Linear[3, 2, ...]]\n"
        "    f = Linear[3, 2]\n    return f(x, weights=theta)\n",
    ),
}

APPLIED = frozenset(FORMS) - {"count", "initial"}  # those that give a function, to be applied where they stand
