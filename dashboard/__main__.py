"""`embedding-explorer` or `python -m dashboard`: start the dashboard in a browser, from any folder."""

import sys
from pathlib import Path

# What `.streamlit/config.toml` says in a checkout; Streamlit finds that file only there.
OPTIONS = {
    "browser.gatherUsageStats": "false",
    "client.showErrorDetails": "type",
    "client.toolbarMode": "viewer",
    "server.address": "localhost",
    "server.enableCORS": "true",
    "server.enableXsrfProtection": "true",
    "server.maxUploadSize": "200",
    "server.runOnSave": "false",
    "server.showEmailPrompt": "false",
    "theme.dark.primaryColor": "#56b4e9",
    "theme.light.primaryColor": "#0072b2",
}


def main() -> None:
    """Hand over to Streamlit; `--root DIR` names a folder that may be opened, other arguments are Streamlit's own."""
    from streamlit.web import cli

    from core import roots

    named, given = roots.flags(sys.argv[1:])
    for folder in named:
        if not Path(folder).expanduser().is_dir():
            sys.exit(f"error: --root {folder} is not a folder that exists.")
    if named:
        roots.add(named)
    own = {part.partition("=")[0] for part in given}
    options = [part for name, value in OPTIONS.items() if f"--{name}" not in own for part in (f"--{name}", value)]
    sys.argv = ["streamlit", "run", str(Path(__file__).with_name("app.py")), *options, *given]
    sys.exit(cli.main())


if __name__ == "__main__":
    main()
