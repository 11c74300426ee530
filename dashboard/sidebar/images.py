"""Which images: a sample or a path, one of its parts, some of its classes, at most so many."""

from dataclasses import dataclass, replace

import streamlit as st

from core import roots
from core.images import SAMPLES, ImageSet, SampleSource, Source, SubsetSource, parse_source, parts_of, split_part
from core.metadata import shortened
from core.plans import Plan, Staged, shape_text
from core.readers.addresses import is_address
from dashboard import components, inputs, server, state, uploads
from dashboard.sidebar import places

OTHER = "Folder, file or data set…"
UPLOAD = "Upload…"
SAMPLE_TEXTS = {"digits": "Digits (sample, MNIST)", "emoji": "Emoji (sample, Twitter)"}
ALL = "all"


@dataclass(frozen=True)
class Chosen:
    """What was chosen: the images, the data set with all its parts they are of, and a name of that for settings."""

    source: Source
    whole: Source
    place: str


@dataclass(frozen=True)
class Opened:
    """The images of a page, read, and the file of further values that is joined to them, "" for none."""

    chosen: Chosen
    read: Staged[ImageSet]
    metadata: str = ""


def opened() -> Opened | None:
    """Choose images in the sidebar and read them; None while the page says what to do, or how far reading is.

    Raises
    ------
    DataError, ConfigError : there is nothing of this name.
    """
    with st.sidebar:
        base = choose()
    if base is None:
        st.info(
            "Type the path of your pictures in the sidebar, upload some there, or choose a sample.",
            icon=":material/image:",
        )
        return None
    read = _read(base.source)
    if read is None:
        return None
    with st.sidebar:
        chosen = _subset(base, read.value)
    if chosen != base:
        read = _read(chosen.source)
    if read is None:
        return None
    with st.sidebar:
        described(read.value)
        table = _metadata(read.value)
    return Opened(chosen, read, table)


def _read(source: Source) -> Staged[ImageSet] | None:
    read = inputs.images(source)
    if read is None:
        job = server.job_for(Plan(source), "images")
        if job is not None and job.state in ("failed", "cancelled"):
            components.job_ended(job)
        else:
            components.watch(server.start(Plan(source), "images"))
    return read


def choose() -> Chosen | None:
    """Choose the images; None while none are named.

    Raises
    ------
    DataError, ConfigError : there is nothing of this name.
    """
    st.subheader("Images")
    options = (*SAMPLES, OTHER, UPLOAD)
    name = st.selectbox(
        "Data set",
        options,
        format_func=lambda name: SAMPLE_TEXTS.get(name, name),
        key=state.setting("data", "digits", options),
    )
    if name in SAMPLES:
        return Chosen(SampleSource(name), SampleSource(name), name)
    path = places.uploaded() if name == UPLOAD else _typed()
    if not path:
        return None
    labels = None
    if path.lower().endswith((".npy", ".npz")):
        labels = places.typed(
            "Labels (optional)", "labels", ("npy", "csv"), placeholder="/data/labels.npy",
            help="A .npy file with one whole number or text an image, or a CSV of id,label. A .npz may hold its labels as `y`.",
        )  # fmt: skip
    size = None
    pictures = ":" not in path or is_address(path) or path.startswith("shards:")
    if pictures and not path.lower().endswith((".npy", ".npz")):
        size = st.select_slider(
            "Side in pixels", (None, 8, 16, 24, 28, 32, 48, 64, 96, 128), key=state.setting("size", None),
            format_func=lambda side: "as they are" if side is None else str(side),
            help="Every picture is scaled to fit a square of this side. “As they are” keeps pictures of one size, "
            "8 to 128 pixels a side, and brings others to 64.",
        )  # fmt: skip
    whole = parse_source(path, labels or None, size)
    place = path if name == OTHER else f"{uploads.PREFIX}{state.value('upload')}"
    return Chosen(_part(path, whole, place), whole, place)


def _typed() -> str:
    """Ask for the path of images; where no folder may be opened, say so instead."""
    if roots.given() == ():
        st.info(
            components.plain(f"Only samples and uploads can be opened here, as {roots.HOW}."), icon=":material/lock:"
        )
        return ""
    path = st.text_input(
        "Path",
        key=state.setting("path", ""),
        placeholder="/pictures, a.zip, a.npz, a.parquet, s3://bucket/folder",
        help="A folder or a .zip of pictures (its sub-folders are the classes), a .npy or .npz file of uint8 images, a "
        ".parquet or .tar file (WebDataset) of encoded pictures, a folder of such files or its address (`s3://`, `gs://`), or "
        "`mnist:`, `fashion-mnist:` or `cifar-10:` and the folder where torchvision keeps that data set. "
        "The path is one on the computer that runs this program.",
    ).strip()
    places.browse()
    uploads.check(path)
    return path


def _part(path: str, whole: Source, place: str) -> Source:
    """Choose one part of a data set that has several; a path that names one has only that."""
    parts = {} if split_part(path)[1] else parts_of(whole)
    if len(parts) < 2:
        return whole
    options = (ALL, *parts)
    first = next((name for name, part in parts.items() if part == whole), ALL)
    chosen = st.selectbox(
        "Part", options, key=state.setting(part_setting(place), first, options),
        help="A model may learn from one part, and the map be of another.",
    )  # fmt: skip
    return parse_source(f"{path}:{ALL}") if chosen == ALL and first != ALL else parts.get(chosen, whole)


def part_setting(place: str) -> str:
    """Name of the setting that says which part of a data set is shown."""
    return f"part.{place}"


def _subset(base: Chosen, found: ImageSet) -> Chosen:
    """Choose some of the classes, and how many images at most."""
    with st.expander("Only some of them"):
        classes = st.multiselect(
            "Only these classes", found.classes, key=state.kept(f"only.{found.fingerprint[:8]}", [], found.classes),
            help="Nothing chosen: all.",
        ) if found.classes else []  # fmt: skip
        limit = st.number_input(
            "At most so many images", 2, key=state.setting(f"limit.{found.fingerprint[:8]}", None),
            placeholder="all", help="Chosen at random, the same ones each time.",
        )  # fmt: skip
    if not classes and (limit is None or limit >= len(found)):
        return base
    return replace(
        base,
        source=SubsetSource(base.source, limit, tuple(classes)),
        whole=SubsetSource(base.whole, limit, tuple(classes)),
    )


def _metadata(found: ImageSet) -> str:
    """Choose a table of further values, and say which rows and images found each other."""
    with st.expander("Metadata"):
        path = places.typed(
            "CSV or Parquet", f"metadata.{found.fingerprint[:8]}", ("csv", "parquet"), placeholder="/data/values.csv",
            help="Its rows find their images by a column of ids, paths or file names. Every other column can colour the map, "
            "is listed under the mouse and in the table, and can be searched.",
        )  # fmt: skip
        if not path:
            return ""
        joined = inputs.metadata(path, found)
        st.caption(components.plain(joined.by))
        for names, what in (
            (joined.without_row, "images without a row"),
            (joined.without_image, "rows without an image"),
        ):
            if names:
                st.caption(components.plain(f"{len(names):,} {what}: {shortened(names)}"))
    return path


def described(found: ImageSet) -> None:
    """Say how many images and classes there are, and which files could not be used."""
    st.caption(
        f"{len(found):,} images of {shape_text(found.image_shape)}, "
        + (f"{len(found.classes)} classes" if found.classes else "no labels")
    )
    if found.skipped:
        with st.expander(f"{len(found.skipped):,} files could not be used", icon=":material/warning:"):
            st.dataframe([{"file": item.id, "why": item.reason} for item in found.skipped[:1000]], hide_index=True)
