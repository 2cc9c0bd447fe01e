"""The console: what staff see. Each subject has its module; importing it puts its pages on the one blueprint."""

from coopmail.web.staff import sign_in
from coopmail.web.staff.console import csrf_field, navigation, sentence, staff

__all__ = ["csrf_field", "navigation", "sentence", "sign_in", "staff"]
