"""The console: what staff see. Each subject has its module; importing it puts its pages on the one blueprint."""

from coopmail.web.staff import (  # noqa: F401 - their pages are registered by the import
    board,
    poll_acts,
    sign_in,
    staff_members,
)
from coopmail.web.staff.console import csrf_field, navigation, sentence, staff

__all__ = ["csrf_field", "navigation", "sentence", "staff"]
