"""The language server: the Language Server Protocol over `ogive.language`, by pygls. Needs `ogive[lsp]`."""
