"""Statements come out as the standard formatter would write them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogive.backends.python_text.expr import Code, name
from ogive.backends.python_text.pretty import flat
from ogive.backends.python_text.render import rendered
from ogive.backends.python_text.statements import Assign, Evaluate, For, If, Raise, Return, Statement
from ogive.backends.pytorch.names import MODULE_ATTRIBUTES, MODULE_DATA

NAMES = st.sampled_from(
    ["x", "self.heads", "scores", "attention_probabilities", "hidden_states", "2", "1e-5", '"mean"']
)
OPERATORS = st.sampled_from(["+", "-", "*", "/", "@", "**", "//", "<", "=="])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    args = st.lists(inner, min_size=1, max_size=3).map(", ".join)
    return st.one_of(
        st.builds("torch.cat({}, dim=-1)".format, args),
        st.builds("(({}) {} ({}))".format, inner, OPERATORS, inner),
        st.builds("self.attn({}).view({}).unbind(0)".format, inner, args),
        st.builds("x[:, ({}) : ({})]".format, inner, inner),
        st.builds("(({}) if training else ({}))".format, inner, inner),
        st.builds("-({})".format, inner),
    )


EXPRESSIONS = st.recursive(NAMES, _larger, max_leaves=12)


def parse(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def statement(text: str) -> Statement:
    """The node of a statement, or of the head of one."""
    (node,) = ast.parse(f"{text} pass" if text.endswith(":") else text).body
    match node:
        case ast.Assign(targets=[target], value=value):
            return Assign(Code(target), Code(value))
        case ast.Return(value=ast.expr() as value):
            return Return(Code(value))
        case ast.Raise(exc=ast.expr() as value):
            return Raise(Code(value))
        case ast.For(target=target, iter=value):
            return For(Code(target), Code(value), (Evaluate(name("x")),))
        case ast.If(test=value):
            return If(Code(value), (Evaluate(name("x")),))
    raise AssertionError(text)


@given(EXPRESSIONS)
def test_an_expression_keeps_its_meaning(text: str) -> None:
    assert ast.dump(parse(flat(parse(text)))) == ast.dump(parse(text))


@given(EXPRESSIONS, st.sampled_from([0, 4, 8]))
def test_breaking_lines_keeps_the_meaning(text: str, indent: int) -> None:
    lines = "\n".join(rendered([statement(f"hidden = {text}")], indent))
    head = "if x:\n" if indent else ""
    body = "\n".join(line[max(0, indent - 4) :] for line in lines.splitlines())
    (node,) = ast.parse(head + body).body
    assign = node.body[0] if isinstance(node, ast.If) else node
    assert ast.dump(assign) == ast.dump(ast.parse(f"hidden = {text}").body[0])


STATEMENTS = """
x = x + self.attn(self.ln_1(x))
q, k, v = self.c_attn(x).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4).contiguous().unbind(0)
q, k, v = self.c_attn(normalized_hidden_states).view(batch, sequence, 3, self.heads, -1)
return F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask, is_causal=True, scale=scale)
return torch.cat((self.first_long_module_name(hidden_states), self.second_long_module_name(hidden_states)), dim=1)
self.h = nn.ModuleList(TransformerDecoderLayer(d_model, heads, d_feed_forward, dropout) for _ in range(depth))
x = hidden_states[:, start_position : start_position + length_of_window]
h = torch.sigmoid(input_gate_pre_activation) * torch.tanh(cell_candidate) + forget_gate * cell
if condition_on_the_first_size != 0 and condition_on_the_second_size != 0 and third_size > 10:
for layer, keys_of_layer, values_of_layer in zip(self.transformer_layers, cached_keys, cached_values):
raise ValueError("a message that says in one line what was expected of the sizes of the inputs")
self.stages = nn.ModuleList([Stage(64, 64, 3, 1), Stage(64, 128, 4, 2), Stage(128, 256, 6, 2), Stage(256, 512, 3, 2)])
""".strip().splitlines()


@pytest.mark.parametrize("indent", [0, 8])
def test_statements_are_laid_out_as_ruff_does(indent: int, tmp_path: Path) -> None:
    lines: list[str] = ["class A:", "    def f(self):"] if indent else []
    for text in STATEMENTS if indent else [s for s in STATEMENTS if not s.startswith("return")]:
        lines += rendered([statement(text)], indent)
    path = tmp_path / "a.py"
    path.write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--diff", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_names_of_module_attributes_are_current() -> None:
    # in a process of its own: what other tests import may add attributes
    script = "from torch import nn; print(*dir(nn.Module())); print(*vars(nn.Module()))"
    found, data = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    public = {name for name in found.split() if not name.startswith("_")}
    assert public - {"dump_patches"} <= MODULE_ATTRIBUTES
    assert set(data.split()) <= MODULE_DATA
