"""Compare: which of my runs is best, and what does it cost?"""

from typing import Any

import streamlit as st

from core import compare
from core.errors import DataError
from dashboard import results


def show() -> None:
    """Draw the page."""
    runs, unreadable = _runs()
    st.markdown("Runs that the command line finished with the same store, side by side. Best of each score in bold.")
    if unreadable:
        st.warning(f"{unreadable} of the runs in the store cannot be read and are left out.")
    if not runs:
        st.info(
            "No run is in the store yet. Make one on the command line: `python -m core run --data digits --out results`.",
            icon=":material/compare_arrows:",
        )
        return
    names = list(runs)
    chosen = st.multiselect("Runs", names, default=names[-6:], format_func=lambda name: runs[name].name)
    if not chosen:
        st.info("Choose at least one run.")
        return
    frame = compare.table([runs[name] for name in chosen])
    winners = compare.best(frame)

    def bold(column: Any) -> list[str]:
        best = winners.get(str(column.name), set())
        return ["font-weight: 700; color: #0072b2" if i in best else "" for i in range(len(column))]

    st.dataframe(
        frame.style.apply(bold).format(precision=4, na_rep="–", thousands=","),
        hide_index=True,
        column_config={title: st.column_config.Column(help=text) for title, text in compare.explained().items()},
    )
    left, right, _ = st.columns([1, 1, 4])
    left.download_button("CSV", compare.csv(frame), "comparison.csv", "text/csv", on_click="ignore", width="stretch")
    right.download_button(
        "HTML", compare.html(frame), "comparison.html", "text/html", on_click="ignore", width="stretch"
    )


def _runs() -> tuple[dict[str, compare.Run], int]:
    """Return the runs in the store by key, oldest first, and how many cannot be read."""
    found, unreadable = {}, 0
    for item in sorted(results.store().entries("run"), key=lambda item: str(item["made"])):
        info = item["info"]
        try:
            values = compare.checked(info.get("metrics"), "a run in the store")
        except DataError:
            unreadable += 1
            continue
        found[str(item["key"])] = compare.Run(f"{info.get('name', 'run')} ({values.get('data', '')})", values)
    return found, unreadable
