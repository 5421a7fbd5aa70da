"""Data: what is read, from where, and as what."""

from cuello.data import sets
from cuello.data.dataset import UNLABELLED, Dataset, constant_columns
from cuello.data.loading import load

__all__ = ["UNLABELLED", "Dataset", "constant_columns", "load", "sets"]
