"""Reading a mail's headers as a mail program does."""

from __future__ import annotations

import email
import email.policy
from email.header import decode_header, make_header
from email.utils import parseaddr


def name_in(raw: bytes, header: str) -> str:
    """The name in From or To. (Python 3.11's newer reader leaves a space between two encoded words.)"""
    value = str(email.message_from_bytes(raw, policy=email.policy.compat32)[header])
    return str(make_header(decode_header(parseaddr(value.replace("\r\n", ""))[0])))
