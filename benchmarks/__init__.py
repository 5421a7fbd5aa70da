"""How fast cuello is, measured beside what else one could use. Run ``python -m benchmarks``."""
