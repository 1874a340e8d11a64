"""Interfaces between the use cases and the machine. Each docstring is the contract that the contract tests check."""
