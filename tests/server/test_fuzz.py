"""What the OpenAPI document allows is answered as it says, and what it does not is refused."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from server_samples import KINDS

from cuello.server.serving import app_for

OPERATIONS = 12
WITHOUT_INPUT = {"GET /api/info", "GET /api/labels"}


# Each kind of data in one mode, and both modes equally often; the others are long.
CASES = [
    pytest.param(
        kind,
        mode,
        id=f"{mode.value}-{kind}",
        marks=() if (i + k) % 2 == 0 else pytest.mark.long,
    )
    for i, kind in enumerate(KINDS)
    for k, mode in enumerate(GenerationMode)
]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "mode"), CASES)
def test_every_operation(run, kind, mode):
    app = app_for(run(kind), host="testserver")
    document = schemathesis.openapi.from_asgi("/api/openapi.json", app)
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) == OPERATIONS
    untried = set()
    for operation in operations:

        @settings(max_examples=10, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case):
            case.call_and_validate()

        try:
            ask()
        except Unsatisfiable:
            untried.add(operation.label)
    assert untried <= WITHOUT_INPUT
