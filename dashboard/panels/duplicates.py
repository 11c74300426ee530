"""Duplicates: images that are there more than once, group by group, those whose labels conflict first."""

from dataclasses import dataclass

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import duplicates, report
from core.duplicates import DuplicateConfig, Duplicates, Group, Thresholds
from core.plans import Results, some
from dashboard import analysed, chosen, components, spreadsheet, state
from dashboard.gallery import gallery
from dashboard.panels import findings, pictures, toolbar

PAGE = 10  # groups
MOST = 12  # pictures of a group that are drawn
KINDS = ("exact and near", "exact", "near")
MEANING = (
    "Exact: the same pixels. Near: neighbours in latent space with both distances at most these. They start at a quarter of "
    "what usually lies between an image and its nearest other; larger finds more, and more that are only alike."
)


@dataclass(frozen=True, eq=False)
class _Shown:
    """A group as it is drawn: its number in the file, whether its labels conflict, and the copies that are not junk yet."""

    number: int
    group: Group
    conflict: bool
    copies: np.ndarray


def show(shown: Results) -> None:
    """Draw the thresholds, what can be done with all groups, and a page of groups."""
    usual = analysed.value_of(shown, DuplicateConfig())
    if usual is None:
        return
    line = components.control_line()
    config, kind = _choices(shown, usual.thresholds, line)
    found = usual if config == DuplicateConfig() else analysed.value_of(shown, config)
    if found is None:
        return
    st.caption(MEANING)
    every = _groups(shown, found, kind)
    if not every:
        findings.nothing(
            "No two images are as near as this. Allow larger distances to find images that are less alike."
        )
        return
    left = [item for item in every if len(item.copies)]
    open_only = len(left) < len(every) and line.toggle(
        "Without finished groups", key=state.setting("duplicates.open", True),
        help="Groups of which all but one are marked as junk.",
    )  # fmt: skip
    listed = left if open_only else every
    at = components.page_of(line, "duplicates.page", len(listed), PAGE)
    _told(shown, every, listed)
    _actions(shown, found, every, left)
    for item in listed[at]:
        _draw(shown, item)
    pictures.opened(shown)


def _choices(shown: Results, usual: Thresholds, line: DeltaGenerator) -> tuple[DuplicateConfig, str]:
    """Choose the distances, kept per model, and the kind of groups."""
    chosen_distances: list[float | None] = []
    for name, start, told in (
        ("latent", usual.latent, "Euclidean distance in latent space."),
        ("pixel", usual.pixel, "Root of the mean squared difference: 0 for the same pixels, 1 for black and white."),
    ):
        key = state.setting(f"duplicates.{name}.{some(shown.latents).key[:8]}", start)
        value = line.number_input(
            f"{name.capitalize()} distance up to", 0.0, key=key, step=start / 10 or 0.001, format="%.4g", help=told, width=170,
        )  # fmt: skip
        chosen_distances.append(None if value == start else float(value))
    kind = line.selectbox("Groups", KINDS, key=state.setting("duplicates.kind", KINDS[0], KINDS), width=150)
    latent, pixel = chosen_distances
    return DuplicateConfig(latent, pixel), kind


def _groups(shown: Results, found: Duplicates, kind: str) -> list[_Shown]:
    """Return the groups of a kind all of whose images are shown, those whose labels conflict first."""
    images = shown.images.value
    inside, junk = chosen.scope(images), findings.junk_rows(shown)
    listed = []
    for number, group in enumerate(found.groups, 1):
        if kind in (KINDS[0], group.kind) and inside[group.rows].all():
            kept = group.rows[~junk[group.rows]]
            listed.append(_Shown(number, group, duplicates.conflicting(group, images.y), kept[1:]))
    return sorted(listed, key=lambda item: not item.conflict)


def _told(shown: Results, every: list[_Shown], listed: list[_Shown]) -> None:
    exact = sum(item.group.kind == "exact" for item in every)
    images = sum(len(item.group.rows) for item in every)
    conflicts = sum(item.conflict for item in every)
    groups = "group" if len(every) == 1 else "groups"
    text = f"**{len(every):,} {groups} of {images:,} images**: {exact:,} exact, {len(every) - exact:,} near"
    if conflicts:
        text += f"; in {conflicts:,} the labels conflict, and these come first"
    if len(listed) < len(every):
        text += f". {len(every) - len(listed):,} are finished"
    st.markdown(text + ".")
    within = chosen.scope(shown.images.value)
    if not within.all():
        st.caption("Groups are left out when one of their images is.")


def _actions(shown: Results, found: Duplicates, every: list[_Shown], left: list[_Shown]) -> None:
    """Draw what can be done with all groups."""
    images = shown.images.value
    rows = np.concatenate([item.group.rows for item in every])
    copies = np.concatenate([item.copies for item in every])
    line = components.control_line()
    for name, of, told in (
        (f"Select all {len(rows):,}", rows, "Every image of every group listed."),
        (
            f"Select all but the first: {len(copies):,}",
            copies,
            "Of each group every image but one; without what is junk.",
        ),
    ):
        line.button(
            name, key=f"duplicates.{told}", on_click=chosen.pick, args=(images, of, toolbar.mode()), help=told,
            disabled=not len(of), icon=":material/select_all:",
        )  # fmt: skip
    line.button(
        f"Mark {len(copies):,} as junk", key="duplicates.junk", icon=":material/delete:", disabled=not len(copies),
        on_click=findings.mark_as_junk, args=(images, copies, None, "rule"),
        help=f"All but the first of each of {len(left):,} groups, in one action, which one undo takes back. Your files stay as "
        "they are.",
    )  # fmt: skip
    findings.undo_buttons(line, shown, "duplicates")
    findings.download(
        line, "CSV", spreadsheet.csv(lambda: duplicates.table(found.groups, images.ids, images.y, images.classes)),
        f"{report.file_stem(shown)}-duplicates.csv", "A row an image of a group, of all groups within these distances.",
    )  # fmt: skip


def _draw(shown: Results, item: _Shown) -> None:
    """Draw one group: what it is, its buttons, its pictures with their distances from the first."""
    images, group, number = shown.images.value, item.group, item.number
    junk = findings.junk_rows(shown)[group.rows]
    line = st.container(horizontal=True, vertical_alignment="center", gap="small")
    text = f"**Group {number}** · {group.kind} · {len(group.rows):,} images"
    if item.conflict:
        names = sorted({findings.label_of(images, int(row)) for row in group.rows} - {""})
        text += f" · :orange[:material/warning: labels conflict: {components.plain(', '.join(names[:5]))}]"
    line.markdown(text, width="content")
    line.button(
        "Select", key=f"duplicates.select.{number}", on_click=chosen.pick, args=(images, group.rows, toolbar.mode()),
        help="Select this group.", type="tertiary", icon=":material/select_all:",
    )  # fmt: skip
    line.button(
        "Junk all but the first", key=f"duplicates.junk.{number}", on_click=findings.mark_as_junk,
        args=(images, item.copies, None), disabled=not len(item.copies), type="tertiary", icon=":material/delete:",
    )  # fmt: skip
    items = []
    for place, row in enumerate(group.rows[:MOST]):
        away = f"latent {group.latent[place]:.3g}, pixel {group.pixel[place]:.3g}" if place else "first"
        same = place and not group.pixel[place]
        told = ["the same pixels" if same else away, *(["junk"] if junk[place] else [])]
        items.append(pictures.item(shown, int(row), pictures.PARTS[:1], None, *told))
    gallery(
        items, side=max(72, int(state.value("gallery.side", 64))), key=f"duplicates.group.{number}", on_open=state.open_image
    )  # fmt: skip
    if len(group.rows) > MOST:
        st.caption(f"The first {MOST} of its {len(group.rows):,} images; the buttons take all.")
