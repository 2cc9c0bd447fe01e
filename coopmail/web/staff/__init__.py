"""The console: what staff see. Each subject has its module; importing it puts its pages on the one blueprint."""

from coopmail.web.staff import (  # noqa: F401 - their pages are registered by the import
    audience_lists,
    audiences,
    audit_log,
    board,
    calls,
    charter_page,
    contact_acts,
    contact_list,
    contacts,
    decision_list,
    decisions,
    groups,
    mails,
    mergers,
    organisation_import,
    organisation_list,
    organisations,
    outbox,
    poll_acts,
    poll_documents,
    poll_editor,
    poll_opening,
    poll_preview,
    polls,
    reachability,
    recorded_votes,
    sign_in,
    staff_members,
    subscriptions,
    today,
)
from coopmail.web.staff.console import csrf_field, navigation, sentence, staff

__all__ = ["csrf_field", "navigation", "sentence", "staff"]
