"""What may break at any moment, and what must hold all the same."""

import pytest

pytest.register_assert_rewrite("tests.faults.judging")  # so that a failure says what was found
