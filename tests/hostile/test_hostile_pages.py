"""What the page makes of hostile files: a box with one sentence, or the images; never a traceback, never markup that runs."""

import os

import numpy as np
import pytest

from tests.hostile import archives, arrays, names, pictures
from tests.hostile.case import RAMP, folder_with, picture
from tests.pages import choose, fresh, page, settled, texts  # noqa: F401  fresh is a fixture

pytestmark = pytest.mark.xdist_group("dashboard")
MARKUP = "<img src=x onerror=alert(1)>"


def typed(at, path):
    """Type a path; wait for what comes of it."""
    choose(at, path)
    return settled(
        at, lambda at: at.error or any("images of" in item.value for item in at.sidebar.caption) or at.exception
    )


def test_what_cannot_be_read_is_a_sentence_in_a_box_and_the_page_stays(tmp_path):
    (tmp_path / "bomb.zip").write_bytes(archives._million())
    (tmp_path / f"{MARKUP}.zip").write_bytes(archives.raw_zip([archives.Entry(b"../ran.png")] * 2))
    np.save(
        tmp_path / "objects.npy", np.array([arrays.Payload(tmp_path / "ran")] * 4, dtype=object), allow_pickle=True
    )
    (tmp_path / "deep.npy").write_bytes(arrays.headed("(" * 9000))
    (tmp_path / "none").mkdir()
    for name in ("a.png", f"{MARKUP}.png"):
        (tmp_path / "none" / name).write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n(%pipe%touch ran) (w) file")
    os.mkfifo(tmp_path / "pipe.npz")
    at = page().run()
    for path, sentence in (
        (tmp_path / "bomb.zip", "more than 200,000 entries"),
        (tmp_path / f"{MARKUP}.zip", "leads out of the archive"),
        (tmp_path / "objects.npy", "need pickle and are refused"),
        (tmp_path / "deep.npy", "is not a NumPy file that can be read"),
        (tmp_path / "none", "not a picture that can be read"),
        (tmp_path / "pipe.npz", "not a file that exists"),
    ):
        typed(at, path)
        assert not at.exception
        assert sentence in at.error[0].value.replace("\\", ""), at.error[0].value
        assert MARKUP not in at.error[0].value and "Traceback" not in texts(at)
        assert at.sidebar.selectbox[0].label == "Data set"
    assert not (tmp_path / "ran").exists()


def test_hostile_names_and_tables_are_text_on_the_page(tmp_path):
    root = tmp_path / "in"
    for i, name in enumerate(names.NAMES.values()):
        folder = ("a", MARKUP)[i % 2]
        picture(root / folder / "new.png", RAMP + i).rename(root / folder / f"{name}.png")
    folder_with(root / "a", {"page.png": b"<html>", "20,000.png": pictures.png(20_000, 20_000)})
    at = typed(page().run(), root)
    assert not at.exception and not at.error
    assert MARKUP not in texts(at)
    assert {"page.png", "20,000.png"} <= {name.split("/")[-1] for name in at.sidebar.dataframe[0].value["file"]}
    (tmp_path / "utf16.csv").write_bytes("id,v\na.png,1\n".encode("utf-16"))
    (tmp_path / "formulas.csv").write_text(f'id,"{MARKUP}"\na/good 1.png,"=1+1"\nnobody,"@x"\n')
    box = next(item for item in at.sidebar.text_input if item.label == "CSV or Parquet")
    box.set_value(str(tmp_path / "utf16.csv")).run()
    assert not at.exception and "cannot be read as a table" in at.error[0].value.replace("\\", "")
    box.set_value(str(tmp_path / "formulas.csv")).run()
    assert not at.exception and not at.error and MARKUP not in texts(at)


def test_a_kept_model_that_is_hostile_is_named_on_the_train_page(tmp_path):
    for name, content in (("deep", b"[" * 10_000), ("pickle", b"\x80\x04cposix\nsystem\n(S'touch ran'\ntR.")):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "model.json").write_bytes(content)
        (tmp_path / "models" / name / "weights.safetensors").write_bytes(content)
    os.mkfifo(tmp_path / "models" / "deep" / "more.json")
    at = page("train").run()
    assert not at.exception
    assert [item.value.replace("\\", "").split(":")[0] for item in at.warning] == ["deep", "pickle"]
