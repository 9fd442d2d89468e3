"""One lowering for each operation, in files named as the families are."""
