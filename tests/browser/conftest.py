"""What the browser tests share: the digits, a running dashboard, a page with the first map drawn."""

import pytest

from core import images, models, stages
from core.images import SampleSource
from core.plans import KeptModel
from core.store import Store
from tests.browser.helpers import DRAWN, browser_page, chromium, dashboard, settle


@pytest.fixture(scope="session")
def digits():
    """The digits and what the shipped model makes of them."""
    source = SampleSource("digits")
    shipped = Store(images.assets_root() / "none", shipped=images.assets_root() / "store")
    staged = stages.images(shipped, source)
    model = stages.read_model(KeptModel("digits"))
    assert isinstance(model, models.TrainedModel)
    return staged.value, stages.latents(shipped, model, staged, source).value


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """A running dashboard."""
    chromium()
    with dashboard(tmp_path_factory.mktemp("dashboard")) as url:
        yield url


@pytest.fixture
def page(address):
    """A page with the first map drawn."""
    with browser_page() as page:
        page.goto(address)
        page.wait_for_selector(DRAWN)
        settle(page)  # what is drawn after the map may move it
        yield page
