"""Texts as pages show them: letter by letter, whatever names they hold; and times for people."""


def plain(text: str) -> str:
    """Return a text, which may hold file names, such that Markdown shows it letter by letter."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]()<>#+-!|$~:" else letter for letter in text)


def printable(text: str) -> str:
    """Return a text whose control characters are shown, and that is read from left to right whatever names it holds."""
    return "".join(letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text)


def duration(seconds: float) -> str:
    """Write a time for people: "3 s", "2 min", "1 h 20 min"."""
    if seconds < 59.5:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
