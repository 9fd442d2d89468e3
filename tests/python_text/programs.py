"""Random expressions and statements of emitted files, by seed."""

from __future__ import annotations

from random import Random

from ogive.backends.python_text.expr import (
    ALL,
    DOTS,
    NONE,
    Code,
    attribute,
    binary,
    both,
    call,
    conditional,
    cut,
    dict_of,
    dict_of_each,
    each_of,
    either,
    formatted,
    is_given,
    list_of,
    list_of_each,
    literal,
    method,
    name,
    prefix,
    set_of,
    starred,
    subscript,
    tuple_of,
)
from ogive.backends.python_text.statements import (
    Assign,
    Body,
    Evaluate,
    For,
    FunctionDef,
    If,
    Parameter,
    Raise,
    Return,
    Statement,
    Within,
)

NAMES = ("x", "y", "scores", "attention_probabilities", "hidden_states", "torch.float", "self.heads", "self.scale")
SIGNS = ("+", "-", "*", "/", "//", "%", "@", "**", "&", "|", "<", "==", "is not", "in")


def expression(at: Random, depth: int = 3) -> Code:
    """An expression of any kind."""
    if depth == 0 or at.random() < 0.2:
        number = at.choice((0, 1, 2, -1, 0.5, 1e-6, 12345))
        return at.choice((name(at.choice(NAMES)), literal(number), literal("mean"), NONE, literal(True)))

    def inner() -> Code:
        return expression(at, depth - 1)

    def several(least: int = 0) -> list[Code]:
        return [inner() for _ in range(at.randint(least, 3))]

    place = name(at.choice(NAMES))
    match at.randrange(18):
        case 0:
            return call(at.choice(("torch.cat", "F.linear", "Group")), *several(), dim=at.choice((None, 1, -1)))
        case 1:
            return method(inner_place(at, depth), at.choice(("view", "unbind", "transpose")), *several())
        case 2:
            return binary(inner(), at.choice(SIGNS), inner())
        case 3:
            return prefix(at.choice(("-", "~", "not")), place)
        case 4:
            return subscript(place, *(at.choice((ALL, DOTS, NONE, cut(_bound(at), _bound(at)))) for _ in range(3)))
        case 5:
            return conditional(inner(), is_given(place), inner())
        case 6:
            return tuple_of(several())
        case 7:
            return list_of(several())
        case 8:
            return both(inner(), inner())
        case 9:
            return either(inner(), both(inner(), inner()))
        case 10:
            return call("nn.ModuleList", each_of(inner(), "each", place))
        case 11:
            return call("torch.stack", list_of_each(attribute(name("each"), "weight"), "each", place))
        case 12:
            return dict_of_each(name("each"), inner(), "each", place)
        case 13:
            return formatted(["got ", name("x"), " and {not} ", name("self.heads")])
        case 14:
            return set_of(several(1))
        case 15:
            return dict_of([(literal("w"), inner()), (None, place)])
        case 16:
            return call("expand", starred(place), inner())
        case _:
            return attribute(inner_place(at, depth), "mT")


def _bound(at: Random) -> Code:
    """The end of a slice, as sizes are."""
    size = name(at.choice(("n", "self.heads")))
    return at.choice((size, literal(2), binary(size, at.choice("+*"), 2)))


def inner_place(at: Random, depth: int) -> Code:
    """What a method is called on: no literal."""
    return at.choice((name(at.choice(NAMES)), call("f", expression(at, depth - 1)), name("self.layers")))


def statement(at: Random, depth: int = 2, size: int = 3) -> Statement:
    """A statement of any kind that stands in a function; `size` is the depth of its expressions."""
    target = name(at.choice(("x", "y", "z", "hidden_states", "self.kept")))
    match at.randrange(9 if depth else 5):
        case 0 | 1:
            return Assign(target, expression(at, size), at.choice(("", "[b, n, d]")))
        case 2:
            pair = tuple_of([name("x"), name("w")][: at.randint(1, 2)])
            return Assign(pair, expression(at, size))
        case 3:
            return Evaluate(call("self.run", expression(at, size), expression(at, size)))
        case 4:
            return If(is_given(name("x")), (Raise(call("ValueError", literal("a message in one line"))),))
        case 5:
            return For(
                at.choice((name("i"), tuple_of([name("i"), name("v")]))),
                expression(at, size),
                body(at, depth - 1, size),
            )
        case 6:
            return If(expression(at, size), body(at, depth - 1, size), at.choice(((), body(at, depth - 1, size))))
        case 7:
            return Within(call("torch.no_grad"), body(at, depth - 1, size))
        case _:
            parameters = (Parameter("x", name("Tensor")), Parameter("v", name("Tensor"), NONE))
            inside = (*body(at, depth - 1, size), Return(expression(at, size)))
            return FunctionDef(
                f"inner_{at.randrange(9)}", parameters, name("Tensor"), inside, at.choice(((), ("It.",)))
            )


def body(at: Random, depth: int = 2, size: int = 3) -> Body:
    """One to three statements."""
    return tuple(statement(at, depth, size) for _ in range(at.randint(1, 3)))
