"""The exceptions that steer an elaboration: none of them reaches who called the compiler.

Two kinds come from below and are turned into these, or into findings, where a statement is run (`walk.statements`),
an expression is evaluated, a frame is `bounded`, or a check begins: `sizes.TooComplexError` (a question about sizes
takes too many steps; `sizes.ExhaustedError`: all questions of a check together) and `ir.presence.PresenceTooLarge`.
"""

from __future__ import annotations

from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.source import Span


class StatementFailed(Exception):
    """A mistake that has been reported; the statement in which it is made ends here.

    Raised by whatever meets a mistake, as `raise frame.fail(...)`. Caught where statements are run
    (`walk.statements.execute`): the names that it would have bound are broken, and nothing more is reported of them.
    Caught too where more can be checked although a part is wrong: inputs and outputs of a block, `init` and `keep`
    lines, constants, the given block of a typed static, statics from Python, and where a check begins (`driver.check`).
    """


class UnresolvedChoice(Exception):
    """A choice at compile time depends on a value that nobody here knows: it is resolved where the block is used.

    Raised by `Frame.decide` and `Frame.number` where no user is left to ask, and by whatever needs the value of an
    `UnknownStatic` or the number of axes of an open pack. Caught by the session, which drops the specialization (and
    keeps in `found` what is wrong whatever the choice), where it can do without the number, and by the check: a block
    is then proved at its uses, and of a model it is an error (E0602).
    """

    def __init__(self, what: str, span: Span | None = None) -> None:
        super().__init__(what)
        self.what, self.span = what, span
        self.found: list[Diagnostic] = []  # faults on the way that no choice can mend


class LimitReached(Exception):
    """A limit that protects the user was reached. Where the steps of the check are `exhausted`, `span` is where.

    Raised by the session (steps, nesting, a block that uses itself without end) and by constants. On its way up,
    `walk.statements` notes the user's statement and the outermost loop. Caught by constants and where a check begins:
    E0701.
    """

    def __init__(self, text: str, span: Span | None = None, exhausted: bool = False) -> None:
        super().__init__(text)
        self.span, self.exhausted = span, exhausted


class GenericProofFailed(Exception):
    """A constraint on numbers alone is not proved without them: no proof for all sizes can be had.

    Raised by `Proof.require`, in the block of a model that is proved over unknowns in place of its numbers. Caught by
    `Session.make`, which elaborates the block once more over what relates the sizes of this use.
    """


class CallSignatureConflict(Exception):
    """A call gives other inputs than the calls of the instance before it.

    Raised by `calls.call_consistency.agree`, which has noted what all of them have in common. Caught by the session
    where it elaborates the body with that allocation (`of`, compared by identity): once more, with what is known now.
    """

    def __init__(self, of: object) -> None:
        super().__init__("the calls of an instance give different inputs")
        self.of = of


class BuiltinMisuse(Exception):
    """The arguments of a function on compile-time values do not fit; the text says how, and the code which mistake it
    is (E0407: their kind).

    Raised by `rules.builtins`, which know no place. Caught by `rules.operations`, which reports it at the call.
    """

    def __init__(self, text: str, code: str = "E0407") -> None:
        super().__init__(text)
        self.code = code
