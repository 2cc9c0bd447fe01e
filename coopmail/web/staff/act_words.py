"""What the acts of the record are called: one line an act, and a test that fails where one has none."""

from __future__ import annotations

from coopmail.forms.kind import lazy

ACTS: dict[str, str] = {
    "added-to-poll": lazy("added to an open poll"),
    "audience-archived": lazy("audience put away"),
    "audience-changed": lazy("audience changed"),
    "audience-restored": lazy("audience brought back"),
    "audience-saved": lazy("audience saved"),
    "audit-erased": lazy("persons erased from the record"),
    "ballot-cast": lazy("ballot cast"),
    "ballot-contested": lazy("recorded vote contested"),
    "ballot-recorded": lazy("vote by telephone or paper recorded"),
    "ballot-removed": lazy("recorded vote removed"),
    "ballot-restored": lazy("earlier answer stands again"),
    "call-undone": lazy("call taken off the list"),
    "campaign-cancelled": lazy("mails cancelled"),
    "campaign-paused": lazy("mails paused"),
    "campaign-resumed": lazy("mails resumed"),
    "campaign-retried": lazy("mails that did not arrive sent again"),
    "contact-added": lazy("contact added"),
    "contact-address-changed": lazy("address of a contact changed"),
    "contact-away": lazy("absence noted"),
    "contact-confirmed": lazy("contact confirmed"),
    "contact-declined": lazy("contact declined"),
    "contact-edited": lazy("contact changed"),
    "contact-left": lazy("contact left"),
    "contact-named": lazy("right person named"),
    "contact-returned": lazy("contact came back"),
    "contest-kept": lazy("contested vote kept"),
    "decision-corrected": lazy("decision corrected"),
    "decision-recorded": lazy("decision recorded"),
    "decision-restored": lazy("decision stands again"),
    "decision-visibility-changed": lazy("who may read a decision changed"),
    "decision-withdrawn": lazy("decision withdrawn"),
    "handover-asked": lazy("handover asked"),
    "mail-cancelled": lazy("mail taken back"),
    "mail-retried": lazy("mail sent again"),
    "imported": lazy("changed by an import"),
    "mail-test-answered": lazy("test mail answered"),
    "mail-test-sent": lazy("test mail sent"),
    "matter-reopened": lazy("matter reopened"),
    "matter-settled": lazy("matter ticked off"),
    "organisation-added": lazy("organisation added"),
    "organisation-edited": lazy("organisation changed"),
    "organisation-ended": lazy("organisation ended"),
    "organisation-grew": lazy("organisation took another in"),
    "organisation-merged": lazy("organisation went up in another"),
    "organisation-resumed": lazy("ending of an organisation taken back"),
    "organisation-split": lazy("organisation split"),
    "organisations-imported": lazy("organisations imported"),
    "outcome-announced": lazy("outcome announced"),
    "poll-closed": lazy("poll closed"),
    "poll-decided": lazy("decision on a poll written"),
    "poll-deleted": lazy("draft of a poll deleted"),
    "poll-document-added": lazy("document added to a poll"),
    "poll-document-removed": lazy("document removed from a poll"),
    "poll-drafted": lazy("poll drafted"),
    "poll-edited": lazy("poll edited"),
    "poll-extended": lazy("poll extended"),
    "poll-key-destroyed": lazy("key of a secret poll destroyed"),
    "poll-opened": lazy("poll opened"),
    "poll-proof-sent": lazy("proof of a poll mailed"),
    "poll-reminded": lazy("reminders sent by hand"),
    "poll-withdrawn": lazy("poll withdrawn"),
    "staff-added": lazy("staff member added"),
    "staff-came-back": lazy("staff member came back"),
    "staff-changed": lazy("staff member changed"),
    "staff-left": lazy("staff member left"),
    "staff-signed-in": lazy("signed in"),
    "staff-signed-out": lazy("signed out"),
    "standing-changed": lazy("for whom a contact stands changed"),
    "subscription-corrected": lazy("what is taken corrected"),
    "subscription-ended": lazy("service ended"),
    "subscription-goes-on": lazy("service runs on"),
    "subscription-removed": lazy("service taken back"),
    "subscription-started": lazy("service taken"),
    "unit-added": lazy("organisation added to an open poll"),
    "unit-called": lazy("called by telephone"),
}


def act_in_words(act: str) -> str:
    """What an act is called in the language spoken now; one of another version of this program by its own name."""
    return str(ACTS.get(act, act))


def acts() -> list[tuple[str, str]]:
    """Every act with its words, in the order of the words."""
    return sorted(((act, str(words)) for act, words in ACTS.items()), key=lambda pair: pair[1])


def acts_that_hold(word: str) -> list[str]:
    """The acts whose words hold a word."""
    return [act for act, words in ACTS.items() if word in str(words).lower()]
