"""Vectors as combinations: the sum of matrices, each times a tensor that a reduced program has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ogive.compiler.ir.attributes import WeightAttrs
from ogive.compiler.ir.model import Init, Node, Value, Weight
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ir_tools.graph_builder import Building
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.sizes import size


@dataclass(frozen=True, slots=True)
class ScaledMatrix:
    """A matrix [d, r] times a value [..., r]; or a vector [d], times a value [] or [..., 1] where there is one.

    `matrix` is a name of the conversion; None is the identity.
    """

    matrix: str | None
    value: str | None
    vector: bool = False


@dataclass(frozen=True, slots=True)
class Combination:
    """A tensor [..., d] as the sum of its terms."""

    length: int
    terms: tuple[ScaledMatrix, ...]


@dataclass(slots=True)
class MatrixAlgebra:
    """Matrices of the conversion, each computed once, and the weights of the result that are some of them.

    `hints` are the paths after which they are called; `basis` is V [n, k], whose columns are orthonormal.
    """

    root: ConversionScope
    basis: str
    taken: set[str]
    default: str
    hints: dict[str, str] = field(default_factory=dict)
    made: dict[tuple[Any, ...], str] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)  # matrix -> the path of the weight that is it

    def op(self, name: str, *inputs: str | float, **statics: Any) -> str:
        """An operation of the conversion."""
        key = (name, inputs, repr(sorted(statics.items(), key=str)))
        if key not in self.made:
            self.made[key] = self.root.op(name, *inputs, **statics)
            hint = next((self.hints[x] for x in inputs if isinstance(x, str) and x in self.hints), None)
            if hint is not None:
                self.hints.setdefault(self.made[key], hint)
        return self.made[key]

    def product(self, left: str, right: str) -> str:
        """Left [a, b] times right [b, c] or [b]."""
        names = ["k"] if len(self.root.shape(right)) == 2 else []
        key = ("product", left, right)
        if key not in self.made:
            pattern = f"i j, {' '.join(['j', *names])} -> {' '.join(['i', *names])}"
            self.made[key] = self.root.einsum(pattern, left, right)
            hint = self.hints.get(left) or self.hints.get(right)
            if hint is not None:
                self.hints.setdefault(self.made[key], hint)
        return self.made[key]

    def transposed(self, matrix: str) -> str:
        """The transpose."""
        key = ("transposed", matrix)
        if key not in self.made:
            self.made[key] = self.root.shaped(matrix, "i j -> j i")
            if matrix in self.hints:
                self.hints.setdefault(self.made[key], self.hints[matrix])
        return self.made[key]

    def turned_up(self, vector: str) -> str:
        """A vector [d] as a column [d, 1]."""
        key = ("column", vector)
        if key not in self.made:
            self.made[key] = self.root.shaped(vector, "i -> i 1")
        return self.made[key]

    def identity(self, length: int) -> str:
        """The unit matrix."""
        return self.op("eye", n=size(length))

    def mapped(self, weight: str, x: Combination) -> Combination:
        """A matrix [p, d] of the conversion times a combination."""
        terms = [
            replace(term, matrix=weight if term.matrix is None else self.product(weight, term.matrix))
            for term in x.terms
        ]
        return Combination(self.root.shape(weight)[0], tuple(terms))

    def rows(self, x: Combination, places: Sequence[int]) -> Combination:
        """Some entries of the vectors."""
        at = self.op("constant", list=tuple(places))
        terms = []
        for term in x.terms:
            whole = self.identity(x.length) if term.matrix is None else term.matrix
            terms.append(replace(term, matrix=self.op("take", whole, at, axis=0)))
        return Combination(len(places), tuple(terms))

    def projected(self, x: Combination) -> Combination:
        """Vᵀ times the vectors; what is V times a value is that value."""
        turned = self.transposed(self.basis)
        terms = []
        for term in x.terms:
            if term.matrix == self.basis:
                terms.append(replace(term, matrix=None))
            else:
                terms.append(replace(term, matrix=turned if term.matrix is None else self.product(turned, term.matrix)))
        return Combination(self.root.shape(turned)[0], tuple(terms))

    def weight(self, matrix: str) -> str:
        """The path of the weight of the result that is a matrix."""
        if matrix not in self.paths:
            path = self.paths[matrix] = self.free(self.hints.get(matrix, self.default))
            axes = tuple(Axis(size(length)) for length in self.root.shape(matrix))
            made = Weight(path, TensorType("float", axes), "param", Init("zeros"))
            self.root.targets[path] = (matrix, made)
        return self.paths[matrix]

    def free(self, base: str) -> str:
        """A path that no other weight has, from now on taken."""
        path, number = base, 2
        while path in self.taken:
            path, number = f"{base}_{number}", number + 1
        self.taken.add(path)
        return path

    def read(self, build: Building, fresh: Fresh, matrix: str) -> str:
        """A matrix, or a vector, as a weight that a graph reads."""
        weight = self.root.targets[self.weight(matrix)][1]
        return build.add(Node.of(WeightAttrs(weight.path, 0), (), (Value(fresh.name("weight"), weight.type),)))

    def written(self, build: Building, fresh: Fresh, x: Combination) -> str:
        """The sum of a combination as a tensor of the graph."""
        constant: str | None = None
        for term in x.terms:
            if term.value is None and term.matrix is not None:
                constant = term.matrix if constant is None else self.op("add", constant, term.matrix)
        total: str | None = None
        for term in sorted((t for t in x.terms if t.value is not None), key=lambda t: t.matrix is None or t.vector):
            assert term.value is not None
            if term.matrix is None:
                part = term.value
            elif term.vector:
                part = build.op("mul", term.value, self.read(build, fresh, term.matrix))
            else:
                bias = None if constant is None else self.read(build, fresh, constant)
                part = build.op("linear", term.value, self.read(build, fresh, term.matrix), bias)
                constant = None
            total = part if total is None else build.op("add", total, part)
        if constant is not None:
            part = self.read(build, fresh, constant)
            total = part if total is None else build.op("add", total, part)
        assert total is not None, "a combination of no terms"
        return total

    def targets(self) -> Mapping[str, Weight]:
        """The weights of the result that are computed."""
        return {path: weight for path, (_, weight) in self.root.targets.items()}
