"""Every page of the console: how to ask for it in the small cooperative, and who may.

`test_access.py` fails where a page is missing here, or one stands here that is not there.
"""

from __future__ import annotations

from typing import NamedTuple


class Route(NamedTuple):
    """How a page is asked for, and by whom: `all` (nobody need be signed in), `staff`, or `admin` alone."""

    path: str
    who: str = "staff"


ROUTES: dict[str, Route] = {
    "staff.sign_in": Route("/staff/sign-in", "all"),
    "staff.sign_in_code": Route("/staff/sign-in/code", "all"),
    "staff.sign_out": Route("/staff/sign-out"),
    "staff.own_page": Route("/staff/me"),
    "staff.staff_members": Route("/staff/staff", "admin"),
    "staff.staff_member_new": Route("/staff/staff/new", "admin"),
    "staff.staff_member": Route("/staff/staff/{staff_id}", "admin"),
    "staff.staff_member_leave": Route("/staff/staff/{staff_id}/leave", "admin"),
    "staff.staff_member_back": Route("/staff/staff/{staff_id}/back", "admin"),
}
