"""What a WSGI server loads: `app:app`."""

from coopmail import create_app
from coopmail.config import Settings

app = create_app(Settings.from_env())
