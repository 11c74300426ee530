"""`embedding-explorer` or `python -m dashboard`: start the dashboard in a browser."""

import sys
from pathlib import Path


def main() -> None:
    """Hand over to Streamlit; further arguments are Streamlit's own, such as `--server.port 8600`."""
    from streamlit.web import cli

    sys.argv = ["streamlit", "run", str(Path(__file__).with_name("app.py")), *sys.argv[1:]]
    sys.exit(cli.main())


if __name__ == "__main__":
    main()
