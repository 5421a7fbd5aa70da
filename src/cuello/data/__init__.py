"""Data: where samples come from, what is read of them, and what is done to them."""

from cuello.data.dataset import UNLABELLED, Dataset, constant_columns
from cuello.data.loading import load
from cuello.data.readers import READERS
from cuello.data.sets import NAMED_SETS

__all__ = ["NAMED_SETS", "READERS", "UNLABELLED", "Dataset", "constant_columns", "load"]
