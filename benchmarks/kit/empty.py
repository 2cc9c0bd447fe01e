"""An empty Flask application: what our pages and our start are measured beside."""

from __future__ import annotations

import sys

from flask import Flask

app = Flask("empty")


@app.get("/")
def page() -> str:
    """Nothing to speak of."""
    return "<!doctype html><title>Empty</title>"


def main() -> None:
    """Serve it by waitress, as we are served."""
    import waitress

    waitress.serve(app, host="127.0.0.1", port=int(sys.argv[1]), threads=8)


if __name__ == "__main__":
    main()
