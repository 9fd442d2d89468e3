"""Sources that pages link to, as pages: coloured, programs with a link to the playground, the file beside each."""

from __future__ import annotations

from pathlib import PurePosixPath

LANGUAGES = {".arch": "arch", ".py": "python", ".toml": "toml", ".lark": "text", ".json": "json"}
HEAD = "---\nsearch: { exclude: true }\nhide: [toc]\n---\n\n"


def has_page(name: str) -> bool:
    """Whether a file is shown as a page."""
    return PurePosixPath(name).suffix in LANGUAGES


def source_page(name: str, text: str) -> str:
    """The page of a file, in Markdown."""
    path = PurePosixPath(name)
    fence = "```" if path.suffix == ".arch" else "~~~~~~"  # a program has no fences in it, Python may
    head = f"{HEAD}# {path.name}\n\n[`{name}`]({path.name}), as it is:\n\n"
    return f"{head}{fence}{LANGUAGES[path.suffix]}\n{text.rstrip()}\n{fence}\n"
