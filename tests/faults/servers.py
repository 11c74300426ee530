"""Kills of a real server, with a visitor on it: in a training, encoding, a map, a review and while files are kept."""

import json
import random
import shutil
import threading
import time
from pathlib import Path

from core import checkpoints
from dashboard import saved
from tests.faults import checks
from tests.faults.bench import NAME, Bench, Round
from tests.faults.processes import PATIENCE, Started, killed_at, serve, until
from tests.load.client import Gone, Session

VIEW = "kept view"
DECISIONS = 12  # that the visitor makes
DECISION = "Junk"
TERM_SECONDS = 40.0  # that a server may take to end when it is told to


def visit(bench: Bench, folder: Path, url: str, phase: str, begun: threading.Event) -> list[int]:
    """Do the work of a phase to its end, saying when it begins; return what was acknowledged.

    Raises
    ------
    Gone : the server does not answer any more.
    """
    session = Session(url, page="train" if phase == "train" else "")
    session.open()
    if session.has("button", "Start"):
        session.press("Start")
    if phase in ("encode", "map"):  # with other images first, so that the worker is warm
        _limit(session, bench.setting.images - 50)
        _expect(session, lambda s: _shows(s, bench.setting.images - 50), "another map")
    _limit(session, bench.setting.images)
    told = {"train": _train, "encode": _map, "map": _map, "review": _review, "export": _keep}[phase]
    acknowledged = told(session, bench, folder, phase, begun)
    if problems := session.problems():
        raise AssertionError(f"the page says {problems[0]}")
    session.close()
    return acknowledged


def _limit(session: Session, images: int) -> None:
    session.set("number_input", "At most so many", images)
    _expect(session, lambda s: any(text.startswith(f"{images:,} images of") for text in s.texts()), "the images")


def _expect(session: Session, until_: object, what: str) -> None:
    if not session.poll(until_, PATIENCE):  # type: ignore[arg-type]
        raise AssertionError(f"{what} does not come; the page says {' | '.join(session.texts())[:600]}")


def _shows(session: Session, images: int) -> bool:
    """Say whether the finished t-SNE map of so many images is shown; a map that waits to be asked for is asked for."""
    if session.has("button", "Run"):
        session.press("Run")
    if not session.has_map() or session.polls():
        return False
    header = session.map()["header"]
    return bool(header["n"] == images and header["axes"][0].startswith("t-SNE"))


def _train(session: Session, bench: Bench, folder: Path, phase: str, begun: threading.Event) -> list[int]:
    session.set("number_input", "epochs", bench.setting.epochs)
    session.press("Train")
    entry = bench.place("train", folder)

    def ended(now: Session) -> bool:
        if any(text.replace("\\", "").startswith("Training:") for text in now.texts()):  # the bar's, which is escaped
            begun.set()
        return entry.exists()

    _expect(session, ended, "the model")
    return []


def _map(session: Session, bench: Bench, folder: Path, phase: str, begun: threading.Event) -> list[int]:
    _expect(session, lambda s: _shows(s, bench.setting.images), "the map")
    return []


def _review(session: Session, bench: Bench, folder: Path, phase: str, begun: threading.Event) -> list[int]:
    _expect(session, lambda s: _shows(s, bench.setting.images), "the map")
    panel = next(o.content for o in session.find("button_group", "Panel").options if o.content.startswith("Suspects"))
    session.set("button_group", "Panel", panel)
    _expect(session, lambda s: s.has("button", DECISION), "the queue of suspects")
    begun.set()
    acknowledged: list[int] = []
    for turn in range(DECISIONS):
        try:
            session.press(DECISION)
        except Gone:
            break
        acknowledged.append(turn)
    return acknowledged


def _keep(session: Session, bench: Bench, folder: Path, phase: str, begun: threading.Event) -> list[int]:
    _expect(session, lambda s: _shows(s, bench.setting.images), "the map")
    session.set("text_input", "Name", VIEW)
    begun.set()
    if not (folder / "views" / f"{VIEW}.json").exists():
        session.press("Keep")
    for place in ("Map as offline HTML", "Table CSV", "Model .safetensors"):
        session.find("download_button", place)
    return []


def server(bench: Bench, one: Round, chance: random.Random) -> None:
    """Kill the server, or it and its workers at once, or tell it to end."""
    folder = bench.fresh()
    if one.phase in ("review", "export"):
        shutil.copytree(bench.reference / "store", folder / "store")
    acknowledged = _disturbed(bench, one, folder, chance)
    one.wrong += checks.of_processes(folder)
    _look(bench, one, folder)
    rows = _decided(folder)
    if not len(acknowledged) <= len(rows) <= len(acknowledged) + 1:
        one.wrong.append(f"{len(acknowledged)} decisions were acknowledged, {len(rows)} are there")
    again, url = serve(folder)
    try:
        visit(bench, folder, url, one.phase, threading.Event())
    except (Gone, AssertionError, LookupError) as error:
        one.wrong.append(f"started again: {type(error).__name__}: {error}")
    finally:
        again.kill("SIGTERM")
    if again.wait(TERM_SECONDS) == -999:
        one.wrong.append(f"the server does not end within {TERM_SECONDS:.0f} s of SIGTERM")
    _look(bench, one, folder)
    if _decided(folder)[: len(rows)] != rows:
        one.wrong.append(f"of {rows} decisions that were there {_decided(folder)[: len(rows)]} are left")
    if one.phase in ("train", "encode", "map") and not bench.place(one.phase, folder).exists():
        one.wrong.append(f"what {one.phase} makes is not in the store in the end")


def _disturbed(bench: Bench, one: Round, folder: Path, chance: random.Random) -> list[int]:
    """Start a server, visit it, and kill it meanwhile; return what was acknowledged."""
    started, url = serve(folder)
    begun, ended = threading.Event(), threading.Event()
    first = {"encode": bench.place("images", folder), "map": bench.place("encode", folder)}.get(one.phase)
    one.delay = chance.uniform(0, bench.seconds.get(f"server, {one.phase}", 1.0))

    def has_begun() -> bool:
        return ended.is_set() or (begun.is_set() if first is None else first.exists())

    outcome = killed_at(has_begun, one.delay, lambda: not ended.is_set() and started.kill(one.how))
    acknowledged: list[int] = []
    try:
        acknowledged = visit(bench, folder, url, one.phase, begun)
        if one.phase != "review":
            ended.set()
    except Gone:
        pass
    except (AssertionError, LookupError) as error:
        one.wrong.append(f"before the kill: {error}")
        ended.set()
    one.hit = outcome()
    if not one.hit:
        started.kill("SIGKILL")
    if _wait(started, one) == -999:
        one.wrong.append(f"the server does not end within {TERM_SECONDS:.0f} s of {one.how}")
    return acknowledged


def _wait(started: Started, one: Round) -> int:
    return started.wait(TERM_SECONDS if one.how == "SIGTERM" else 10)


def _look(bench: Bench, one: Round, folder: Path) -> None:
    """Look at the store, kept models and views."""
    one.wrong += checks.store_in_new_process(folder / "store", bench.reference / "store", strict=False)
    one.wrong += checks.of_models(folder / "models", bench.reference / "models" / NAME)
    for path in (folder / "views").glob("*.json"):
        try:
            saved.read(path.read_bytes())
        except Exception as error:  # of whatever kind: a view is whole or not there
            one.wrong.append(f"view {path.name}: {error}")


def _decided(folder: Path) -> list[int]:
    """Return the rows that a review's file has decisions on, each line of which must be whole but for the last."""
    rows = []
    for path in (folder / "reviews").glob("*.jsonl"):
        for line in path.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                record = json.loads(line)
                rows.append(int(record.get("row", -1)))
    return rows


def measure(bench: Bench) -> None:
    """Visit a server undisturbed, add what it makes to the reference, and note how long its work takes."""
    for phase in ("train", "map"):
        folder = bench.fresh("server")
        started, url = serve(folder)
        begun, at = threading.Event(), time.monotonic()
        done = threading.Event()
        times: dict[str, float] = {}

        def look(folder: Path = folder, begun: threading.Event = begun, times: dict[str, float] = times) -> None:
            for name in ("images", "encode", "map"):
                if name not in times and bench.place(name, folder).exists():
                    times[name] = time.monotonic()
            if "train" not in times and begun.is_set():
                times["train"] = time.monotonic()

        def watch(done: threading.Event = done, look: object = look) -> None:
            until(lambda: (look(), done.is_set())[1])  # type: ignore[operator]

        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        try:
            visit(bench, folder, url, phase, begun)
        finally:
            done.set()
            started.kill("SIGTERM")
        watching.join()
        end = time.monotonic()
        if phase == "train":
            bench.seconds["server, train"] = end - times.get("train", at)
        else:
            bench.seconds["server, encode"] = times["encode"] - times["images"]
            bench.seconds["server, map"] = times["map"] - times["encode"]
        started.wait(TERM_SECONDS)
        shutil.copytree(folder / "store", bench.reference / "store", dirs_exist_ok=True)
        shutil.rmtree(folder)
    bench.seconds |= {"server, review": 2.0, "server, export": 0.5}
    assert checkpoints.names(bench.reference / "models") == [NAME]
