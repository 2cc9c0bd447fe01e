"""What groups, roles in them and rules about them are called."""

from __future__ import annotations

from coopmail.domain.groups import GroupKind, SeatOrigin, SeatRole
from coopmail.forms.kind import lazy

KINDS: dict[str, str] = {
    GroupKind.STEERING_GROUP: lazy("Steering groups"),
    GroupKind.WORKING_GROUP: lazy("Working groups"),
    GroupKind.STAKEHOLDER_GROUP: lazy("Stakeholder groups"),
    GroupKind.BOARD: lazy("Board of the cooperative"),
    GroupKind.FINANCE_COMMITTEE: lazy("Finance committee"),
    GroupKind.MANAGEMENT: lazy("Management"),
    GroupKind.GENERAL_ASSEMBLY: lazy("General assembly"),
}
ONE: dict[str, str] = {
    GroupKind.STEERING_GROUP: lazy("steering group"),
    GroupKind.WORKING_GROUP: lazy("working group"),
    GroupKind.STAKEHOLDER_GROUP: lazy("stakeholder group"),
    GroupKind.BOARD: lazy("board of the cooperative"),
    GroupKind.FINANCE_COMMITTEE: lazy("finance committee"),
    GroupKind.MANAGEMENT: lazy("management"),
    GroupKind.GENERAL_ASSEMBLY: lazy("general assembly"),
}
"""One group of a kind."""
ROLES: dict[str, str] = {
    SeatRole.CHAIR: lazy("chair"),
    SeatRole.DEPUTY_CHAIR: lazy("deputy chair"),
    SeatRole.PRODUCT_MANAGER: lazy("product manager"),
    SeatRole.MEMBER: lazy("ordinary seat"),
    SeatRole.OBSERVER: lazy("observer"),
    SeatRole.EXPERT: lazy("expert"),
}
ORIGINS: dict[str, str] = {
    SeatOrigin.COMPOSITION: lazy("composition"),
    SeatOrigin.OFFICE: lazy("by office"),
    SeatOrigin.REPLACEMENT: lazy("replacement"),
}
