"""The pass `reduce_order`: a loop that solves a differential equation, in the few coordinates that its states show."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ogive.compiler.ir.attributes import WeightAttrs
from ogive.compiler.ir.model import Const, Graph, Init, Model, Node, Operand, Value, Weight
from ogive.compiler.ir.scalars import value_of
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ir.weights import weights
from ogive.compiler.ir_tools.graph_builder import Building
from ogive.compiler.ops import OPS
from ogive.compiler.passes.cleanup.deploy_flatten import flattened, read_members
from ogive.compiler.passes.conversion.graph import conversion
from ogive.compiler.passes.conversion.looks import Looks, SnapshotBasis
from ogive.compiler.passes.conversion.result import Note, Passed, PassError, unchanged
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.infra.dce import drop_dead
from ogive.compiler.passes.outline.block_names import named_after_blocks
from ogive.compiler.passes.outline.driver import in_blocks
from ogive.compiler.passes.pruning.remove import whole_weight
from ogive.compiler.passes.reduction.combined import Combination, MatrixAlgebra, ScaledMatrix
from ogive.compiler.passes.reduction.solver_loop import (
    dependent_values,
    function_sites,
    is_number,
    is_vector,
    probed_model,
    solver_loop,
    weights_that_stay,
)
from ogive.compiler.sizes import size

LARGEST = 1 << 22  # numbers of a basis, which stand in the conversion


def reduce_order(
    model: Model, looks: Looks, *, k: int, m: int = 0, at: str = "", tolerance: float = 0.0,
) -> Passed:  # fmt: skip
    """The loop at a path with k numbers in the place of its state, and functions of m of their entries.

    x' = f(A x + b) + Z u becomes z' = N f(A' z + b') + Z' u: x = V z with the directions V along which the states on
    the data vary most (POD), and f at the m entries from which the others follow best (DEIM; k where `m` is 0), with
    N = Vᵀ U (Pᵀ U)⁻¹, A' = Pᵀ A V, Z' = Vᵀ Z; layers behind each other likewise. `at` is the path of the `repeat`,
    where there are several. With all numbers of both the result computes what its source does; else it is lossy, and
    what is lost is reported. Lehtimäki et al. 2022, "Accelerating neural ODEs using model order reduction".
    """
    if k < 1 or m < 0:
        raise PassError("E0810", f"`k` and `m` of `reduce_order` are numbers from 1 on, not {k} and {m}")
    if tolerance < 0:
        raise PassError("E0810", f"`tolerance` of `reduce_order` is a share from 0 on, not {tolerance:g}")
    flat, origins = flattened(model, trained=True)
    node, told = solver_loop(flat, at)
    n = node.outputs[0].type.axes[-1].size.number
    if k > n:
        raise PassError("E0810", f"`k` is at most {n}, the entries of the state of `{told.path}`, not {k}")
    sites = function_sites(flat, node)
    probed, groups = probed_model(flat, node, told, sites)
    asked = [(groups[""], k), *((group, m or k) for name, group in groups.items() if name)]
    found = dict(zip(groups, looks.snapshots(unchanged(model, probed), asked), strict=True))
    root = ConversionScope("", size(1), Fresh(set()))
    vectors = root.op("constant", list=found[""].vectors)
    taken = weights_that_stay(flat, node)
    turns = any(path.startswith(f"{told.path}.*") for path in taken)  # then a list of them stands at the path
    stem = f"{told.path}{'_' if turns else '.'}"
    algebra = MatrixAlgebra(root, vectors, taken, f"{stem}reduced")
    work = _ReducedLoop(flat, node, algebra, found, sites, Fresh.of(flat.definition.graph), dependent_values(node))
    nodes = work.outer(algebra.free(f"{stem}basis"), k)
    graph = drop_dead(Graph(flat.definition.graph.inputs, nodes, flat.definition.graph.outputs))
    members = (*flat.definition.members, *algebra.targets().values())
    result = replace(flat, definition=replace(flat.definition, graph=graph))
    result = replace(result, definition=replace(result.definition, members=tuple(read_members(graph, members))))
    shown = in_blocks(result, origins)
    made, targets = root.close()
    notes = [Note(True, told.path, f"{n} -> {k} numbers, which hold {found[''].kept:.6g} of the squares of its states")]
    for name, basis in found.items():
        if name:
            count = len(basis.rows)
            notes.append(Note(True, name, f"at {count} of {len(basis.vectors)} entries, which hold {basis.kept:.6g}"))
    done = Passed(
        shown, conversion(model, shown, made, targets), tuple(notes), lossy="reduce_order", tolerance=tolerance
    )  # fmt: skip
    return named_after_blocks(done)


@dataclass(slots=True)
class _ReducedLoop:
    """Writes the loop anew. `combined`: values of its body that depend on the state; `plain`: names of the others."""

    flat: Model
    node: Node
    algebra: MatrixAlgebra
    found: dict[str, SnapshotBasis]
    sites: dict[str, str]
    fresh: Fresh
    dependent: set[str]
    combined: dict[str, Combination] = field(default_factory=dict)
    weights: dict[str, tuple[str, TensorType]] = field(default_factory=dict)
    types: dict[str, TensorType] = field(default_factory=dict)  # of all values of the loop as it was

    def __post_init__(self) -> None:
        values = [*self.flat.definition.graph.values.values(), *self.node.regions[0].values.values()]
        self.types = {value.name: value.type for value in values}

    def outer(self, path: str, k: int) -> tuple[Node, ...]:
        """The nodes of the model: Vᵀ x before the loop, and V z behind it; V is the weight of a path."""
        graph, basis = self.flat.definition.graph, self.algebra.basis
        n = self.node.outputs[0].type.axes[-1].size
        weight = Weight(path, TensorType("float", (Axis(n), Axis(size(k)))), "state", Init("zeros"))
        self.algebra.root.targets[path] = (basis, weight)
        nodes: list[Node] = []
        for each in graph.nodes:
            if each is not self.node:
                nodes.append(each)
                continue
            build = Building(self.fresh, {name: value.type for name, value in graph.values.items()}, span=each.span)
            v = build.add(Node.of(WeightAttrs(path), (), (Value(self.fresh.name("weight"), weight.type),)))
            z = build.op("matmul", each.inputs[0], v)
            state = Value(self.fresh.name("reduced"), build.types[z])
            region = self.region(each.regions[0], state, build.types)
            loop = replace(each, inputs=(z, *each.inputs[1:]), outputs=(state,), regions=(region,))
            build.add(loop)
            build.op("linear", state.name, v, None)
            *before, last = build.nodes
            nodes += [*before, replace(last, outputs=each.outputs)]
        return tuple(nodes)

    def region(self, region: Graph, like: Value, outer: dict[str, TensorType]) -> Graph:
        """The body on coordinates."""
        first = region.inputs[0]
        state = Value(self.fresh.name(first.hint or "state"), like.type, first.hint)
        types = {**outer, **{value.name: value.type for value in region.inputs}, state.name: state.type}
        build = Building(self.fresh, types)
        length = first.type.axes[-1].size.number
        self.combined[first.name] = Combination(length, (ScaledMatrix(self.algebra.basis, state.name),))
        for node in region.nodes:
            build.span = node.span
            self.step(build, node)
        (output,) = region.outputs
        made = self.algebra.written(build, self.fresh, self.algebra.projected(self.vector(build, output, length)))
        return drop_dead(Graph((state, *region.inputs[1:]), tuple(build.nodes), (made,)))

    def step(self, build: Building, node: Node) -> None:
        """One operation of the body."""
        if isinstance(node.structure, WeightAttrs):
            self.weights[node.outputs[0].name] = (node.path, node.outputs[0].type)
            build.add(node)
            return
        if not any(isinstance(x, str) and x in self.combined for x in node.operands):
            build.add(node)
            return
        made = self.made(build, node)
        if made is None:
            raise PassError("E0811", f"`{node.op}` on the state of a loop is no map by a weight: it is not reduced")
        self.combined[node.outputs[0].name] = made

    def made(self, build: Building, node: Node) -> Combination | None:
        """The result of an operation, if it is of those that can be reduced."""
        length = node.outputs[0].type.axes[-1].size.number if node.outputs[0].type.axes else 0
        a, *others = node.inputs
        match node.op:
            case "add" | "sub":
                right = self.vector(build, others[0], length)
                if node.op == "sub":
                    right = self.scaled(build, right, Const(-1.0))
                left = self.vector(build, a, length)
                found = Combination(length, (*left.terms, *right.terms))
                both = all(isinstance(x, str) and x in self.combined for x in node.inputs)
                return self.state(build, found) if both and self.is_state(found) else found
            case "neg":
                return self.scaled(build, self.vector(build, a, length), Const(-1.0))
            case "mul" | "div" if node.outputs[0].name not in self.sites:
                x, by = (a, others[0]) if isinstance(a, str) and a in self.combined else (others[0], a)
                if is_number(by, build.types):
                    return self.scaled(build, self.combined[str(x)], by, node.op)
                return self.stretched(self.vector(build, x, length), self.weight(str(by)), node.op)
            case "linear" | "matmul":
                y = self.mapped(node)
                whole = y is not None and length == self.node.outputs[0].type.axes[-1].size.number
                return self.state(build, y) if y is not None and whole and self.is_step(node.outputs[0].name) else y
            case "slice":
                return self.sliced(node)
            case "concat" if node.attr("axis") == len(node.outputs[0].type.axes) - 1:
                return self.beside(build, node)
        return self.function(build, node, length) if OPS[node.op].kind == "elementwise" else None

    def is_step(self, name: str) -> bool:
        """Whether a value goes into steps of the solver alone, times numbers and in sums: a derivative of the state."""
        region = self.node.regions[0]
        if name in region.outputs:
            return True
        users = region.users[name]
        for user in users:
            others = [x for x in user.inputs if x != name and (x in self.dependent or not is_number(x, self.types))]
            if user.op not in ("add", "sub", "neg", "mul", "div") or not set(others) <= self.dependent:
                return False
            if user.op in ("mul", "div") and others:
                return False
            if not any(self.states(x) for x in others) and not self.is_step(user.outputs[0].name):
                return False
        return bool(users)

    def states(self, name: Operand) -> bool:
        """Whether a value is the state, or that after a step."""
        region = self.node.regions[0]
        if name == region.inputs[0].name:
            return True
        node = region.producers.get(str(name))
        return (
            node is not None and node.op in ("add", "sub") and any(self.states(x) for x in node.inputs if x is not None)
        )

    def is_state(self, x: Combination) -> bool:
        """Whether it is a state to which something is added, by a step of the solver."""
        return any(term.matrix == self.algebra.basis for term in x.terms)

    def state(self, build: Building, x: Combination) -> Combination:
        """The vectors nearest to it that are V times something: steps go along V alone."""
        z = self.algebra.written(build, self.fresh, self.algebra.projected(x))
        return Combination(x.length, (ScaledMatrix(self.algebra.basis, z),))

    def mapped(self, node: Node) -> Combination | None:
        """W x + b of vectors."""
        x, w, *more = node.inputs
        if w not in self.weights or x not in self.combined:
            return None
        weight = self.weight(str(w))
        weight = weight if node.op == "linear" else self.algebra.transposed(weight)
        y = self.algebra.mapped(weight, self.combined[str(x)])
        bias = more[0] if more else None
        if bias is None:
            return y
        if bias not in self.weights:
            return None
        return Combination(y.length, (*y.terms, ScaledMatrix(self.weight(str(bias)), None, True)))

    def weight(self, name: str) -> str:
        """A weight of the source in the conversion."""
        path = self.weights[name][0]
        key = ("weight", path)
        if key not in self.algebra.made:
            info = next(info for info in weights(self.flat) if info.path == path)
            if info.iterations:
                raise PassError("E0811", f"`{path}` differs between iterations: the loop is none of one equation")
            self.algebra.made[key] = whole_weight(self.algebra.root, info)
            self.algebra.hints[self.algebra.made[key]] = path
        return self.algebra.made[key]

    def stretched(self, x: Combination, by: str, op: str) -> Combination:
        """Vectors times, or over, a vector [d] of the conversion, entry by entry."""
        column = self.algebra.turned_up(by)
        terms = []
        for term in x.terms:
            matrix = self.algebra.identity(x.length) if term.matrix is None else term.matrix
            terms.append(replace(term, matrix=self.algebra.op(op, matrix, by if term.vector else column)))
        return Combination(x.length, tuple(terms))

    def sliced(self, node: Node) -> Combination | None:
        """Entries of vectors, one behind the other."""
        *whole, last = node.attr("items")
        if any(item != ("all",) for item in whole):
            return None
        x = self.combined[str(node.inputs[0])]
        if last == ("all",):
            return x
        if last[0] != "slice" or not all(isinstance(each, int) or each.is_number for each in last[1:]):
            return None
        start, stop, step = (each if isinstance(each, int) else each.number for each in last[1:])
        return self.algebra.rows(x, range(start, stop, step))

    def beside(self, build: Building, node: Node) -> Combination:
        """Vectors behind each other."""
        terms: list[ScaledMatrix] = []
        parts = [(x, build.types[str(x)] if x not in self.combined else None) for x in node.inputs]
        lengths = [self.combined[str(x)].length if type is None else type.axes[-1].size.number for x, type in parts]
        for place, ((x, _), length) in enumerate(zip(parts, lengths, strict=True)):
            before, after = sum(lengths[:place]), sum(lengths[place + 1 :])
            for term in self.vector(build, x, length).terms:
                matrix = self.algebra.identity(length) if term.matrix is None else term.matrix
                wide = self.algebra.op("pad", matrix, axis=0, before=size(before), after=size(after))
                terms.append(replace(term, matrix=wide))
        return Combination(sum(lengths), tuple(terms))

    def function(self, build: Building, node: Node, length: int) -> Combination:
        """A function of each entry: at some of them, from which the others follow."""
        basis = self.found[self.sites[node.outputs[0].name]]
        operands: list[Operand] = []
        for x in node.inputs:
            if x is None or (x not in self.combined and is_number(x, build.types)):
                operands.append(x)
                continue
            few = self.algebra.rows(self.vector(build, x, length), basis.rows)
            operands.append(self.algebra.written(build, self.fresh, few))
        y = build.op(node.op, *operands, **dict(node.attrs))
        lift = self.algebra.op("constant", list=basis.lift)
        return Combination(length, (ScaledMatrix(lift, y),))

    def vector(self, build: Building, x: Operand, length: int) -> Combination:
        """An operand as a combination of so many entries: numbers are the same in each."""
        if isinstance(x, str) and x in self.combined:
            found = self.combined[x]
            if found.length == length:
                return found
            raise PassError("E0811", "a vector of one entry is spread over others in the loop: it is not reduced")
        ones = self.algebra.op("ones", sizes=(Axis(size(length)),))
        if isinstance(x, str) and x in self.weights and is_vector(build.types[x], length):
            return Combination(length, (ScaledMatrix(self.weight(x), None, True),))
        if isinstance(x, str) and not is_number(x, build.types):
            return Combination(length, (ScaledMatrix(None, x),))
        if isinstance(x, str):
            return Combination(length, (ScaledMatrix(ones, x, True),))
        number = value_of(x.value) if isinstance(x, Const) else None
        if number is None:
            raise PassError("E0811", "a number that depends on sizes meets the state of the loop: it is not reduced")
        return Combination(length, (ScaledMatrix(self.algebra.op("mul", ones, float(number)), None, True),))

    def scaled(self, build: Building, x: Combination, by: Operand, op: str = "mul") -> Combination:
        """A combination times a number, or over one."""
        number = value_of(by.value) if isinstance(by, Const) else None
        if number == 0 and op == "mul":
            return Combination(x.length, ())
        terms = []
        for term in x.terms:
            if term.value is not None:
                terms.append(replace(term, value=build.op(op, term.value, by)))
            elif number is not None and term.matrix is not None:
                terms.append(replace(term, matrix=self.algebra.op(op, term.matrix, float(number))))
            else:
                one = build.op("ones", sizes=())
                terms.append(replace(term, value=build.op(op, one, by)))
        return Combination(x.length, tuple(terms))
