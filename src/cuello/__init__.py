"""Autoencoders made practical: many examples, few labels, one command."""

__version__ = "0.1.0"
