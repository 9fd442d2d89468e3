"""The command line."""

import click


@click.group()
@click.version_option(package_name="ogive")
def cli() -> None:
    """Check, show and build neural architectures written in Ogive."""
