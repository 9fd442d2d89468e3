"""What the reference says of operations, of the library and of the language, for pages and for `ogive explain`."""
