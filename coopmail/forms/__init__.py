"""What a person may send. `KINDS` is the one place that knows a kind of invitation."""

from coopmail.forms.ballot import BALLOT
from coopmail.forms.contact_details import CONTACT_DETAILS
from coopmail.forms.handover import HANDOVER
from coopmail.forms.kind import Kind
from coopmail.forms.mail_test import MAIL_TEST

KINDS: dict[str, Kind] = {kind.name: kind for kind in (BALLOT, CONTACT_DETAILS, HANDOVER, MAIL_TEST)}

__all__ = ["KINDS", "Kind"]
