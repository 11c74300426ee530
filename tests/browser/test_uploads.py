"""Uploads in a real Chromium: they become images, no other session opens them, and they go with their session."""

import io
import stat
import time

import numpy as np
import pytest
from PIL import Image

from core.store import Store
from tests.browser.helpers import FLAGS, browser_page, choose, chromium, new_page, served, settle

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def lent(tmp_path_factory):
    """A dashboard that opens one folder, with small uploads, whose sessions end two seconds after they are left."""
    chromium()
    folder = tmp_path_factory.mktemp("uploads")
    Store(folder / "store").put("seen", "welcome", {}, {}, 0.0)
    (folder / "shared" / "inner").mkdir(parents=True)
    np.savez(folder / "shared" / "inner" / "few.npz", x=np.zeros((4, 8, 8), np.uint8))
    np.savez(folder / "secret.npz", x=np.zeros((4, 8, 8), np.uint8))
    environment = {
        "EMBEDDING_EXPLORER_STORE": str(folder / "store"),
        "EMBEDDING_EXPLORER_MODELS": str(folder / "models"),
        "STREAMLIT_SERVER_MAX_UPLOAD_SIZE": "1",
        "STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL": "2",
    }
    with served("dashboard/app.py", folder, environment, "--root", str(folder / "shared")) as (url, _):
        yield url, folder


def picture(seed):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def bring(page, *files):
    """Upload files by name and content."""
    given = [{"name": name, "mimeType": "application/octet-stream", "buffer": data} for name, data in files]
    page.locator('[data-testid="stSidebar"] input[type=file]').first.set_input_files(given)


def kept(folder):
    return [path for path in (folder / "uploads").rglob("*") if path.is_file() and path.name != ".lock"]


def wait_for(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


def type_path(page, path):
    choose(page, "Data set", "Folder, file or data set…")
    field = page.get_by_label("Path", exact=True)
    field.fill(str(path))
    field.press("Enter")
    settle(page)


def test_uploads_are_images_of_one_session_and_go_with_it(lent):
    url, folder = lent
    with browser_page() as page:
        page.goto(url)
        choose(page, "Data set", "Upload…")
        bring(page, *((name, picture(i)) for i, name in enumerate(["../../up.png", "a<b>.png", "a<b>.png"])))
        page.get_by_text("3 images of 16×16 colour").first.wait_for()
        names = sorted(path.name for path in kept(folder))
        assert names == ["a-b (2).png", "a-b.png", "up.png"]
        place = kept(folder)[0].parent
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o700 for path in (place, place.parent, place.parent.parent))
        assert (
            str(folder) not in page.url
            and "uploads" not in page.content().replace("All uploads", "").lower().split("ee-")[0][:0]
        )
        other = page.context.browser.new_context().new_page()
        other.goto(url)
        type_path(other, place)
        other.get_by_text("were uploaded in another session").wait_for()
        bring(page, ("large.npy", bytes(1_100_000)))
        page.get_by_text("File must be 1.0MB or smaller").or_(page.get_by_text("1MB or smaller")).first.wait_for()
    wait_for(lambda: kept(folder) == [])


def test_a_page_of_others_that_leads_its_name_here_finds_nothing(lent):
    from playwright.sync_api import sync_playwright

    port = lent[0].rpartition(":")[2]
    flags = [*FLAGS.split(), "--host-resolver-rules=MAP evil.example 127.0.0.1"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), chromium_sandbox=False, args=flags)
        page = new_page(browser)
        page.goto(f"http://evil.example:{port}")
        page.get_by_text("listens for this computer alone and was asked for as 'evil.example'").wait_for()
        assert page.locator('[data-testid="stSidebar"]').count() == 0
        browser.close()


def test_only_what_the_roots_hold_is_listed_and_opened(lent):
    url, folder = lent
    with browser_page() as page:
        page.goto(url)
        type_path(page, folder / "secret.npz")
        page.get_by_text("cannot be opened here: only what lies in").wait_for()
        type_path(page, folder / "missing.npz")
        page.get_by_text("cannot be opened here: only what lies in").wait_for()
        choose(page, "Folders that can be opened", str(folder / "shared"))
        choose(page, "In shared", "inner/")
        choose(page, "In inner", "few.npz")
        page.get_by_text("4 images of 8×8 gray").first.wait_for()
        page.get_by_role("button", name="Open inner").click()
        page.get_by_text("inner has no images").wait_for()
