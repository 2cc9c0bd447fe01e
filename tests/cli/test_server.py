"""Starting the server: a port that is taken is said before anything is thrown away."""

from __future__ import annotations

import socket

import pytest

from coopmail.cli.server import check_port
from coopmail.errors import SettingError


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            SettingError, match=f"Nothing can be served on 127.0.0.1, port {port}: Address already in use"
        ):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", port)
