"""Programs of pages open in the playground: a link behind each, which holds the program."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode

PROGRAM = re.compile(r"(?ms)^```arch[^\n]*\n(.*?)^```$")


def fragment(program: str) -> str:
    """What stands behind the address of the playground; its script reads it (`playground/link.js`)."""
    return "#program=" + urlsafe_b64encode(program.encode("utf-8")).decode("ascii").rstrip("=")


def with_links(text: str, playground: str) -> str:
    """A page of Markdown, from which the playground is at this address."""
    return PROGRAM.sub(lambda found: f"{found[0]}\n\n[Try it]({playground}{fragment(found[1])}){{ .try }}", text)
