"""The architectures that everyone knows, over sizes that nobody knows: exact help, legal sizes nearby."""

from __future__ import annotations

from pathlib import Path

import pytest

from check.programs import check, conditions, errors
from ogive.compiler.driver.workspace import check_text
from ogive.grammar.diagnostics import Diagnostic

EXAMPLES = Path(__file__).parents[2] / "examples"


def unet(output: str, where: str = "") -> str:
    """Five levels, halved by 3x3 convolutions, doubled by 2x2 transposed ones, additive skips at levels 1 to 4."""
    down = "".join(f"    e{i} = e{i - 1} |> Conv[8, 8, 3, stride=2, pad=1] as down{i}\n" for i in range(1, 6))
    up = "".join(
        f"    d{i} = (d{i + 1} |> ConvTranspose[8, 8, 2, stride=2] as up{i}) + e{i}\n" for i in range(4, 0, -1)
    ).replace("d5", "e5")
    return (
        "use std.vision (Conv, ConvTranspose)\n\n"
        f"block UNet(x: [b, 8, h]) -> [b, 8, {output}]{where}:\n"
        f"    e0 = x\n{down}{up}    return d1 |> ConvTranspose[8, 8, 2, stride=2] as up0\n"
    )


def test_unet_without_a_declared_output_size() -> None:
    (found,) = _errors(unet("k"))
    assert (found.code, found.help) == ("E0301", "where h % 32 in {0, 31}")
    assert _line(found) == "d4 = (e5 |> ConvTranspose[8, 8, 2, stride=2] as up4) + e4"
    assert "smallest counterexample: h = 1" in found.details
    assert "sizes nearby that fit: h = 31" in found.details


def test_unet_with_its_output_declared() -> None:
    (found,) = _errors(unet("h"))
    assert (found.code, found.help) == ("E0301", "where h % 32 == 0")


@pytest.mark.parametrize(("output", "where"), [("k", "h % 32 in {0, 31}"), ("h", "h % 32 == 0")])
def test_unet_holds_under_its_help(output: str, where: str) -> None:
    assert not errors(unet(output, f"\nwhere {where}"))


def test_a_weaker_condition_does_not_do() -> None:
    (found,) = _errors(unet("h", "\nwhere h % 16 == 0"))
    assert found.help == "where h % 32 == 0"
    assert "smallest counterexample: h = 16" in found.details


def test_resnet_accepts_every_size() -> None:
    program = check_text((EXAMPLES / "resnet.arch").read_text(encoding="utf-8"), "resnet.arch")
    assert program.models
    assert {model.conditions for model in program.models.values()} == {()}


def test_a_multiple_names_its_neighbours() -> None:
    source = """
        block quarter(x: [4*h]) -> [h]:
            return x[::4]

        block fits(x: [80]) -> [20]:
            return quarter(x)

        block fails(x: [81]) -> [20]:
            return quarter(x)
        """
    (found,) = _errors(source)
    assert _line(found) == "return quarter(x)"
    assert found.span.begin()[0] == 8
    assert "80" in found.message
    assert "84" in found.message


def test_conditions_flow_to_the_model() -> None:
    source = """
        block Half(x: [b, n]) -> [b, n // 2]
        where n % 2 == 0:
            return x[:, ::2]

        block Deep(x: [b, n]) -> [b, k]:
            for i in range(5):
                x = x |> Half
            return x

        model M = Deep where n % 32 == 0
        """
    assert conditions(source)["M"] == ("n % 32 == 0",)


def test_an_axis_that_may_vanish_flows_to_the_model() -> None:
    source = """
        use std.vision (Conv)
        block Net(x: [b, 3, h, w]) -> [b, 3, k, l]:
            return x |> Conv[3, 3, 3] as a |> Conv[3, 3, 3, stride=2] as b |> Conv[3, 3, 5] as c

        model M = Net
        """
    assert conditions(source)["M"] == ("h >= 13", "w >= 13")


def test_a_kernel_without_a_number_is_proved_for_all() -> None:
    source = """
        use std.vision (Conv)
        block Same[k](x: [b, 3, h, w]) -> [b, 3, h, w]:
            return Conv[3, 3, k, pad=k // 2](x)
        """
    (found,) = _errors(source)
    assert (found.code, found.help) == ("E0301", "where k % 2 == 1")
    stated = source.replace("h, w]:", "h, w] where k % 2 == 1:")
    assert conditions(stated)["Same"] == ("k % 2 == 1",)
    valid = source.replace("[b, 3, h, w]:", "[b, 3, j, l]:").replace("pad=k // 2", "pad=0")
    assert conditions(valid)["Same"] == ("h >= k", "w >= k")


def test_a_remainder_of_a_quotient_prints_as_one() -> None:
    source = """
        block f[p, s](x: [b, h]) -> [b, h]
        where h // p % s == 0:
            return x

        block g[p, s](x: [b, h]) -> [b, h]:
            return x |> f[p, s]
        """
    assert conditions(source)["g"] == ("h//p % s == 0",)


def test_sizes_nearby_fit_what_is_used_too() -> None:
    source = """
        block half(x: [b, 2*h + 1]) -> [b, h]:
            return x[:, :h]

        block user(x: [b, n]) -> [b, n // 2]:
            return half(x)
        """
    (found,) = _errors(source)
    assert found.details == ("smallest counterexample: n = 2", "sizes nearby that fit: n = 3")


def test_a_number_that_says_nothing_of_the_sizes_hides_none_nearby() -> None:
    source = """
        block f[depth: nat](x: [b, h]) -> [b, h]:
            for i in range(depth):
                x = x[:, : h // 4 * 4]
            return x

        model M = f[depth=2]
        """
    (found,) = _errors(source)
    assert found.details == ("smallest counterexample: h = 1", "sizes nearby that fit: h = 4")


def test_a_help_is_said_in_the_sizes_that_are_open() -> None:
    source = """
        use std.vision (Conv)
        block Halved[n: nat](x: [b, 4, h]) -> [b, 4, h // 2**n]:
            for i in range(n):
                x = Conv[4, 4, 3, stride=2, pad=1](x)
            return x

        model M = Halved[n=3]
        """
    (found,) = _errors(source)
    assert found.help == "where h % 8 == 0"
    assert conditions(source.replace("2**n]:", "2**n] where h % 2**n == 0:"))["M"] == ("h % 8 == 0",)


def test_a_number_is_no_name_of_a_size() -> None:
    source = """
        use std.vision (Conv)
        block Mirrored(x: [b, 2, n]) -> [b, 2, m]:
            return Conv[2, 2, 3, pad=2, pad_mode="reflect"](x)
        """
    (found,) = _errors(source)
    assert found.help == "where n >= 3"
    assert found.details[:2] == ("smallest counterexample: n = 1", "sizes nearby that fit: n = 3")
    assert conditions(source.replace("m]:", "m] where n >= 3:"))["Mirrored"] == ("n >= 3",)


def _errors(source: str) -> list[Diagnostic]:
    return [found for found in check(source).diagnostics if found.severity == "error"]


def _line(found: Diagnostic) -> str:
    return found.span.chunk.text.split("\n")[found.span.begin()[0] - found.span.chunk.line].strip()


def test_sizes_nearby_are_told_beside_conditions_on_other_sizes() -> None:
    (found,) = check("""
        block f[k: nat](x: [b, n]) -> [b, m]:
            if k == 0:
                return x
            return x |> reduce["b (n t) -> b n", mean, t=2]

        model M = f[k=1]
    """).diagnostics
    assert found.details == ("smallest counterexample: n = 1", "sizes nearby that fit: n = 2")
