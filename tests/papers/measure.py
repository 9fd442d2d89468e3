"""Runs the trials of papers and stores what they gave: `PYTHONPATH=src:tests python -m papers.measure tversky ...`."""

from __future__ import annotations

import json
import subprocess
import sys

import torch

from papers.frame import RESULTS, ROOT, paper
from papers.trial import tried


def commit() -> str:
    """The last commit that is in main too, with `+` where files differ from it."""
    run = ["git", "-C", str(ROOT)]
    head = subprocess.run([*run, "merge-base", "HEAD", "main"], capture_output=True, text=True, check=True).stdout[:10]
    changed = subprocess.run([*run, "diff", "--name-only", head], capture_output=True, text=True, check=True).stdout
    return head.strip() + ("+" if changed.strip() else "")


def main(slugs: list[str]) -> None:
    """Write the results of these rows."""
    torch.set_num_threads(1)
    RESULTS.mkdir(parents=True, exist_ok=True)
    for slug in slugs:
        told = {
            "slug": slug,
            "commit": commit(),
            "command": f"python -m papers.measure {slug}",
            **tried(paper(slug).trial),
        }
        (RESULTS / f"{slug}.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        print(slug, told["verdict"], told["seconds"], json.dumps(told["runs"]))


if __name__ == "__main__":
    main(sys.argv[1:])
