"""The dashboard: Streamlit pages on `core`. Start it with `streamlit run dashboard/app.py`."""
