import os
from pathlib import Path

import pytest


@pytest.fixture
def provided() -> Path:
    """The folder of CUELLO_DATA; without one the test is skipped, or fails where all must run."""
    folder = os.environ.get("CUELLO_DATA", "").split(os.pathsep)[0]
    if folder and (Path(folder) / "mnist").is_dir():
        return Path(folder)
    reason = "CUELLO_DATA names no folder with mnist/ in it"
    if os.environ.get("CUELLO_REQUIRE_ALL"):
        pytest.fail(reason)
    pytest.skip(reason)
