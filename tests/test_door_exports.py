"""What leaves: no formula, no path of the server, no script of others."""

import gzip
import io
import re
import socket
import zipfile
from base64 import b64decode
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from core import compare, export, formulas, illustrations, pictures, pipeline, report, runs, tables
from core.config import AutoencoderConfig, PCAConfig, TrainingConfig
from core.images import parse_source
from core.plans import Plan, TrainSpec

ROOT = Path(__file__).parents[1]


FORMULAS = (
    "=1+1", "+1a", "-x", "@sum", "\t=1", "\r=1", " =1", "\u00a0-x", "\u3000@x", "\ufeff=1", "\u200b=1", "＝1", "＋x", "－x",
    "＠x", "﹢x", "'=1", "''@x", "' =1", "\n=1",
)  # fmt: skip
PLAIN = ("", "a", "1", "-1", "+1.5", "-2e-7", "a=1", "'", "'a", " a", "x\n=1", "–", "日本")


def test_a_spreadsheet_runs_no_text_and_every_text_comes_back():
    assert [text for text in FORMULAS if formulas.shielded(text) != f"'{text}"] == []
    assert [text for text in PLAIN if formulas.shielded(text) != text] == []
    letters = list(" '=+-@＝\t\r\n\ufeffa1.")
    rng = np.random.default_rng(0)
    for text in ("".join(rng.choice(letters, rng.integers(0, 6))) for _ in range(5000)):
        safe = formulas.shielded(text)
        assert formulas.plain(safe) == text
        assert safe.startswith("'") or not formulas.is_formula(safe) or isinstance(float(safe), float)


def test_a_table_for_a_spreadsheet_shields_cells_and_titles_and_no_number():
    frame = pd.DataFrame({"=id": ["@a", "-5", None], "+n": [-1.5, 2.0, np.nan], "mixed": [-1.5, "-x", True]})
    lines = tables.csv(frame).decode().splitlines()
    assert lines == ["'=id,'+n,mixed", "'@a,-1.5,-1.5", "-5,2.0,'-x", ",,True"]
    assert tables.csv(frame, "plain").decode().splitlines()[0] == "=id,+n,mixed"


@pytest.fixture
def finished(tmp_path, store, monkeypatch):
    """A finished run of pictures in a folder with a telling path, for a user with a telling name."""
    monkeypatch.setenv("HOME", "/home/zaphod-home")
    for name in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(name, "zaphod-user")
    place = tmp_path / "secret-place-4711" / "pets"
    for i in range(12):
        folder = place / ("cat" if i % 2 else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), 20 * i, np.uint8)).save(folder / f"{i}.png")
    spec = TrainSpec(AutoencoderConfig(2, 4), TrainingConfig(epochs=1))
    plan = Plan(parse_source(str(place)), spec, projection=PCAConfig(2))
    return plan, pipeline.run(store, plan)


def test_nothing_that_leaves_holds_a_path_a_user_or_a_host(finished, tmp_path):
    _, results = finished
    page = report.html(results)
    packed = re.findall(r'"([A-Za-z0-9+/=]{40,})"', page)
    parts = [b64decode(text) for text in packed]
    parts += [gzip.decompress(part) for part in parts if part[:2] == b"\x1f\x8b"]
    assert any(b"Plotly" in part for part in parts) and len(parts) > 4
    drawn = illustrations.drawable(results)
    files = [page.encode(), *parts, tables.parquet(tables.table(results)), tables.model_bytes(results)]
    files += [tables.csv(tables.table(results)), tables.predictions_csv(results), tables.latents_npy(results)]
    files += [compare.html(compare.table([compare.Run("pets", runs.metrics("default", results))])).encode()]
    files += [pictures.render(draw(), kind) for draw in list(drawn.values())[:1] for kind in ("png", "pdf")]
    telling = [str(tmp_path), "secret-place-4711", "zaphod", str(ROOT)]
    telling += [socket.gethostname()] if len(socket.gethostname()) > 5 else []
    for data in files:
        assert [word for word in telling if word.encode() in data] == []
    assert b"pets" in files[0]  # the data set's own name is there


def test_pages_that_leave_run_their_own_scripts_alone_and_ask_for_nothing(finished):
    _, results = finished
    page = report.html(results)
    for made in (page, compare.html(compare.table([compare.Run("pets", runs.metrics("default", results))]))):
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', made)[1]
        assert policy.startswith("default-src 'none'; ")
        scripts = re.search(r"script-src ([^;]*)", policy)
        assert scripts is None or re.fullmatch(r"'unsafe-eval' 'sha256-[^']{44}' 'sha256-[^']{44}'", scripts[1])
        assert not re.search(r'(?:src|href)="(?!#)', made.partition("<script>")[0])


def test_pictures_in_a_zip_carry_nothing_but_pixels(finished):
    _, results = finished
    images = results.images.value
    made = export.pictures_zip(images.x, images.ids, ["a/../b"] * len(images), b"id\n")
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert not [name for name in archive.namelist() if ".." in name.split("/") or name.startswith("/")]
        for name in archive.namelist()[1:]:
            with Image.open(archive.open(name)) as found:
                assert found.info == {}
