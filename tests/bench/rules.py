"""Rules that say how suspect each label is, higher is more suspect: ours and those it is measured against."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.evidence import gather
from core.neighbours import Graph
from core.suspects import rank

OURS = "ours"
KNN = "kNN"
PLAIN_K = 10


@dataclass(frozen=True, eq=False)
class Case:
    """What a rule sees: latents (n, d), their neighbours, k-means clusters (n,), errors (n,) and the labels (n,) to doubt."""

    latents: np.ndarray
    graph: Graph
    clusters: np.ndarray
    errors: np.ndarray
    labels: np.ndarray


def scores(case: Case, seed: int) -> Mapping[str, np.ndarray]:
    """Return every rule's scores, float (n,), by its name."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    logistic = _out_of_fold(case.latents, case.labels, seed, LogisticRegression(max_iter=10_000))
    neighbours = _out_of_fold(case.latents, case.labels, seed, KNeighborsClassifier(20, weights="distance"))
    evidence = gather(case.latents, case.graph, case.clusters, case.labels, case.errors)
    near = case.labels[case.graph.rows[:, :PLAIN_K]]
    return {
        OURS: rank(evidence).score,
        KNN: (near != case.labels[:, None]).mean(axis=1),
        **_cleanlab("cleanlab", case.labels, logistic),
        **_cleanlab("cleanlab on kNN", case.labels, neighbours),  # not the usual way, but the stronger one here
    }


def _out_of_fold(latents: np.ndarray, labels: np.ndarray, seed: int, classifier: object) -> np.ndarray:
    """Probabilities (n, classes) of a classifier of standardised latents that has not seen the image, 5 folds."""
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    model = make_pipeline(StandardScaler(), classifier)
    return np.asarray(cross_val_predict(model, latents, labels, cv=folds, method="predict_proba"))


def _cleanlab(name: str, labels: np.ndarray, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    """Label quality turned round; of `find_label_issues` what it finds comes first, each part by that quality."""
    from cleanlab import Datalab
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    found = {}
    issues = find_label_issues(labels, probabilities, n_jobs=1)
    for method in ("self_confidence", "normalized_margin"):
        doubt = 1 - get_label_quality_scores(labels, probabilities, method=method)
        found[f"{name}: {method}"] = doubt
        found[f"{name}: issues, {method}"] = doubt + issues
    logging.disable(logging.WARNING)
    lab = Datalab({"label": labels}, label_name="label", verbosity=0)
    lab.find_issues(pred_probs=probabilities, issue_types={"label": {}})
    logging.disable(logging.NOTSET)
    found[f"{name}: Datalab"] = 1 - lab.get_issues("label")["label_score"].to_numpy()
    return found
