"""A login that the secrets ask for, with a provider on loopback: before it, and after it, nothing comes to a real Chromium."""

import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

from core.store import Store
from tests.browser.helpers import DRAWN, FLAGS, chromium, new_page, panel, served
from tests.browser.oidc import provider

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

ANN = {"sub": "ann", "email": "Ann@Example.org", "name": "Ann"}
SECRETS = """
[auth]
redirect_uri = "http://localhost:{{port}}/oauth2callback"
cookie_secret = "a secret of this test alone, 1234567890"
client_id = "explorer"
client_secret = "secret"
server_metadata_url = "{url}/.well-known/openid-configuration"

[access]
emails = ["ann@example.org"]
"""
# What only the data can have brought: the sample's name in the sidebar, the map, pictures, clusters.
INSIDE = (b"Digits (sample", b"\x89PNG", b"WEBP", b"latents", b"ee-map", b"cluster 3")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A dashboard with a login, and its provider."""
    chromium()
    folder = tmp_path_factory.mktemp("login")
    Store(folder / "store").put("seen", "welcome", {}, {}, 0.0)
    with provider() as known:
        (folder / ".streamlit").mkdir()
        (folder / ".streamlit" / "secrets.toml").write_text(SECRETS.format(url=known.url), "utf-8")
        places = {"STORE": "store", "MODELS": "models", "REVIEWS": "reviews"}
        kept = {f"EMBEDDING_EXPLORER_{name}": str(folder / place) for name, place in places.items()}
        with served("dashboard/app.py", folder, {"HOME": str(folder), **kept}) as (url, _):
            yield url, known


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), chromium_sandbox=False, args=FLAGS.split())
        yield browser
        browser.close()


@contextmanager
def visitor(browser, cookies=()):
    """A page of a browser of its own; `frames` are what its sockets received."""
    page = new_page(browser)
    page.frames_received = []
    page.on(
        "websocket", lambda socket: socket.on("framereceived", lambda body: page.frames_received.append(_bytes(body)))
    )
    if cookies:
        page.context.add_cookies(cookies)
    yield page
    page.context.close()


def _bytes(body):
    return body if isinstance(body, bytes) else body.encode()


def seen(page):
    """Which signs of the data came to a page."""
    received = b"".join(page.frames_received)
    return [sign for sign in INSIDE if sign in received]


def wait_gone(url):
    """Wait until nothing is at an address for whoever has no cookie."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=10).close()
        except urllib.error.HTTPError as error:
            assert error.code == 404
            return
        time.sleep(0.2)
    raise AssertionError(url)


def log_in(page, url):
    page.goto(url)
    page.get_by_role("button", name="Log in").click()


def test_nothing_comes_before_a_login_the_map_after_it_and_nothing_after_a_logout(guarded, browser):
    url, known = guarded
    known.claims = ANN
    with visitor(browser) as page:
        for place in ("", "/train", "/compare", "/?view=eNqrVkpJLElUslJKyUzPLClWqgUAL4MFew"):
            page.goto(url + place)
            page.get_by_role("button", name="Log in").wait_for()
            page.wait_for_timeout(300)
        assert seen(page) == []
        log_in(page, url)
        page.wait_for_selector(DRAWN)
        assert {b"Digits (sample", b"latents"} <= set(seen(page))
        panel(page, "Suspects")
        page.locator(".stApp", has_text="Confirm").wait_for()
        assert page.get_by_label("Reviewer").count() == 0  # the login's name cannot be changed
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Predictions CSV").click()
        cookies = page.context.cookies()
        page.get_by_role("button", name="Log out").click()
        page.get_by_role("button", name="Log in").wait_for()
        wait_gone(waiting.value.url)
        page.frames_received.clear()
        page.reload()
        page.get_by_role("button", name="Log in").wait_for()
        assert seen(page) == []
    with visitor(browser, cookies) as page:  # a copy of the cookie from before
        page.goto(url)
        page.get_by_text("Your login has ended").wait_for()
        assert seen(page) == []


def test_who_is_not_on_the_list_sees_nothing(guarded, browser):
    url, known = guarded
    for claims in ({"sub": "eve", "email": "eve@example.org"}, ANN | {"sub": "eve", "email_verified": False}):
        known.claims = claims
        with visitor(browser) as page:
            log_in(page, url)
            page.get_by_text("not allowed to see").wait_for()
            assert seen(page) == []


def test_an_old_login_and_a_forged_cookie_are_nothing(guarded, browser):
    url, known = guarded
    known.claims = ANN | {"sub": "old", "iat": int(time.time()) - 13 * 3600}
    with visitor(browser) as page:
        log_in(page, url)
        page.get_by_text("Your login has ended").wait_for()
        assert seen(page) == []
        cookies = page.context.cookies()
    assert any(cookie["name"] == "_streamlit_user" for cookie in cookies)
    for cookie in cookies:
        if cookie["name"].startswith("_streamlit_user"):
            cookie["value"] = cookie["value"][:-8] + "AAAAAAAA"
    with visitor(browser, cookies) as page:
        page.goto(url)
        page.get_by_text("Log in to see what there is").wait_for()
        assert seen(page) == []
    known.claims = ANN | {"exp": int(time.time()) - 3600}  # a token that is over lets nobody in at all
    with visitor(browser) as page:
        log_in(page, url)
        page.get_by_text("Log in to see what there is").wait_for()
        assert seen(page) == []


def test_what_is_served_without_a_session_gives_nothing_away(guarded):
    url, _ = guarded
    for place in (
        "media/0.png",
        "component/x/y.js",
        "app/static/x",
        "_stcore/upload_file/a/b",
        "_stcore/bidi-components/x/y",
    ):
        try:
            with urllib.request.urlopen(f"{url}/{place}", timeout=10) as answer:
                body = answer.read()
        except urllib.error.HTTPError as error:
            body = error.read()
        assert not [sign for sign in (*INSIDE, b"digits", b"emoji", b"/store") if sign in body], place
