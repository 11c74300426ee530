"""Compare: which of my runs is best, and what does it cost?"""

from typing import Any

import streamlit as st

from core import compare, runs
from dashboard import components, server, spreadsheet


def show() -> None:
    """Draw the page."""
    found, unreadable = runs.remembered(server.store())
    st.markdown(
        "Runs side by side: maps added on the Explore page, and what the command line finished with the same store. "
        "Best of each score in bold."
    )
    if unreadable:
        st.warning(f"{unreadable} of the runs in the store cannot be read and are left out.")
    if not found:
        st.info(
            "No run is in the store yet. Press “Add to Compare” on the Explore page, or make one on the command line: "
            "`python -m core run --data digits --out results`.",
            icon=":material/compare_arrows:",
        )
        return
    names = list(found)
    chosen = st.multiselect("Runs", names, default=names[-6:], format_func=lambda name: found[name].name)
    if not chosen:
        st.info("Choose at least one run.")
        return
    frame = compare.table([found[name] for name in chosen])
    winners = compare.best(frame)

    def bold(column: Any) -> list[str]:
        best = winners.get(str(column.name), set())
        return ["font-weight: 700; color: #0072b2" if i in best else "" for i in range(len(column))]

    st.dataframe(
        frame.style.apply(bold).format(precision=4, na_rep="–", thousands=","),
        hide_index=True,
        column_config={title: st.column_config.Column(help=text) for title, text in compare.explained().items()},
    )
    if differences := compare.differences([found[name] for name in chosen]):
        st.caption(components.plain(f"Made with different versions: {'; '.join(differences)}"))
    left, right, drop, _ = st.columns([1, 1, 1, 3])
    left.download_button(
        "CSV", spreadsheet.csv(lambda: frame), "comparison.csv", "text/csv", on_click="ignore", width="stretch"
    )
    right.download_button(
        "HTML", compare.html(frame), "comparison.html", "text/html", on_click="ignore", width="stretch"
    )
    if drop.button("Forget these", width="stretch", help="Take the runs shown off this list. Their results stay."):
        for name in chosen:
            server.store().drop(runs.STAGE, name)
        st.rerun()
