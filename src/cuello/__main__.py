"""``python -m cuello`` is ``cuello``."""

from cuello.cli import main

main()
