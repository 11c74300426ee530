"""The exported page as a workbench: selecting, searching, looking and taking away, without a network or Python."""

import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core import export, notebook, selection, sheets
from core.figures import Category, MapSpec, Number
from core.selection import Pick, picked
from tests.browser.helpers import DRAWN, browser_page, draw_box, gallery_rows, screens, selected

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

EVIL = "</script><img src=x onerror=window.hacked=1><b>&amp;"
N = 150
RNG = np.random.default_rng(7)
# Large pictures of few values: three sheets, and a small file.
X = np.repeat(np.repeat(RNG.integers(0, 256, (N, 12, 9, 3), dtype=np.uint8), 15, axis=1), 20, axis=2)
MADE = np.repeat(np.repeat(RNG.integers(0, 256, (N, 12, 9, 3), dtype=np.uint8), 15, axis=1), 20, axis=2)
IDS = tuple(f"=Straße {i} {EVIL}" for i in range(N))
LABELS = Category("Label", (np.arange(N) % 4 - 1).astype(np.int32), (EVIL, "Zebra", "cat 7"))
ERRORS = Number("Error", np.where(np.arange(N) % 10, RNG.permutation(N) / 7, np.nan).astype(np.float32))


def spec(dimensions):
    return MapSpec(
        coordinates=np.random.default_rng(1).normal(size=(N, dimensions)).astype(np.float32),
        rows=np.arange(N, dtype=np.int32),
        color=LABELS,
        symbol=None,
        fields=(LABELS, ERRORS),
        ids=IDS,
        axes=("x", "y", "z")[:dimensions],
        view_key="v",
        image=sheets.layout(X, MADE),
    )


@pytest.fixture
def page():
    """A browser without a network, in which nothing must go wrong."""
    with browser_page(offline=True) as page:
        yield page
        assert (page.outside, page.problems) == ([], [])
        assert page.evaluate("window.hacked") is None and page.locator("img, b").count() == 0


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Exported pages in 2-D and 3-D."""
    folder = tmp_path_factory.mktemp("pages")
    return {d: export.write(folder / f"{d}.html", export.html(spec(d), X, MADE, EVIL)) for d in (2, 3)}


def show(page, path):
    page.goto(path.as_uri())
    page.wait_for_selector(DRAWN)
    page.wait_for_timeout(500)


def count(page):
    return page.locator("#count").inner_text()


def shown_rows(page, expected):
    """The rows of the gallery's page, once there are as many as expected and all are painted."""
    page.wait_for_function(
        "(n) => document.querySelectorAll('.ee-picture').length === n && document.querySelector('#gallery').dataset.ready",
        arg=min(60, len(expected)),
    )
    return gallery_rows(page)


def search(page, text):
    page.locator("#search").fill("")
    page.locator("#search").press_sequentially(text)
    page.locator("#search").press("Enter")


def surely_inside(at, left, top, right, bottom):
    """Rows inside a box on the screen; none may be so near its edge that it could be either."""
    x, y = at.T
    inside = (x > left) & (x < right) & (y > top) & (y < bottom)
    wide = (x > left - 1.5) & (x < right + 1.5) & (y > top - 1.5) & (y < bottom + 1.5)
    narrow = (x > left + 1.5) & (x < right - 1.5) & (y > top + 1.5) & (y < bottom - 1.5)
    assert (wide == narrow).all() and inside.any() and not inside.all()
    return set(np.flatnonzero(inside).tolist())


def clear_box(at, middle, least=30, most=80):
    """A box near a place with some dots in it, its edges clear of all."""
    rng = np.random.default_rng(0)
    for _ in range(5000):
        x, y = middle + rng.uniform(-25, 25, 2)
        w, h = rng.uniform(least, most, 2)
        dx, dy = np.abs(at - (x, y)).T
        on_edge = ((np.abs(dx - w) < 2) & (dy < h + 2)) | ((np.abs(dy - h) < 2) & (dx < w + 2))
        if not on_edge.any() and ((dx < w) & (dy < h)).sum() > 2:
            return (x - w, y - h, x + w, y + h)
    raise AssertionError("no box is clear of dots")


def test_a_lasso_selects_shift_adds_alt_takes_away_and_escape_clears(page, files):
    show(page, files[2])
    assert count(page) == "0 of 150 selected"
    assert "draw around dots" in page.locator("#hint").inner_text()
    at = screens(page, range(N))
    middle = np.median(at, axis=0)
    first = clear_box(at, middle + np.array([-40, -40]))
    second = clear_box(at, middle + np.array([60, 40]))
    inner = clear_box(at, middle + np.array([-40, -40]), 15, 50)
    of = [surely_inside(at, *box) for box in (first, second, inner)]
    draw_box(page, *first)
    assert selected(page, "") == len(of[0])
    assert shown_rows(page, of[0]) == sorted(of[0])[:60]
    assert page.locator("#hint").is_hidden()
    page.keyboard.down("Shift")
    draw_box(page, *second)
    page.keyboard.up("Shift")
    assert selected(page, str(len(of[0]))) == len(of[0] | of[1])
    page.keyboard.down("Alt")
    draw_box(page, *inner)
    page.keyboard.up("Alt")
    left = (of[0] | of[1]) - of[2]
    assert selected(page, str(len(of[0] | of[1]))) == len(left)
    assert shown_rows(page, left) == sorted(left)[:60]
    assert count(page) == f"{len(left)} of 150 selected"
    page.get_by_role("button", name="Invert").click()
    assert shown_rows(page, range(N - len(left))) == sorted(set(range(N)) - left)[:60]
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    assert shown_rows(page, of[0] | of[1]) == sorted(of[0] | of[1])[:60]
    page.get_by_role("button", name="Redo").click()
    assert shown_rows(page, left) == sorted(left)[:60]
    page.keyboard.press("Escape")
    assert count(page) == "0 of 150 selected" and page.locator("#download").is_disabled()


def test_a_click_selects_one_or_all_within_a_radius_and_hidden_groups_are_left_out(page, files):
    show(page, files[2])
    at = screens(page, range(N))
    apart = np.linalg.norm(at[:, None] - at, axis=2) + np.eye(N) * 999
    row = int(apart.min(axis=1)[LABELS.codes == 1].argmax())
    row = int(np.flatnonzero(LABELS.codes == 1)[row])
    page.mouse.move(*(at[row] + 30))
    page.mouse.move(*at[row], steps=4)
    page.wait_for_timeout(300)
    page.mouse.click(*at[row])
    assert shown_rows(page, [row]) == [row]
    page.locator("#more summary").click()
    page.locator("#radius").fill("1.25")
    page.locator("#more summary").click()
    page.locator(".legendtoggle").nth(0).click()
    page.wait_for_function("() => document.querySelector('.ee-map').eeMap.gd._fullData[0].visible === 'legendonly'")
    page.wait_for_timeout(500)
    page.mouse.move(*(at[row] + 30))
    page.mouse.move(*at[row], steps=4)
    page.wait_for_timeout(300)
    page.mouse.click(*at[row])
    places = spec(2).coordinates.astype(float)
    near = (np.linalg.norm(places - places[row], axis=1) <= 1.25) & (LABELS.codes != 0)
    assert near.sum() > 1
    assert shown_rows(page, np.flatnonzero(near)) == np.flatnonzero(near)[:60].tolist()


def test_a_lasso_on_the_screen_of_a_3d_map(page, files):
    show(page, files[3])
    at = screens(page, range(N))
    box = clear_box(at, np.median(at, axis=0))
    inside = surely_inside(at, *box)
    page.locator('[data-attr="lasso3d"], [data-title^="Select what you draw around"]').first.click()
    draw_box(page, *box)
    assert selected(page, "") == len(inside)
    assert shown_rows(page, inside) == sorted(inside)[:60]


def picks(dimensions, rng):
    """Picks of every kind, some of them with groups that are hidden."""
    for hidden in ((), (1,), (0, 3)):
        for size in (3, 7, 40):
            x, y = rng.normal(size=(2, size))
            yield Pick("lasso", tuple(x), tuple(y), hidden=hidden)
            yield Pick("box", tuple(x[:2]), tuple(y[:2]), hidden=hidden)
            yield Pick("radius", row=int(rng.integers(N)), radius=float(rng.uniform(0.2, 2)), hidden=hidden)
            yield Pick("point", row=int(rng.integers(N)), hidden=hidden)
            if dimensions == 3:
                yield Pick("screen", tuple(x), tuple(y), matrix=tuple(rng.normal(size=16)), hidden=hidden)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_what_is_picked_is_what_python_picks(dimensions, page, files):
    show(page, files[dimensions])
    made = spec(dimensions)
    seen = set()
    for pick in picks(dimensions, np.random.default_rng(3)):
        expected = picked(pick, made.coordinates, made.rows, made.groups).tolist()
        arrays = {
            **dict(zip("xyz", made.coordinates.T.tolist(), strict=False)),
            "row": made.rows.tolist(),
            "group": np.where(LABELS.codes < 0, 3, LABELS.codes).tolist(),
        }
        found = page.evaluate(
            """([pick, arrays]) => {
              const typed = Object.fromEntries(Object.entries(arrays).map(
                ([name, values]) => [name, ("xyz".includes(name) ? Float32Array : Int32Array).from(values)]));
              return pickedPoints(pick, {arrays: typed});
            }""",
            [{name: getattr(pick, name) for name in ("kind", "x", "y", "row", "radius", "matrix", "hidden")}, arrays],
        )
        assert found == expected, pick
        seen.add((pick.kind, len(found) > 0))
    assert {(kind, True) for kind in ("point", "box", "lasso", "radius")} <= seen


def pixels(page, at):
    """The pictures of an element of the page: [h, w, c] by name."""
    found = page.evaluate(
        """(canvases) => canvases.map((c) =>
          [c.className, c.height, c.width, Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)])""",
        page.locator(at).locator("canvas").element_handles(),
    )
    return {name: np.array(data, np.uint8).reshape(h, w, 4)[..., :3] for name, h, w, data in found}


def check_pixels(page, at, row):
    found = pixels(page, at)
    np.testing.assert_array_equal(found["ee-original"], X[row])
    np.testing.assert_array_equal(found["ee-reconstruction"], MADE[row])
    np.testing.assert_array_equal(found["ee-difference"], np.abs(X[row].astype(int) - MADE[row]))


def by_error(rows, down):
    values = ERRORS.values[rows]
    order = np.argsort(-values if down else values, kind="stable")  # puts what is missing last
    return np.asarray(rows)[order].tolist()


def test_pictures_are_exact_sorted_and_in_pages(page, files):
    show(page, files[2])
    assert shown_rows(page, range(N)) == list(range(60))
    page.get_by_label("Sort by").select_option(label="Error")
    order = by_error(np.arange(N), down=False)
    assert shown_rows(page, order) == order[:60]
    page.get_by_label("Largest first").check()
    order = by_error(np.arange(N), down=True)
    assert shown_rows(page, order) == order[:60]
    assert f"Error {ERRORS.values[order[0]]:.4g}" in page.locator(".ee-picture").first.inner_text()
    page.locator("#next").click()
    page.locator("#next").click()
    page.wait_for_function("document.querySelectorAll('.ee-picture').length === 30")
    assert shown_rows(page, order[120:]) == order[120:]
    assert page.locator("#place").inner_text() == "of 3: 121 to 150 of 150" and page.locator("#next").is_disabled()
    for k in (0, 13, 29):  # of all three sheets
        check_pixels(page, f'.ee-picture[data-row="{order[120 + k]}"]', order[120 + k])
    page.get_by_label("Page", exact=True).fill("2")
    page.get_by_label("Page", exact=True).press("Enter")
    assert shown_rows(page, order[60:120]) == order[60:120]
    page.get_by_label("difference").uncheck()
    shown_rows(page, order[60:120])
    assert page.locator(".ee-picture").first.locator("canvas").count() == 2
    before = page.locator(".ee-picture canvas").first.bounding_box()["width"]
    page.locator("#side").fill("96")
    assert page.locator(".ee-picture canvas").first.bounding_box()["width"] == 2 * before == 96


def texts_of(column):
    if isinstance(column, Category):
        return [column.names[code] if code >= 0 else "" for code in column.codes]
    return [f"{value!s} {value:.4g}" if np.isfinite(value) else "" for value in column.values]


@pytest.mark.parametrize("text", ["STRASSE 7", "zebra", "img cat", "CAT  7", "1.142", "<b>", "nothing of it"])
def test_search_selects_what_holds_every_word(text, page, files):
    show(page, files[2])
    search(page, text)
    expected = np.flatnonzero(selection.matching(text, IDS, texts_of(LABELS), texts_of(ERRORS)))
    assert page.locator("#found").inner_text() == f"{len(expected)} found"
    assert count(page) == f"{len(expected)} of 150 selected"
    if len(expected):
        assert shown_rows(page, expected) == expected[:60].tolist()


def test_a_search_is_one_step_in_one_field_or_all(page, files):
    show(page, files[2])
    page.locator("#group").select_option(label="Label: cat 7")
    cats = np.flatnonzero(LABELS.codes == 2)
    assert shown_rows(page, cats) == cats.tolist()
    page.locator("#more summary").click()
    page.locator("#mode").select_option("add")
    page.locator("#scope").select_option(label="in Label")
    for letter in "zebra":
        page.locator("#search").press(letter)
        page.wait_for_timeout(300)
    both = np.flatnonzero(LABELS.codes >= 1)
    assert count(page) == f"{len(both)} of 150 selected"
    page.get_by_role("button", name="Undo").click()
    assert count(page) == f"{len(cats)} of 150 selected"
    page.get_by_role("button", name="Clear").click()
    assert count(page) == "0 of 150 selected" and page.locator("#search").input_value() == ""


def test_letters_are_folded_as_python_folds_them(page, files):
    show(page, files[2])
    codes = (*range(0x13A0), *range(0x1400, 0x2C00), *range(0xFB00, 0xFB20))
    letters = [chr(code) for code in codes if unicodedata.category(chr(code)) != "Cn"]  # the browser knows newer ones
    folded = page.evaluate("(letters) => letters.map(foldCase)", letters)
    assert [(a, b) for a, b in zip(letters, folded, strict=True) if a.casefold() != b] == []


def test_a_picture_opens_large_with_every_value_and_its_groups_can_be_selected(page, files):
    show(page, files[2])
    search(page, "zebra")
    zebras = np.flatnonzero(LABELS.codes == 1)
    shown_rows(page, zebras)
    page.locator(".ee-picture").nth(1).click()
    row = zebras[1]
    page.wait_for_timeout(300)
    check_pixels(page, "#large", row)
    assert page.locator("#large-title").inner_text() == IDS[row]
    label, error = page.locator("#large dd").all_inner_texts()[:2]
    assert label == "Zebra" and np.float32(error) == ERRORS.values[row]
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    check_pixels(page, "#large", zebras[2])
    page.keyboard.press("Escape")
    assert page.locator("#large").is_hidden() and count(page) == f"{len(zebras)} of 150 selected"
    page.get_by_role("button", name="Clear").click()
    shown_rows(page, range(N))
    page.locator('.ee-picture[data-row="1"]').click()
    page.locator("#large").get_by_role("button", name=EVIL).click()
    evil = np.flatnonzero(LABELS.codes == 0)
    assert shown_rows(page, evil) == evil.tolist()


def test_the_selection_goes_into_a_csv_in_the_order_shown(page, files):
    show(page, files[2])
    search(page, "cat")
    page.get_by_label("Sort by").select_option(label="Error")
    cats = by_error(np.flatnonzero(LABELS.codes == 2), down=False)
    shown_rows(page, cats)
    with page.expect_download() as waiting:
        page.locator("#download").click()
    assert waiting.value.suggested_filename.endswith(f"-{len(cats)}.csv")
    table = pd.read_csv(Path(waiting.value.path()), keep_default_na=False, dtype={"Error": np.float32})
    assert list(table) == ["id", "Label", "Error"]
    assert table["id"].tolist() == [f"'{IDS[row]}" for row in cats]
    assert set(table["Label"]) == {"cat 7"}
    table = pd.read_csv(Path(waiting.value.path()), dtype={"Error": np.float32})
    np.testing.assert_array_equal(table["Error"], ERRORS.values[cats])


def test_the_page_can_be_used_from_the_keyboard(page, files):
    show(page, files[2])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("zebra")
    page.keyboard.press("Enter")
    zebras = np.flatnonzero(LABELS.codes == 1)
    shown_rows(page, zebras)
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "ee-picture":
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.locator("#large").get_attribute("data-row") == str(zebras[0])
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.className") == "ee-picture"
    page.keyboard.press("Escape")
    assert count(page) == "0 of 150 selected"


@pytest.mark.parametrize("width", [1100, 700])
def test_a_notebooks_frame_has_the_same_page(width, files):
    view = notebook.MapView(files[2].read_text("utf-8"))
    with browser_page(width=width, height=900) as page:
        page.set_content(view._repr_html_())
        frame = page.frame_locator("iframe")
        frame.locator(DRAWN).wait_for()
        assert frame.locator("#pictures").is_visible() == (width == 1100)
        assert frame.locator("#map").bounding_box()["height"] >= 320
        frame.locator("#search").fill("zebra")
        frame.locator("#search").press("Enter")
        assert frame.locator("#count").inner_text() == f"{(LABELS.codes == 1).sum()} of 150 selected"
        with page.expect_download() as waiting:
            frame.locator("#download").click()
        assert len(pd.read_csv(Path(waiting.value.path()))) == (LABELS.codes == 1).sum()
        assert (page.problems, page.outside) == ([], [])


def test_a_choice_of_the_images_keeps_its_ids_and_pictures(page, tmp_path):
    rows = np.sort(np.random.default_rng(2).choice(N, 40, replace=False)).astype(np.int32)
    made = spec(2)
    part = replace(
        made, coordinates=made.coordinates[rows], rows=rows, ids=None, color=Number("Error", ERRORS.values[rows]),
        fields=(Number("Error", ERRORS.values[rows]),),
    )  # fmt: skip
    path = export.write(
        tmp_path / "part.html", export.html(part, X, MADE, "part", texts={"Error": ["long text"] * 40})
    )
    show(page, path)
    assert count(page) == "0 of 40 selected"
    assert "40 of 150 images" in page.locator("footer").inner_text()
    shown_rows(page, rows)
    assert page.locator(".ee-picture-id").all_inner_texts() == [str(row) for row in rows]
    check_pixels(page, '.ee-picture[data-row="11"]', rows[11])
    search(page, "LONG")
    assert page.locator("#found").inner_text() == "40 found"
