"""Derivatives of `grad`, written as operations of the IR."""
