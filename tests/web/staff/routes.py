"""Every page of the console: how to ask for it in the small cooperative, and who may.

`test_access.py` fails where a page is missing here, or one stands here that is not there.
"""

from __future__ import annotations

from typing import NamedTuple


class Route(NamedTuple):
    """How a page is asked for, and by whom: `all` (nobody need be signed in), `staff`, `admin` alone, or `own`.

    `own` is Klaar's alone, and for anybody else who is signed in not there.
    """

    path: str
    who: str = "staff"


ROUTES: dict[str, Route] = {
    "staff.audiences": Route("/staff/audiences"),
    "staff.audience": Route("/staff/audiences/{audience_id}"),
    "staff.audience_new": Route("/staff/audiences/new"),
    "staff.audience_edit": Route("/staff/audiences/{audience_id}/edit"),
    "staff.audience_archive": Route("/staff/audiences/{audience_id}/archive"),
    "staff.audience_back": Route("/staff/audiences/{audience_id}/back"),
    "staff.audience_organisations": Route("/staff/audiences/{audience_id}/organisations"),
    "staff.audience_persons": Route("/staff/audiences/{audience_id}/persons"),
    "staff.audience_contacts": Route("/staff/audiences/{audience_id}/contacts"),
    "staff.polls": Route("/staff/polls"),
    "staff.poll_new": Route("/staff/polls/new"),
    "staff.poll_edit": Route("/staff/polls/{draft_slug}/edit"),
    "staff.poll_delete": Route("/staff/polls/{draft_slug}/delete"),
    "staff.poll_documents": Route("/staff/polls/{draft_slug}/documents"),
    "staff.poll_document": Route("/staff/polls/{draft_slug}/documents/{attachment_id}"),
    "staff.poll_document_remove": Route("/staff/polls/{draft_slug}/documents/{attachment_id}/remove"),
    "staff.poll_preview": Route("/staff/polls/{draft_slug}/preview"),
    "staff.poll_preview_page": Route("/staff/polls/{draft_slug}/preview/page"),
    "staff.poll_preview_paper": Route("/staff/polls/{draft_slug}/preview/paper"),
    "staff.poll_preview_mail": Route("/staff/polls/{draft_slug}/preview/mail"),
    "staff.poll_proof": Route("/staff/polls/{draft_slug}/proof"),
    "staff.poll_open": Route("/staff/polls/{draft_slug}/open"),
    "staff.poll": Route("/staff/polls/{slug}"),
    "staff.poll_unit": Route("/staff/polls/{slug}/units/{unit_id}"),
    "staff.poll_ballots": Route("/staff/polls/{closed_slug}/ballots.json"),
    "staff.poll_remind": Route("/staff/polls/{slug}/remind"),
    "staff.poll_extend": Route("/staff/polls/{slug}/extend"),
    "staff.poll_close": Route("/staff/polls/{slug}/close"),
    "staff.poll_withdraw": Route("/staff/polls/{slug}/withdraw"),
    "staff.poll_announce": Route("/staff/polls/{slug}/announce"),
    "staff.poll_decide": Route("/staff/polls/{closed_slug}/decide"),
    "staff.decisions": Route("/staff/decisions"),
    "staff.decision_new": Route("/staff/decisions/new"),
    "staff.decision": Route("/staff/decisions/{number}"),
    "staff.decision_edit": Route("/staff/decisions/{number}/edit"),
    "staff.decision_withdraw": Route("/staff/decisions/{number}/withdraw"),
    "staff.decision_restore": Route("/staff/decisions/{withdrawn_number}/restore"),
    "staff.decision_document": Route("/staff/decisions/{number}/documents/{document_id}"),
    "staff.groups": Route("/staff/groups"),
    "staff.group": Route("/staff/groups/{group_slug}"),
    "staff.services": Route("/staff/services"),
    "staff.charter": Route("/staff/charter"),
    "staff.audit": Route("/staff/audit"),
    "staff.outbox": Route("/staff/outbox"),
    "staff.campaign": Route("/staff/outbox/campaigns/{campaign}"),
    "staff.campaign_pause": Route("/staff/outbox/campaigns/{campaign}/pause"),
    "staff.campaign_resume": Route("/staff/outbox/campaigns/{campaign}/resume"),
    "staff.campaign_cancel": Route("/staff/outbox/campaigns/{campaign}/cancel"),
    "staff.campaign_retry": Route("/staff/outbox/campaigns/{campaign}/retry"),
    "staff.mail": Route("/staff/outbox/mails/{mail_id}"),
    "staff.mail_retry": Route("/staff/outbox/mails/{mail_id}/retry"),
    "staff.mail_cancel": Route("/staff/outbox/mails/{mail_id}/cancel"),
    "staff.contact_mails": Route("/staff/contacts/{contact_id}/mails"),
    "staff.sign_in": Route("/staff/sign-in", "all"),
    "staff.sign_in_code": Route("/staff/sign-in/code", "all"),
    "staff.sign_out": Route("/staff/sign-out"),
    "staff.own_page": Route("/staff/me"),
    "staff.staff_members": Route("/staff/staff", "admin"),
    "staff.staff_member_new": Route("/staff/staff/new", "admin"),
    "staff.staff_member": Route("/staff/staff/{staff_id}", "admin"),
    "staff.staff_member_leave": Route("/staff/staff/{staff_id}/leave", "admin"),
    "staff.staff_member_back": Route("/staff/staff/{staff_id}/back", "admin"),
    "staff.today": Route("/staff/"),
    "staff.matters": Route("/staff/matters"),
    "staff.matters_settle": Route("/staff/matters/settle"),
    "staff.matter_reopen": Route("/staff/matters/{matter_id}/reopen"),
    "staff.calls": Route("/staff/polls/{slug}/calls"),
    "staff.call_untick": Route("/staff/polls/{slug}/calls/undo"),
    "staff.vote_record": Route("/staff/polls/{slug}/votes/{unit_id}"),
    "staff.vote_remove": Route("/staff/polls/{slug}/votes/{unit_id}/remove"),
    "staff.vote_keep": Route("/staff/polls/{slug}/votes/{unit_id}/keep"),
    "staff.contacts": Route("/staff/contacts"),
    "staff.contact_new": Route("/staff/contacts/new"),
    "staff.contact": Route("/staff/contacts/{contact_id}"),
    "staff.contact_edit": Route("/staff/contacts/{contact_id}/edit"),
    "staff.contact_away": Route("/staff/contacts/{contact_id}/away"),
    "staff.contact_leave": Route("/staff/contacts/{contact_id}/leave"),
    "staff.contact_back": Route("/staff/contacts/{contact_id}/back"),
    "staff.contact_stand": Route("/staff/contacts/{contact_id}/stand"),
    "staff.contact_standing": Route("/staff/contacts/{contact_id}/stand/{organisation_id}"),
    "staff.contact_hand_over": Route("/staff/contacts/{contact_id}/hand-over"),
    "staff.contact_mail_test": Route("/staff/contacts/{contact_id}/mail-test"),
    "staff.reachability": Route("/staff/reachability"),
    "staff.mail_test_domain": Route("/staff/reachability/aartselaar.example/test"),
    "staff.it_page": Route("/staff/it"),
    "staff.organisation_import": Route("/staff/organisations/import"),
    "staff.organisation_import_example": Route("/staff/organisations/import/example.csv"),
    "staff.organisation_import_look": Route("/staff/organisations/import/{upload_key}", "own"),
    "staff.organisation_import_faults": Route("/staff/organisations/import/{upload_key}/bad-rows.csv", "own"),
    "staff.organisation_import_changes": Route("/staff/organisations/import/{upload_key}/changes.csv", "own"),
    "staff.organisation_import_discard": Route("/staff/organisations/import/{upload_key}/throw-away", "own"),
}
