"""Names of files, folders and labels, and what people may type as a path."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hostile.case import RAMP, Case, folder_with, ids_are, picture, pixels

MARKUP = "<img src=x onerror=alert(1)>"
NAMES = {
    "markup": MARKUP,
    "a script": "<script>fetch('http:evil')<script>",
    "quotes": "a\"b'c`d",
    "a newline": "a\nb",
    "a tab and a return": "a\tb\rc",
    "control characters": "a\x1b[31m\x07\x7fb",
    "right to left": "\u202egnp.exe",
    "isolates": "\u2066a\u2069\u200f",
    "zero width": "a\u200b\u200db\ufeff",
    "a line separator": "a\u2028b",
    "255 bytes": "a" * 251,
    "255 bytes of two": "é" * 125,
    "two dots within": "a..b",
    "dots and blanks": "a . ",
    "a leading dash": "-rf *",
    "a formula": "=cmd|' -C calc'!A0",
    "a formula with at": "@SUM(1+1)*2",
    "a drive": "C:\\Windows\\system32",
    "backslashes": "a..\\..\\outside\\secret",
    "a reserved name": "CON",
    "a reserved name with an ending": "nul.txt",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈",
    "percents": "%2e%2e%2f%00 %s %n",
    "braces": "{{title}} {0.__class__} ${jndi:ldap:evil}",
    "mathtext": "$\\frac{a}{$ _{} ^",
    "backslash letters": "\\xff\\u202e\\n",
    "Markdown": "[a](javascript:alert(1)) **b** :red[c] `d`",
    "JSON": '"},"x":{"y":"',
    "CSV": 'a,"b;c\td',
    "nothing but blanks": "   ",
    "digits without end": "9" * 250,
    "Arabic digits": "٣٤ ²",
    "Zalgo": "a" + "\u0300" * 100,
    "surrogates of CESU": b"\xed\xa0\x80".decode("utf-8", "surrogateescape"),
    "no UTF-8": b"a\xff\xfe".decode("utf-8", "surrogateescape"),
    "SQL": "'; DROP TABLE images;--",
}  # fmt: skip


def text_of(name: str) -> str:
    """Return a name as valid text, as the program writes it."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _named(name: str) -> Callable[[Path], dict[str, Any]]:
    def build(root: Path) -> dict[str, Any]:
        folder_with(root, {})
        raw = name.encode("utf-8", "surrogateescape")
        picture(root / "good 3.png").rename(os.fsdecode(os.fsencode(root) + b"/" + raw + b".png"))
        folder = os.fsdecode(os.fsencode(root) + b"/" + raw)
        Path(folder).mkdir()
        picture(root / "good 4.png").rename(folder + "/inner.png")
        return {"path": str(root)}

    return build


def _named_is_there(name: str) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        text = text_of(name)
        assert sorted(value["ids"]) == sorted(["good 1.png", "good 2.png", f"{text}.png", f"{text}/inner.png"])
        assert value["classes"] == sorted(value["classes"], key=lambda c: value["classes"].index(c))
        assert text in value["classes"] and value["skipped"] == {}
        assert (pixels(value)[..., 0] == RAMP).all()

    return check


def _root_named(name: str) -> Callable[[Path], dict[str, Any]]:
    def build(root: Path) -> dict[str, Any]:
        inner = os.fsdecode(os.fsencode(root) + b"/" + name.encode("utf-8", "surrogateescape"))
        Path(inner).mkdir()
        return dict(folder_with(Path(inner), {}))

    return build


def _pair(first: str, second: str) -> Callable[[Path], dict[str, Any]]:
    def build(root: Path) -> dict[str, Any]:
        for name in (first, second):
            picture(root / "x.png", RAMP + len(os.fsencode(name))).rename(root / name)
        return dict(folder_with(root, {}))

    return build


def _links(root: Path) -> dict[str, Any]:
    found = dict(folder_with(root, {}))
    secret = picture(root.parent / "outside" / "secret.png")
    (root / "out.png").symlink_to(secret)
    (root / "up.png").symlink_to("../outside/secret.png")
    (root / "outside").symlink_to(secret.parent)
    (root / "passwd.png").symlink_to("/etc/passwd")
    (root / "self.png").symlink_to("self.png")
    (root / "one.png").symlink_to("two.png")
    (root / "two.png").symlink_to("one.png")
    (root / "here").symlink_to(".")
    (root / "nowhere.png").symlink_to("/nowhere/at all.png")
    (root / "in.png").symlink_to("good 1.png")
    (root / "through.png").symlink_to("here/good 2.png")
    return found


def _hard_link(root: Path) -> dict[str, Any]:
    found = dict(folder_with(root, {}))
    (root / "hard.png").hardlink_to(root / "good 1.png")
    return found


def _deep(root: Path) -> dict[str, Any]:
    found = dict(folder_with(root, {}))
    here = Path.cwd()
    try:
        os.chdir(root)
        for _ in range(500):
            Path("d" * 20).mkdir()
            os.chdir("d" * 20)
        picture(Path("deep.png"))
    finally:
        os.chdir(here)
    return found


def _deep_is_named(value: Any) -> None:
    assert sorted(value["ids"]) == ["good 1.png", "good 2.png"]
    ((name, reason),) = value["skipped"].items()
    assert name.startswith("dddd") and "cannot be opened" in reason


def _empty_folders(root: Path) -> dict[str, Any]:
    found = dict(folder_with(root, {}))
    for i in range(10_000):
        (root / str(i)).mkdir()
    return found


def _typed(text: str) -> Callable[[Path], dict[str, Any]]:
    return lambda root: {"path": text.replace("ROOT", str(root))}


def _typed_pipe(name: str) -> Callable[[Path], dict[str, Any]]:
    def build(root: Path) -> dict[str, Any]:
        os.mkfifo(root / name)
        return {"path": str(root / name)}

    return build


CASES = [
    *(Case(f"a file and a folder: {what}", "images", _named(name), holds=_named_is_there(name))
      for what, name in NAMES.items()),
    *(
        Case(f"the folder itself: {what}", "images", _root_named(name), holds=lambda value: None)
        for what, name in NAMES.items()
        if what in ("markup", "a formula", "emoji", "no UTF-8", "a newline", "right to left", "Markdown")
    ),
    Case("composed and decomposed", "images", _pair("\u00e9.png", "e\u0301.png"),
         holds=ids_are("good 1.png", "good 2.png", "\u00e9.png", "e\u0301.png")),
    Case("bytes and their escape", "images", _pair("\\xff.png", b"\xff.png".decode("utf-8", "surrogateescape")),
         holds=ids_are("good 1.png", "good 2.png", "\\xff.png", skipped=("\\xff.png",))),
    Case("upper and lower", "images", _pair("A.PNG", "a.png"), holds=ids_are("good 1.png", "good 2.png", "A.PNG", "a.png")),
    Case("links", "images", _links,
         holds=ids_are("good 1.png", "good 2.png", "in.png", "through.png", skipped=(
             "out.png", "up.png", "outside", "passwd.png", "self.png", "one.png", "two.png", "here", "nowhere.png"))),
    Case("a hard link", "images", _hard_link, holds=ids_are("good 1.png", "good 2.png", "hard.png")),
    Case("a folder 500 deep", "images", _deep, holds=_deep_is_named),
    Case("10,000 empty folders", "images", _empty_folders, holds=ids_are("good 1.png", "good 2.png")),
    Case("typed: a device", "images", _typed("/dev/zero"), refused="is not a sample"),
    Case("typed: nothing there", "images", _typed("ROOT/none"), refused="is not a sample"),
    Case("typed: markup", "images", _typed(MARKUP), refused="is not a sample"),
    Case("typed: a newline", "images", _typed("a\nb"), refused="is not a sample"),
    Case("typed: too long", "images", _typed("/" + "a/" * 5000), refused="is not the path"),
    Case("typed: a long name", "images", _typed("/" + "a" * 300 + ".npz"), refused="is not there or cannot be opened"),
    Case("typed: a long name of a ZIP", "images", _typed("/" + "a" * 300 + ".zip"),
         refused="is not there or cannot be opened"),
    Case("typed: a zero", "images", _typed("a\0b"), refused="is not the path"),
    Case("typed: a zero in a ZIP", "images", _typed("/a\0b.zip"), refused="is not the path"),
    Case("typed: half a surrogate", "images", _typed("/\ud800.zip"), refused="is not the path"),
    Case("typed: half a surrogate, a folder", "images", _typed("/\ud800"), refused="is not the path"),
    Case("typed: nobody's home", "images", _typed("~nobody-at-all/x.npz"), refused="not a file that exists"),
    Case("typed: an address", "images", _typed("http://127.0.0.1:9/a.npz"), refused="not a file that exists"),
    Case("typed: an address of a ZIP", "images", _typed("ftp://127.0.0.1/a.zip"), refused="not a file that exists"),
    Case("typed: a data set nowhere", "images", _typed("mnist:ROOT"), refused="MNIST/raw is not there"),
    Case("typed: a part that is not there", "images", _typed("digits:test"), refused="There is no part 'test'"),
    Case("typed: a pipe called .npy", "images", _typed_pipe("a.npy"), refused="not a file that exists"),
    Case("typed: a pipe called .zip", "images", _typed_pipe("a.zip"), refused="not a regular file"),
]  # fmt: skip
