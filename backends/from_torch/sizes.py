"""Sizes of a trace as sizes of a block: each size that its inputs have gets a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sympy
from torch.utils._sympy import functions

from ogive.backends.from_torch.code import TracedCode, binary, number
from ogive.backends.from_torch.refused import Untraceable

LETTERS = "n m l k q p s t u v g r i j a".split()


class LocalSizes:
    """The names of one block."""

    def __init__(self, given: Mapping[sympy.Expr, str], closed: bool = True) -> None:
        self._given, self.closed = given, closed
        self.opened: dict[str, sympy.Expr] = {}  # sizes that whoever calls the block gives
        self.names: dict[sympy.Expr, str] = {}
        self.numbers: dict[sympy.Expr, str] = {}  # roles of the numbers that inputs have

    def spare(self, letters: str) -> str:
        """A name that no size gets from now on."""
        chosen = next(each for each in letters if each not in self.names.values())
        self.names[sympy.Symbol(f"the variable {chosen}")] = chosen
        return chosen

    def declare(self, size: sympy.Expr, hint: str) -> str:
        """The text of a size in the type of an input, which may name it."""
        if size.is_Integer:
            if hint in ("c", "d") and int(size) != 1:
                self.numbers.setdefault(size, hint)
            return number(int(size), hint) if int(size) != 1 else "1"
        if size not in self.names and isinstance(size, sympy.Mul | sympy.Add):
            # what earlier inputs tell
            if all(arg.is_Integer or arg in self.names for arg in size.args):
                return self._known(size).text
        if size not in self.names:
            wanted = [self._given.get(size, ""), hint if size not in self._given else "", *LETTERS]
            self.names[size] = next(each for each in wanted if each and each not in self.names.values())
        return self.names[size]

    def result(self, size: sympy.Expr, hint: str, fresh: Callable[[str], str]) -> str:
        """The text of a size in the type of an output, where a new name is one that follows."""
        if size.is_Integer:
            return number(int(size), hint) if int(size) != 1 else "1"
        if size in self.names:
            return self.names[size]
        for known, name in self.names.items():
            if (times := ratio(size, known)) is not None and times.is_Integer:
                return f"{number(int(times), 'factor')}*{name}"
        return fresh(hint)

    def code(self, size: sympy.Expr, role: str = "d") -> TracedCode:
        """A size within the block; one that no input tells becomes a static. Raises `Untraceable` in a model."""
        try:
            return self._known(size, role)
        except Untraceable:
            if self.closed:
                raise
        name = self.declare(size, role if role.isidentifier() and len(role) == 1 else "n")
        self.opened[name] = size
        return TracedCode(name)

    def _known(self, size: sympy.Expr, role: str = "d") -> TracedCode:
        if size.is_Integer:
            return TracedCode(number(int(size), role))
        if size in self.names:
            return TracedCode(self.names[size])
        for known, name in self.names.items():
            if (times := ratio(size, known)) is not None and times.is_Integer:
                return binary("*", TracedCode(number(int(times), "factor")), TracedCode(name))
        match size:
            case sympy.Add(args=args):
                parts = [self._known(arg) for arg in sorted(args, key=lambda arg: (bool(arg.is_Integer), str(arg)))]
                whole = parts[0]
                for part, arg in zip(
                    parts[1:], sorted(args, key=lambda a: (bool(a.is_Integer), str(a)))[1:], strict=True
                ):
                    if arg.is_Integer and int(arg) < 0:
                        whole = binary("-", whole, TracedCode(str(-int(arg))))
                    else:
                        whole = binary("+", whole, part)
                return whole
            case sympy.Mul(args=args):
                whole = self._known(args[0])
                for arg in args[1:]:
                    whole = binary("*", whole, self._known(arg))
                return whole
            case functions.FloorDiv(args=(left, right)):
                return self._quotient(left, right) or binary("//", self._known(left), self._known(right))
            case functions.CeilToInt(args=(functions.IntTrueDiv(args=(left, right)),)) if right.is_Integer:
                whole = self._known(left)
                return binary("//", binary("+", whole, TracedCode(str(int(right) - 1))), TracedCode(str(int(right))))
            case functions.PythonMod(args=(left, right)) | functions.Mod(args=(left, right)):
                return binary("%", self._known(left), self._known(right))
            case functions.Max(args=args) | functions.Min(args=args):
                name = "max" if isinstance(size, functions.Max) else "min"
                return TracedCode(f"{name}({', '.join(self._known(arg).text for arg in args)})")
            case sympy.Pow(args=(base, power)) if power.is_Integer and int(power) > 0:
                return binary("**", self._known(base), TracedCode(str(power)))
        raise Untraceable(f"no input has the size {size}")

    def _quotient(self, left: sympy.Expr, right: sympy.Expr) -> TracedCode | None:
        """`left // right` from a known size that is `left // a` and a number, where `a` divides `right`."""
        if not right.is_Integer:
            return None
        for known, name in self.names.items():
            for inner in known.atoms(functions.FloorDiv):
                more, by = known - inner, inner.args[1]
                if inner.args[0] == left and more.is_Integer and by.is_Integer and int(right) % int(by) == 0:
                    whole = TracedCode(name)
                    if more != 0:
                        whole = binary("-" if more > 0 else "+", whole, TracedCode(str(abs(int(more)))))
                    return whole if right == by else binary("//", whole, TracedCode(str(int(right) // int(by))))
        return None


def ratio(left: sympy.Expr, right: sympy.Expr) -> sympy.Expr | None:
    """`left / right` where that is whole whatever the sizes are."""
    if left == right:
        return sympy.Integer(1)
    quotient = sympy.cancel(left / right)
    _, below = sympy.fraction(sympy.together(quotient))
    if below != 1 or any(not part.is_integer for part in quotient.atoms(sympy.Rational)):
        return None
    return quotient
