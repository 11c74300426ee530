"""Maps in a notebook: the pipeline in a few lines, and the interactive map as the cell's result."""

import html as markup
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from core import analyses, pipeline, recipes, report, suspects_table, tables
from core.config import ClusterConfig, ProjectionConfig, ReductionConfig, TSNEConfig, clusters_of
from core.evidence import SuspectConfig
from core.images import parse_source
from core.plans import CheckpointFile, KeptModel, ModelRef, Plan, Results, some
from core.progress import Callback, ignore
from core.quality import Scores
from core.recipes import Recipe
from core.store import Store
from core.suspects import SuspectWeights, rank

HEIGHT = 640


@dataclass(frozen=True, eq=False)
class MapView:
    """A map that a notebook shows as it shows in the dashboard: pictures under the mouse, selection, search, gallery."""

    page: str
    height: int = HEIGHT

    def _repr_html_(self) -> str:
        """Return the map in a frame of its own, so that it and the notebook cannot disturb each other."""
        source = markup.escape(self.page, quote=True)
        style = f"width:100%;height:{self.height}px;border:0"
        return f'<iframe srcdoc="{source}" style="{style}" sandbox="allow-scripts allow-downloads"></iframe>'

    def save(self, path: str | Path) -> Path:
        """Write the map as one HTML page that needs no network, and return its path."""
        Path(path).write_text(self.page, "utf-8")
        return Path(path)


@dataclass(frozen=True, eq=False)
class Explorer:
    """What became of some images: `results` holds every stage, which `store` keeps."""

    plan: Plan
    results: Results
    store: Store

    @property
    def latents(self) -> np.ndarray:
        """Return the latents, float32 (n, d)."""
        return some(self.results.latents).value.latents

    @property
    def clusters(self) -> np.ndarray:
        """Return the cluster of each image, int32 (n,), -1 for noise."""
        return some(self.results.clustering).value.labels

    @property
    def scores(self) -> Scores:
        """Return the numbers beside the map."""
        return report.scores(self.results)

    def table(self) -> pd.DataFrame:
        """Return a row an image with everything that is known of it."""
        return tables.table(self.results)

    def suspects(self, weights: SuspectWeights | None = None) -> pd.DataFrame:
        """Return a row an image, the most suspect first: its label, cluster and suggested label, its score and its parts."""
        evidence = analyses.of_results(self.store, self.results, SuspectConfig()).value
        return suspects_table.suspects(self.results, rank(evidence, weights))

    def map(self, color: str | None = None, symbol: str | None = None, height: int = HEIGHT) -> MapView:
        """Return the map, coloured and shaped by columns of these titles.

        Raises
        ------
        ConfigError : there is no column of this title.
        """
        return MapView(report.html(self.results, color, symbol), height)


def explore(
    data: str = "digits",
    *,
    model: str | ModelRef | None = None,
    projection: ProjectionConfig | None = None,
    reduction: ReductionConfig | None = None,
    cluster: ClusterConfig | None = None,
    n_clusters: int | None = None,
    store: Path | None = None,
    callback: Callback = ignore,
) -> Explorer:
    """Read images, train or load a model, make a map and clusters; what the store has is found, not made.

    Parameters
    ----------
    data : a sample, a folder, a file or a data set, as on the command line.
    model : name of a kept model, path of a model file, or what `core.plans` knows; None is a sample's own, else one is
        trained with the defaults.
    n_clusters : None is the number of classes, or 10 without labels; HDBSCAN finds it itself.

    Raises
    ------
    ExplorerError : the images or settings cannot work; the sentence says what to change.
    """
    source = parse_source(data)
    if isinstance(model, str):
        model = CheckpointFile(model) if Path(model).suffix else KeptModel(model)
    recipe = Recipe(
        model=model,
        reduction=reduction or ReductionConfig(),
        projection=projection or TSNEConfig(),
        cluster=cluster or ClusterConfig(),
        n_clusters=n_clusters if n_clusters is not None or cluster is None else clusters_of(cluster.method),
    )
    opened = pipeline.open_store(store)
    found = pipeline.run(opened, Plan(source), "images", callback).images
    plan = recipes.plan_of(recipe, source, found.value)
    return Explorer(plan, replace(pipeline.run(opened, plan, callback=callback), images=found), opened)
