"""The parts that an installation is made of, wired once by `create_app`."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app

from coopmail.actions.basis import Basis
from coopmail.charter import Charter
from coopmail.config import Settings
from coopmail.db import Database
from coopmail.links import LinkSigner
from coopmail.vault import Vault


@dataclass(frozen=True)
class Parts:
    """Settings, database, charter and link keys of one installation."""

    settings: Settings
    db: Database
    charter: Charter
    signer: LinkSigner

    @property
    def basis(self) -> Basis:
        """What acts go by."""
        return Basis(self.charter, self.signer.current, Vault(self.settings.key_folder))


def parts(app: Flask | None = None) -> Parts:
    """The parts of an application, or of the one that is active."""
    found = (app or current_app).extensions["coopmail"]
    assert isinstance(found, Parts)
    return found
