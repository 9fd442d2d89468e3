"""`ogive` and `python -m ogive`: the command line."""

from ogive.cli import cli


def main() -> None:
    """Run the command line and leave with its status."""
    cli(prog_name="ogive")


if __name__ == "__main__":
    main()
