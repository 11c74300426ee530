"""Page set-up and navigation. Started by `streamlit run dashboard/app.py`."""

import sys
from pathlib import Path

import streamlit as st

# Streamlit puts this file's folder first on the path, not the one that holds `core` and `dashboard`.
if (ROOT := str(Path(__file__).parents[1])) not in sys.path:
    sys.path.insert(0, ROOT)

from core.errors import ExplorerError
from dashboard import busy, components, door, presence, sessions, state, uploads, welcome
from dashboard.views import atlas, classify, compare, explore, jobs, train

st.set_page_config("Embedding Explorer", Path(__file__).with_name("icon.png"), layout="wide")
components.page_style()
PAGES = {
    "explore": st.Page(
        explore.show, title="Explore", icon=":material/scatter_plot:", url_path="explore", default=True
    ),
    "train": st.Page(train.show, title="Train", icon=":material/model_training:", url_path="train"),
    "classify": st.Page(classify.show, title="Classify", icon=":material/category:", url_path="classify"),
    "atlas": st.Page(atlas.show, title="Atlas", icon=":material/public:", url_path="atlas"),
    "compare": st.Page(compare.show, title="Compare", icon=":material/compare_arrows:", url_path="compare"),
    "jobs": st.Page(jobs.show, title="Jobs", icon=":material/work_history:", url_path="jobs"),
}
if not door.enter(state.address(sessions.ADDRESS) is not None):
    st.navigation(list(PAGES.values()), position="hidden")  # else an address of a page is one that is not found
    st.stop()
presence.of_server().seen(uploads.session())
state.keep_settings()
sessions.open_address()
state.remember_pages(**PAGES)
page = st.navigation(list(PAGES.values()), position="top")
try:
    welcome.show()
    page.run()
except ExplorerError as error:
    components.problem(error)
busy.sign()
with st.sidebar:
    door.who()
sessions.write_address()
