"""`ogive` and `python -m ogive`: the command line."""

import gc

from ogive.cli import cli


def main() -> None:
    """Run the command line and leave with its status."""
    try:
        cli(prog_name="ogive")
    finally:
        gc.freeze()  # the process ends here: nothing is to be gained by looking for what can be freed


if __name__ == "__main__":
    main()
