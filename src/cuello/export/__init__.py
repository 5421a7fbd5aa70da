"""A run for the world outside: ONNX files, and a card that says what the model is."""

from __future__ import annotations

from cuello.export.convert import onnx_models

__all__ = ["onnx_models"]
