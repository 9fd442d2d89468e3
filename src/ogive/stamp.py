"""What a written file says of itself: version, source, model and statics, and a hash that shows later edits."""

from __future__ import annotations

import hashlib
import json
import os
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from ogive.backends.diagram import png
from ogive.backends.diagram.figure.labels import printable
from ogive.compiler.driver.workspace import CheckedProgram, texts_of
from ogive.version import VERSION

HASH = re.compile(rb"sha256 ([0-9a-f]{64})")
BLANK = "0" * 64
WIDTH = 100  # of a line of Python
KEY = "ogive."  # before the names of metadata
COMMENTS = {"py": "# ", "toml": "# ", "tex": "% ", "tikz": "% ", "mmd": "%% ", "dot": "// ", "txt": "# "}


@dataclass(frozen=True, slots=True)
class Stamp:
    """Where a file comes from. `source` names files without folders, `digest` is that of their texts."""

    source: str
    digest: str
    model: str
    statics: str = "{}"  # JSON
    passes: str = ""
    command: str = ""

    @staticmethod
    def of(program: CheckedProgram, model: str) -> Stamp:
        """That of what is made of a checked file."""
        texts = [hashlib.sha256(text.encode(errors="surrogatepass")).digest() for _, text in texts_of(program)]
        name = "text" if program.path.startswith("<") else printable(os.path.basename(os.path.realpath(program.path)))
        return Stamp(name, hashlib.sha256(b"".join(texts)).hexdigest()[:16], model)

    def named(self, model: str, statics: Mapping[str, Any]) -> Stamp:
        """That of a block or a model of the file."""
        return replace(self, model=model, statics=printable(json.dumps(dict(statics), ensure_ascii=False)))

    def after(self, passes: str) -> Stamp:
        """That of a model that passes made."""
        return replace(self, passes="; ".join(filter(None, (self.passes, passes))))

    def by(self, command: str) -> Stamp:
        """That of a file that a command writes."""
        return replace(self, command=command)

    def beside(self, other: Stamp) -> Stamp:
        """That of what compares two of them."""
        return Stamp(
            f"{self.source} and {other.source}", f"{self.digest} and {other.digest}", f"{self.model} and {other.model}",
            json.dumps([json.loads(self.statics), json.loads(other.statics)], ensure_ascii=False),
        )  # fmt: skip

    def together(self, others: Sequence[Stamp]) -> Stamp:
        """That of what holds several models of a file."""
        every = (self, *others)
        statics = json.dumps([json.loads(each.statics) for each in every], ensure_ascii=False)
        return replace(self, model=", ".join(each.model for each in every), statics=statics)

    @property
    def metadata(self) -> dict[str, str]:
        """The entries of a file of weights."""
        return {f"{KEY}version": VERSION, f"{KEY}source": self.source} | self.identity

    @property
    def identity(self) -> dict[str, str]:
        """The entries of which some must be alike where a file of weights is replaced."""
        return {
            f"{KEY}command": self.command, f"{KEY}digest": self.digest, f"{KEY}model": self.model,
            f"{KEY}statics": self.statics, f"{KEY}passes": self.passes,
        }  # fmt: skip

    @property
    def words(self) -> str:
        """One line about the origin."""
        statics, names = json.loads(self.statics), self.model.split(", ")
        if isinstance(statics, dict):
            made = _made(self.model, statics)
        elif len(names) == len(statics):
            made = ", ".join(map(_made, names, statics))
        else:
            made = self.model
        after = f" after {self.passes}" if self.passes else ""
        return f"Ogive {VERSION}, from {self.source} {self.digest}: {made}{after}"

    def signed(self, data: bytes, format: str) -> bytes:
        """The file with its head: a comment, or what the format has for it."""
        if format == "png":
            digest = hashlib.sha256(data + self.words.encode()).hexdigest()
            return png.with_text(data, f"{self.words}\nsha256 {digest}")
        headed = PLACES[format](data, self.words)
        at = headed.index(f"sha256 {BLANK}".encode()) + len("sha256 ")
        rest = headed[:at] + headed[at + len(BLANK) :]
        return headed[:at] + hashlib.sha256(rest).hexdigest().encode() + rest[at:]


def _made(model: str, statics: Mapping[str, Any]) -> str:
    inner = ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in statics.items())
    return f"{model}[{inner}]" if inner else model


def intact(data: bytes) -> bool:
    """Whether a text or picture has our head, and is as it was written; other ends of lines do not count."""
    if data.startswith(png.SIGNATURE):
        plain, text = png.without_text(data)
        words, _, last = text.rpartition(b"\n")
        return last == f"sha256 {hashlib.sha256(plain + words).hexdigest()}".encode()
    data = data.replace(b"\r\n", b"\n")
    return any(
        match[1].decode() == hashlib.sha256(data[: match.start(1)] + data[match.end(1) :]).hexdigest()
        for match in HASH.finditer(data)
    )


def _commented(words: str, format: str) -> list[str]:
    mark = COMMENTS[format]
    lines = textwrap.wrap(words, WIDTH - len(mark), break_long_words=False, break_on_hyphens=False)
    return [mark + line for line in (*lines, f"sha256 {BLANK}")]


def _python(data: bytes, words: str) -> bytes:
    """After the docstring."""
    first, _, rest = data.decode().partition("\n")
    return "\n".join([first, "", *_commented(words, "py"), rest]).encode()


def _first(format: str, lines: int = 0) -> Callable[[bytes, str], bytes]:
    """Comments at the head, behind so many lines."""

    def placed(data: bytes, words: str) -> bytes:
        text = data.decode().split("\n")
        return "\n".join([*text[:lines], *_commented(words, format), *text[lines:]]).encode()

    return placed


def _last(data: bytes, words: str) -> bytes:
    return data + "\n".join(["", *_commented(words, "txt"), ""]).encode()


def _svg(data: bytes, words: str) -> bytes:
    """Behind the description, or at the head of a picture of another program, which has none."""
    inner = escape(f"{words}\nsha256 {BLANK}")
    place = re.search(rb"</desc>\n", data) or re.search(rb"<svg\b[^>]*>\n?", data)
    assert place is not None
    return data[: place.end()] + f"<metadata>{inner}</metadata>\n".encode() + data[place.end() :]


def _html(data: bytes, words: str) -> bytes:
    meta = f'<meta charset="utf-8">\n<meta name="generator" content={quoteattr(f"{words}; sha256 {BLANK}")}>\n'
    return data.replace(b'<meta charset="utf-8">\n', meta.encode(), 1)


def _pdf(data: bytes, words: str) -> bytes:
    """A comment, and the end of the file once more: readers look for the last one."""
    end = data[data.rindex(b"startxref") :]
    return data + f"% {words}\n% sha256 {BLANK}\n".encode() + end


def _drawio(data: bytes, words: str) -> bytes:
    inner = escape(words).replace("--", "- -")
    return data.replace(b"?>\n", f"?>\n<!-- {inner}; sha256 {BLANK} -->\n".encode(), 1)


def _excalidraw(data: bytes, words: str) -> bytes:
    said = json.dumps(f"{words}; sha256 {BLANK}", ensure_ascii=False)
    return data.replace(b'"source": "ogive"', f'"source": {said}'.encode(), 1)


def _archive(data: bytes, words: str) -> bytes:
    """The comment of the archive, which stands at its end as it is."""
    comment = f"{words}; sha256 {BLANK}".encode()[-(2**16) + 1 :]
    return data[:-2] + len(comment).to_bytes(2, "little") + comment


PLACES: dict[str, Callable[[bytes, str], bytes]] = {
    "py": _python, "toml": _first("toml"), "tex": _first("tex"), "tikz": _first("tikz"),
    "dot": _first("dot"), "mmd": _first("mmd", 4),
    "txt": _last, "svg": _svg, "html": _html, "pdf": _pdf,
    "drawio": _drawio, "excalidraw": _excalidraw, "pptx": _archive,
}  # fmt: skip
