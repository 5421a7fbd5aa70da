"""A run for the world outside: ONNX files, and a model card."""

from __future__ import annotations

from cuello.export.convert import onnx_models
from cuello.export.folder import ExportFolder, default_export, export_run

__all__ = ["ExportFolder", "default_export", "export_run", "onnx_models"]
