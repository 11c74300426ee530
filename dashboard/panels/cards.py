"""Cluster cards: what each cluster is, in pictures and numbers, and the name and colour that a person gives it."""

import html
from collections.abc import Sequence

import numpy as np
import streamlit as st

from core import cluster_cards, palettes, report, tables
from core.cluster_cards import ClusterCard
from core.corrections import colors_of, names_of
from core.corrections_csv import corrected_predictions
from core.decisions import MOST_NAME
from core.models import TrainedModel
from core.plans import Results, some
from core.stages import clustered, coordinates_of
from dashboard import chosen, components, reviewing, state
from dashboard.caches import cached
from dashboard.gallery import Item, gallery
from dashboard.panels import findings, pictures, toolbar, walks

PAGE = 6  # cards
EACH = 6  # closest and farthest images
MIX = 4  # labels that are told in words
APART = 15.0  # CIELAB units that two colours should differ by, for every colour vision
ALL = "all"


def show(shown: Results) -> None:
    """Draw a card for each cluster, or for one."""
    clustering = some(shown.clustering)
    labels, k = clustering.value.labels, clustering.value.k
    sizes = np.bincount(labels[labels >= 0], minlength=k)
    there = np.flatnonzero(sizes).tolist()
    if not there:
        findings.nothing("There is no cluster: all images are noise. Let clusters be smaller in the sidebar.")
        return
    names = names_of(findings.review_of(shown), clustering.key, k)
    line = components.control_line()
    options = (ALL, *there)
    which = line.selectbox(
        "Cluster", options, key=state.setting("cards.of", ALL, options), width=200,
        format_func=lambda i: ALL if i == ALL else _title(i, names[i]),
    )  # fmt: skip
    if which == ALL:
        at = components.page_of(line, "cards.page", len(there), PAGE)
        there = there[at]
    else:
        there = [cluster for cluster in there if cluster == which]
    findings.undo_buttons(line, shown, "cards")
    _named_predictions(line, shown, names)
    noise, none = int((labels < 0).sum()), k - int((sizes > 0).sum())
    told = f"{noise:,} images are noise: they are in no cluster and have no card. " if noise else ""
    told += f"{none:,} clusters have no images." if none else ""
    st.caption(
        told
        + "Closest and farthest are those by distance from the cluster's mean, in what was clustered; the medoid is the image "
        "nearest to all others of its cluster; error is that of reconstructions, on average and in the middle."
    )
    for cluster in there:
        _draw(shown, _card(_key(shown, cluster), shown, cluster), names[cluster])
    pictures.opened(shown)


def _title(cluster: int, name: str) -> str:
    return f"{cluster} · {name}" if name else f"cluster {cluster}"


def _key(shown: Results, cluster: int) -> str:
    of = (shown.images, some(shown.latents), some(shown.clustering), clustered(shown))
    return " ".join([*(staged.key for staged in of), str(cluster)])


@cached(max_entries=200, show_spinner=False)
def _card(key: str, _shown: Results, cluster: int) -> ClusterCard:
    images, encoded = _shown.images.value, some(_shown.latents).value
    return cluster_cards.cluster_card(
        cluster, some(_shown.clustering).value.labels, coordinates_of(clustered(_shown).value), encoded.latents,
        images.y, len(images.classes), encoded.errors, EACH,
    )  # fmt: skip


def _draw(shown: Results, card: ClusterCard, name: str) -> None:
    images = shown.images.value
    with st.container(border=True):
        text = f"**{components.plain(_title(card.cluster, name))}** · {card.size:,} images, {card.share:.1%}"
        if card.mean_error is not None:
            text += f" · error {card.mean_error:.4g}, median {card.median_error:.4g}"
        st.markdown(text)
        line = components.control_line()
        _naming(line, shown, card.cluster, name)
        line.button(
            "Select this cluster", key=f"cards.select.{card.cluster}", on_click=chosen.pick,
            args=(images, card.rows, toolbar.mode()), icon=":material/select_all:",
        )  # fmt: skip
        if card.label_counts is not None:
            _mix(images.classes, card)
        side, near = int(state.value("gallery.side", 64)), []
        away = dict(zip(card.rows.tolist(), card.distances.tolist(), strict=True))
        centroid = _centroid(shown, card)
        if centroid is not None:
            near.append(Item(card.medoid, [centroid], ["decoded centroid"]))
        near.append(_item(shown, card.medoid, "medoid", away))
        near += [_item(shown, int(row), "closest", away) for row in card.closest if row != card.medoid]
        gallery(near, side=side, key=f"cards.near.{card.cluster}", on_open=state.open_image)
        far = [_item(shown, int(row), "farthest", away) for row in card.farthest]
        gallery(far, side=side, key=f"cards.far.{card.cluster}", on_open=state.open_image)


def _item(shown: Results, row: int, what: str, away: dict[int, float]) -> Item:
    images = shown.images.value
    label = findings.label_of(images, row)
    lines = [what, images.ids[row], f"distance {away[row]:.3g}", *([f"label {label}"] if label else [])]
    return Item(row, pictures.pictures(shown, row, pictures.PARTS[:1]), lines)


def _centroid(shown: Results, card: ClusterCard) -> np.ndarray | None:
    """Return the picture that the mean latents of a cluster decode to; None of a classifier."""
    model = some(shown.model).value
    if not isinstance(model, TrainedModel):
        return None
    mean = card.mean_latents[None]
    found: np.ndarray = walks.decoded(model.fingerprint, mean.tobytes(), model, mean)[0]
    return found


def _naming(line, shown: Results, cluster: int, name: str) -> None:  # type: ignore[no-untyped-def]
    """Let a cluster be named and coloured; each change is kept at once, as an action of its own."""
    images, clustering = shown.images.value, some(shown.clustering)
    given = findings.review_of(shown).names.get((clustering.key, cluster))
    # With another number the fields start anew, from what is kept now, also after an undo or in another tab.
    stem = f"{clustering.key[:8]}.{cluster}.{-1 if given is None else given.number}"
    color = "" if given is None else given.color

    def keep(field: str) -> None:
        new = str(state.widget(f"cards.{field}.{stem}"))
        pair = (new.strip(), color) if field == "name" else (name, new.lower())
        reviewing.name_cluster(images, clustering.key, cluster, *pair)

    line.text_input(
        "Name", name, max_chars=MOST_NAME, key=f"cards.name.{stem}", on_change=keep, args=("name",), width=200,
        placeholder=f"cluster {cluster}",
    )  # fmt: skip
    if clustering.value.k > palettes.MAX_COLORS:
        return
    colors = colors_of(findings.review_of(shown), clustering.key, palettes.categorical(clustering.value.k))
    line.color_picker("Colour", colors[cluster], key=f"cards.color.{stem}", on_change=keep, args=("color",))
    if name or color:
        line.button(
            "Reset", key=f"cards.reset.{stem}", on_click=reviewing.name_cluster, type="tertiary",
            args=(images, clustering.key, cluster, "", ""), help="Take name and colour away.",
        )  # fmt: skip
    near = _too_near(cluster, colors) if color else None
    if near is not None:
        names = names_of(findings.review_of(shown), clustering.key, clustering.value.k)
        st.caption(
            ":orange[:material/warning:] This colour is hard to tell from that of "
            f"{components.plain(_title(near, names[near]))}."
        )


def _too_near(cluster: int, colors: Sequence[str]) -> int | None:
    """Return the cluster whose colour is nearest, if that is nearer than colours of so many clusters need to be."""
    if len(colors) < 2:
        return None
    usual = palettes.differences(palettes.categorical(len(colors)))
    usual[np.diag_indices(len(colors))] = np.inf
    away = palettes.differences(colors)[cluster]
    away[cluster] = np.inf
    near = int(away.argmin())
    return near if away[near] < min(APART, usual.min()) else None


def _mix(classes: Sequence[str], card: ClusterCard) -> None:
    """Draw how a cluster's images divide among labels: a bar, and the largest parts in words."""
    counts = card.label_counts
    if counts is None or not counts.sum():
        st.caption("None of its images has a label.")
        return
    order = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]
    shades = palettes.categorical(min(len(classes), palettes.MAX_COLORS))
    parts = "".join(
        f'<span title="{html.escape(f"{classes[i]}: {counts[i]:,}", quote=True)}" '
        f'style="width:{100 * counts[i] / card.size:.3f}%;'
        f'background:{shades[i] if i < len(shades) else palettes.MISSING}"></span>'
        for i in order
    )
    st.html(f'<div class="ee-mix" role="img" aria-label="label mix">{parts}</div>')
    told = [f"{components.plain(classes[i])}: {counts[i] / card.size:.1%}" for i in order[:MIX]]
    rest = int(counts[order[MIX:]].sum())
    told += [f"{len(order) - MIX:,} others: {rest / card.size:.1%}"] if rest else []
    told += [f"without a label: {card.unlabelled / card.size:.1%}"] if card.unlabelled else []
    st.caption("Labels: " + ", ".join(told))


def _named_predictions(line, shown: Results, names: Sequence[str]) -> None:  # type: ignore[no-untyped-def]
    """Offer each image's answer with the names given by hand, once there is one."""
    if any(names):
        findings.download(
            line, "Predictions with names",
            lambda: tables.plain_csv(corrected_predictions(shown, findings.review_of(shown), named=True)),
            f"{report.file_stem(shown)}-named-predictions.csv",
            "id,label: the name of each image's cluster, or what the cluster stands for where it has none; after decisions.",
        )  # fmt: skip
