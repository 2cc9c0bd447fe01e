"""What a person may send. `KINDS` is the one place that knows a kind of invitation."""

from coopmail.forms.ballot import BALLOT
from coopmail.forms.contact_details import CONTACT_DETAILS
from coopmail.forms.kind import Kind

KINDS: dict[str, Kind] = {kind.name: kind for kind in (BALLOT, CONTACT_DETAILS)}

__all__ = ["KINDS", "Kind"]
