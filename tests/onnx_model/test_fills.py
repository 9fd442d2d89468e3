"""A large number may be infinite in a half where nothing but what leaves it out reads it, wherever both stand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ogive
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.graph.errors import Unheld
from ogive.backends.onnx_model.serialize.write import whole
from onnx_model.harness import session

BLOCKS = """
block far(x: [*b]) -> [*b]:
    return select(x > 0, x, -1e5)
block on(x: [*b]) -> [*b]:
    y = 0.5 * x
    return y + 0.001
block soft(x: [*b, n], u: [*b, n]) -> [*b, n]:
    LONG
    return t + softmax[-1](x)
block top(x: [*b, n], u: [*b, n]) -> [*b]:
    LONG
    return t[..., 0] + max[-1](x)
block shown(x: [*b, n], u: [*b, n]) -> [*b, n]:
    LONG
    return t + relu(x) + (max[-1](x) |> expand["*b -> *b 1"])
block given_back(x: [*b, n], u: [*b, n]) -> (y: [*b, n], z: [*b, n]):
    LONG
    return t + softmax[-1](x), 0.5 * x
block both(x: [*b, n], u: [*b, n]) -> [*b, n]:
    y = soft(x, u)
    if training:
        y = 2 * y
    LONG
    return t + y + relu(x)
block arms(x: [*b, n], u: [*b, n]) -> [*b, n]:
    if training:
        y = softmax[-1](2 * x)
    else:
        y = softmax[-1](x)
    return y
block arm(x: [*b, n], u: [*b, n]) -> [*b, n]:
    if training:
        y = softmax[-1](2 * x)
    else:
        y = x - 1
    return y
block first(x: [*b, n], u: [*b, n]) -> [*b, n]:
    y, z = given_back(x, u)
    return y
block second(x: [*b, n], u: [*b, n]) -> [*b, n]:
    y, z = given_back(x, u)
    return y + softmax[-1](z)
block third(x: [*b, n], u: [*b, n]) -> [*b, n]:
    y, z = given_back(x, u)
    return y + relu(z)
""".replace("LONG", "t = 0 * sin(cos(sin(cos(sin(cos(u))))))")  # short ones would be inlined
MADE = {
    "here": "s = select(x > 0, x, -1e5)",
    "in a block": "s = far(x)",
    "in an arm": "if training:\n        s = x\n    else:\n        s = select(x > 0, x, -1e5)",
    "in both arms": "if training:\n        s = 2 * far(x)\n    else:\n        s = far(x)",
    "in an arm of an arm": "s = x\n    if given(u):\n        s = x + u\n    elif training:\n        s = x\n    else:\n"
    "        s = on(select(x > 0, x, -1e5))",
    "in a block, handed on": "s = on(far(x))",
    "turned": "s = -select(x > 0, x, 1e5)",
    "padded": "s = pad[-1, before=0, after=1, value=-1e5](x)[:, :n]",
}
READ = {
    "by softmax": ("softmax[-1](s)", True),
    "by a maximum": ("s * 0 + 1 + max[-1](s)[0]", False),
    "by a maximum alone": ("x + max[-1](s)[0]", True),
    "by a block": ("soft(s, x)", True),
    "by a block, twice": ("soft(s, x) + soft(2 * s, x)", True),
    "by two blocks": ("soft(s, x) + top(s, x)[0]", True),
    "by arms": ("arms(s, x)", True),
    "by one arm": ("arm(s, x)", False),
    "by a block that shows it": ("shown(s, x)", False),
    "by one that shows it after another": ("soft(s, x) + shown(s, x)", False),
    "by one that shows it before another": ("shown(s, x) + soft(s, x)", False),
    "by a block that does both": ("both(s, x)", False),
    "by a block that gives it back, to nothing": ("first(s, x)", True),
    "by a block that gives it back, to a softmax": ("second(s, x)", True),
    "by a block that gives it back, to be shown": ("third(s, x)", False),
    "as it is": ("s", False),
}
X = np.array([[1.0, -2.0, 0.5, 3.0], [0.25, 4.0, -1.0, 2.0]], np.float16)


@pytest.mark.parametrize("made", MADE)
def test_a_large_number_is_refused_exactly_where_something_shows_it(made: str) -> None:
    for read, (code, hides) in READ.items():
        _examined(f"    {MADE[made]}\n    return {code}\n", hides, (made, read))


USES = {  # the block that makes the number is one, its uses are several
    "hidden by all": ("soft(far(x), x) + soft(far(2 * x), x)", True),
    "shown by the first": ("shown(far(x), x) + soft(far(2 * x), x)", False),
    "shown by the last": ("soft(far(x), x) + shown(far(2 * x), x)", False),
    "hidden at two ranks": ("soft(far(x), x) + soft(far(x[0]), x[0])", True),
    "shown at one rank": ("shown(far(x), x) + soft(far(x[0]), x[0])", False),
    "shown at the other rank": ("soft(far(x), x) + shown(far(x[0]), x[0])", False),
    "shown by a block of one rank": ("soft(far(x), x) + both(far(x[0]), x[0])", False),
}


@pytest.mark.parametrize("use", USES)
def test_a_block_that_is_used_twice_is_as_all_of_its_uses_say(use: str) -> None:
    code, hides = USES[use]
    _examined(f"    return {code}\n", hides, use)


THROUGH = {  # what may stand between the number and what leaves it out
    "scaled": ("softmax[-1](3 * s / 4)", True),
    "scaled by a size": ("softmax[-1](n * s)", True),
    "scaled by nothing": ("softmax[-1](0 * s)", False),
    "scaled by a tensor": ("softmax[-1](x * s)", False),
    "turned": ("softmax[-1](-2 * s)", False),
    "turned twice": ("softmax[-1](-(s * -2))", True),
    "turned, by a minimum": ("x + min[-1](-s)[0]", True),
    "by a minimum": ("x + min[-1](s)[0]", False),
    "less something": ("softmax[-1](s - x)", True),
    "taken from something": ("softmax[-1](x - s)", False),
    "taken from something, by a minimum": ("x + min[-1](x - s)[0]", True),
    "divided by": ("x + 1 / s", False),
    "by a pattern": ('x + reduce["b n -> b", max](s)[0]', True),
    "by a pattern that adds up": ('x + reduce["b n -> b", sum](s)[0]', False),
    "a mask of attention": ("attention(x, eye[n], eye[n], s)", True),
    "a turned mask of attention": ("attention(x, eye[n], eye[n], -s)", False),
    "queries of attention": ("attention(s, eye[n], eye[n])", False),
    "mask and queries of attention": ("attention(s, eye[n], eye[n], s)", False),
    "as an integer": ("x + cast[float](cast[int](s))", False),
}


@pytest.mark.parametrize("through", THROUGH)
def test_what_stands_between(through: str) -> None:
    code, hides = THROUGH[through]
    _examined(f"    {MADE['here']}\n    return {code}\n", hides, through)


def _examined(body: str, hides: bool, told: object) -> None:
    text = f"{BLOCKS}block F(x: [b, n], u: [b, n]?) -> [b, n]\nwhere b >= 1:\n{body}model M = F\n"
    model = ogive.source(text).models["M"]
    if not hides:
        with pytest.raises(Unheld):
            exported(model.ir, {}, Settings(dtype="f16"))
        return
    found = session(whole(exported(model.ir, {}, Settings(dtype="f16")))).run(None, {"x": X})[0]
    wanted = model.torch().double().eval()(torch.from_numpy(X).double()).numpy()
    np.testing.assert_allclose(found.astype(np.float64), wanted, rtol=4e-3, atol=2e-3, err_msg=str(told))
