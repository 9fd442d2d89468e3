"""The version of the package, which stands in what it writes."""

VERSION = "0.1.0"
