"""Few labels: a person names a handful of images, label spreading proposes the rest and which image to name next."""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import analyses, spreading
from core.decisions import MOST_NAME, Choice
from core.images import ImageSet
from core.neighbours import Graph, GraphConfig
from core.plans import Results
from core.spreading import Spread, SpreadConfig, Suggestions
from dashboard import analysed, chosen, components, further, reviewing, server, state
from dashboard.caches import cached
from dashboard.gallery import Item, gallery
from dashboard.panels import findings, pictures, proposals

SUGGESTED = 12
AT_ONCE = 1_000_000  # images × classes; 70,000 × 10 were measured at 1.1 s on two busy cores, the graph being there
MOST_BUTTONS = 20  # classes that have a button
DIGITS, SKIP = "123456789", "s"
RESERVED = "cr"  # keys that Streamlit has a use for


def show(shown: Results) -> None:
    """Draw what can be labelled, then what is proposed."""
    images = shown.images.value
    graph = analysed.value_of(shown, GraphConfig())
    if graph is None:
        return
    given = further.given(shown.review, len(images))
    names, config = further.asked(given)
    st.caption(
        "Give a few images of each class a name; the others get a proposal along their nearest neighbours in latent space. "
        + ("Only labels given here count: those of the data set are not used." if images.y is not None else "")
    )
    found = None
    if config is not None:
        found = analysed.look(shown, config).value
        if found is None and len(images) * config.n_classes <= AT_ONCE:
            found = analyses.of_results(server.store(), shown, config).value
    _labelling(shown, graph.first(SpreadConfig.k), found, given, names)
    if config is None:
        missing = "Label images of two classes or more" if not given else "Label an image of a second class"
        st.info(f"{missing}: then the rest gets proposals.", icon=":material/new_label:")
        return
    if found is None:
        found = analysed.value_of(shown, config, "Propose the rest")
    if found is not None:
        proposals.show(shown, found, given, names)


def give(images: ImageSet, rows: Sequence[int], name: str) -> None:
    """Keep a label for images, as one action; only in a callback."""
    reviewing.decide(
        images,
        [
            Choice(int(row), images.ids[row], "relabel", findings.label_of(images, int(row)), name.strip())
            for row in rows
        ],
    )


def _labelling(
    shown: Results, graph: Graph, found: Spread | None, given: dict[int, str], names: tuple[str, ...]
) -> None:
    """Draw the image to label, the classes it can get, and the images that are worth labelling after it."""
    images = shown.images.value
    skipped = [
        row for row, decision in findings.review_of(shown).current.items() if decision.kind in ("skip", "junk")
    ]
    taken = np.full(len(images), -1)
    taken[[row for row in (*given, *skipped) if row < len(images)]] = 0
    of = "" if found is None else analyses.key(shown, further.asked(given)[1] or GraphConfig())
    key = f"{analyses.key(shown, GraphConfig())} {of} {sorted(np.flatnonzero(taken >= 0).tolist())}"
    next_ones = _suggested(key, graph, found, taken)
    picked = state.value(f"labels.at.{images.fingerprint[:8]}")
    rows = next_ones.rows.tolist()
    row = int(picked) if isinstance(picked, int) and picked < len(images) and taken[picked] < 0 else None
    if row is None and rows:
        row = rows[0]
    first = images.classes if len(images.classes) <= MOST_BUTTONS else ()
    offered = tuple(dict.fromkeys([*first, *names]))[:MOST_BUTTONS]
    if row is not None:
        _one(shown, row, offered, _why(next_ones, row, found))
    _selection(shown, offered, given)
    if rows:
        st.caption("**Worth labelling next**; click one to label it.")
        items = [
            Item(i, pictures.pictures(shown, i, pictures.PARTS[:1]), [images.ids[i], _why(next_ones, i, found)])
            for i in rows
        ]
        gallery(
            items, side=max(72, int(state.value("gallery.side", 64))), key="labels.next",
            on_open=lambda clicked: state.change(f"labels.at.{images.fingerprint[:8]}", clicked),
        )  # fmt: skip


@cached(max_entries=8, show_spinner=False)
def _suggested(key: str, _graph: Graph, _found: Spread | None, _taken: np.ndarray) -> Suggestions:
    found = further.nothing_spread(len(_taken)) if _found is None else _found
    return spreading.suggest(_graph, found, _taken, SUGGESTED)


def _why(next_ones: Suggestions, row: int, found: Spread | None) -> str:
    """Say why an image is worth labelling."""
    at = np.flatnonzero(next_ones.rows == row)
    if not len(at):
        return "chosen by you"
    reach = int(next_ones.reach[at[0]])
    sure = "" if found is None else f"uncertain: {next_ones.uncertainty[at[0]]:.0%}, "
    return f"{sure}reaches {reach:,} others"


def _one(shown: Results, row: int, offered: tuple[str, ...], why: str) -> None:
    """Draw one image large, with a button and a key for each class."""
    images = shown.images.value
    picture, right = st.columns([1, 3])
    picture.html(
        f'<img class="ee-large" alt="image to label" src="{components.data_uri([np.asarray(images.x[row])])}">'
    )
    with right:
        st.markdown(f"**What is {components.plain(images.ids[row])}?** {why}")
        line = components.control_line()
        keys = shortcuts(offered)
        for i, name in enumerate(offered):
            line.button(
                components.plain(name), key=f"labels.give.{i}", on_click=give, args=(images, [row], name),
                shortcut=keys[i],
            )  # fmt: skip
        line.button(
            "Skip", key="labels.skip", icon=":material/skip_next:", shortcut=None if SKIP in keys else SKIP,
            on_click=_skip, args=(images, row),
            help="It is not suggested again.", type="tertiary",
        )  # fmt: skip
        _new(right, images, row)


def shortcuts(names: Sequence[str]) -> list[str | None]:
    """Return a key for each class: its own letter or digit where all names are such, else 1 to 9 and then none."""
    own = [name.lower() for name in names]
    if len(set(own)) == len(own) and all(_is_key(name) for name in own):
        return list(own)
    return [DIGITS[i] if i < len(DIGITS) else None for i in range(len(names))]


def _is_key(name: str) -> bool:
    return len(name) == 1 and name.isascii() and name.isalnum() and name not in RESERVED


def _new(place: DeltaGenerator, images: ImageSet, row: int) -> None:
    """Offer a class that has no button yet."""
    with place.form("labels.new", border=False, clear_on_submit=True):
        line = components.control_line()
        line.text_input("Another class", key="labels.name", max_chars=MOST_NAME, placeholder="name", width=200)
        line.form_submit_button(
            "Give to this image", icon=":material/new_label:",
            on_click=lambda: _named(images, row),
        )  # fmt: skip


def _named(images: ImageSet, row: int) -> None:
    name = str(state.widget("labels.name")).strip()
    if name:
        give(images, [row], name)


def _selection(shown: Results, offered: tuple[str, ...], given: dict[int, str]) -> None:
    """Draw what labels the selection, and what takes decisions back."""
    images = shown.images.value
    rows = np.flatnonzero(chosen.mask(images))
    line = components.control_line()
    with line.popover(f"Label {len(rows):,} selected", icon=":material/new_label:", disabled=not len(rows)):
        known = st.selectbox(
            "Class of all selected images", offered, index=None, key="labels.class", accept_new_options=True,
            placeholder="choose, or write a new one",
        )  # fmt: skip
        st.button(
            f"Label {len(rows):,} images", key="labels.selected", disabled=not (known or "").strip() or not len(rows),
            on_click=give, args=(images, rows.tolist(), known or ""), type="primary", width="stretch",
        )  # fmt: skip
    if given:
        line.button(
            f"Select the {len(given):,} labelled", key="labels.select given", on_click=chosen.pick,
            args=(images, np.array(sorted(given))), icon=":material/select_all:",
        )  # fmt: skip
    findings.undo_buttons(line, shown, "labels")


def _skip(images: ImageSet, row: int) -> None:
    reviewing.decide(images, [Choice(row, images.ids[row], "skip", findings.label_of(images, row))])
