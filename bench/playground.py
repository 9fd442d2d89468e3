"""How long the playground takes in a headless Chromium: from the page to the first check of GPT-2, and after a key.

`python -m bench.playground SITE` from the root of the tree, where SITE is built by `docs/site/build.py` and completed
by `docs/site/playground.py`. Each cold start has a browser and a profile of its own. The goals are 10 s and 300 ms.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median

from bench.browser import Browser, browser, served

COLD, WARM = 10.0, 0.3  # seconds
TURNS = 5
PAGE = "docs/playground.html"
EDIT = """(() => {
  const area = desk.querySelector("textarea");
  area.value = area.value.replace(/std=[0-9.]+/, "std=0.0%d");
  area.dispatchEvent(new Event("input"));
})()"""


def checked(page: Browser, times: int) -> None:
    """Wait for so many checks, and for what is looked at after the last of them."""
    page.until(f"Number(desk.dataset.checked) >= {times} && Number(desk.dataset.looked) >= {times}")


def cold(address: str) -> tuple[float, list[float]]:
    """Seconds to the first check in a fresh browser, and for checks after edits of a line."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, browser(Path(folder)) as page:
        page.sized(1280, 900)
        page.open(address + PAGE)
        checked(page, 1)
        first, later = page.run("Number(desk.dataset.since)") / 1000, []
        for turn in range(TURNS):
            page.run(EDIT % (turn + 3))
            checked(page, turn + 2)
            later.append(page.run("Number(desk.dataset.took)") / 1000)
        return first, later


def main(site: Path) -> int:
    """Print the medians; the status is 1 where a goal is missed."""
    with served(site) as address:
        found = [cold(address) for _ in range(TURNS)]
    first, later = median(first for first, _ in found), median(median(later) for _, later in found)
    print(f"first check of GPT-2, cold: {first:.2f} s, goal {COLD:g} s")
    print(f"check after an edit: {later * 1000:.0f} ms, goal {WARM * 1000:.0f} ms")
    return int(first > COLD or later > WARM)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
