"""`embedding-explorer` or `python -m dashboard`: start the dashboard in a browser, from any folder."""

import sys
from pathlib import Path

# What `.streamlit/config.toml` says in a checkout; Streamlit finds that file only there.
OPTIONS = {
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "viewer",
    "server.address": "localhost",
    "server.showEmailPrompt": "false",
    "theme.light.primaryColor": "#0072b2",
    "theme.dark.primaryColor": "#56b4e9",
}


def main() -> None:
    """Hand over to Streamlit; further arguments are Streamlit's own, such as `--server.port 8600`."""
    from streamlit.web import cli

    given = sys.argv[1:]
    options = [part for name, value in OPTIONS.items() if f"--{name}" not in given for part in (f"--{name}", value)]
    sys.argv = ["streamlit", "run", str(Path(__file__).with_name("app.py")), *options, *given]
    sys.exit(cli.main())


if __name__ == "__main__":
    main()
