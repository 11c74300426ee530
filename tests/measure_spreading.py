"""How right spread labels are, and whether suggested images teach more than chosen ones: `python tests/measure_spreading.py`.

Starts with one label a class, chosen at random, and adds 10 labels three times. Prints the accuracy on the images
without a label: of spreading, and of the nearest centroid of the same first labels.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from core import neighbours, pipeline, recipes, spreading
from core.images import SampleSource
from core.plans import Plan, some

ROUNDS, PER_ROUND, K = 4, 10, 15


def first_labels(y, seed):
    """One image a class, chosen at random: int (n,), -1 for the others."""
    rng, given = np.random.default_rng(seed), np.full(len(y), -1)
    for label in range(y.max() + 1):
        given[rng.choice(np.flatnonzero(y == label))] = label
    return given, rng


def nearest_centroid(z, y, given):
    """Accuracy of the nearest mean of the labelled images, on the others."""
    means = np.stack([z[given == label].mean(axis=0) for label in range(y.max() + 1)])
    away = np.stack([np.linalg.norm(z - mean, axis=1) for mean in means], axis=1)
    return (away.argmin(axis=1) == y)[given < 0].mean()


def course(graph, y, seed, suggested):
    """Accuracy after each round of labels."""
    given, rng = first_labels(y, seed)
    scores = []
    for _ in range(ROUNDS):
        found = spreading.spread(graph, given, y.max() + 1)
        scores.append((found.labels == y)[given < 0].mean())
        if suggested:
            rows = spreading.suggest(graph, found, given, PER_ROUND).rows
        else:
            rows = rng.choice(np.flatnonzero(given < 0), PER_ROUND, replace=False)
        given[rows] = y[rows]
    return scores


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[100, 101, 102, 103, 104])
    options = parser.parse_args()
    opened = pipeline.open_store()
    for name in ("digits", "emoji"):
        images = pipeline.run(opened, Plan(SampleSource(name)), "images").images.value
        plan = recipes.plan_of(recipes.Recipe(), SampleSource(name), images)
        z, y = some(pipeline.run(opened, plan, "latents").latents).value.latents, images.y
        graph = neighbours.graph(z, K)
        base = [nearest_centroid(z, y, first_labels(y, seed)[0]) for seed in options.seeds]
        print(f"{name}: nearest centroid {np.mean(base):.3f}", np.round(base, 3))
        for suggested in (True, False):
            scores = np.array([course(graph, y, seed, suggested) for seed in options.seeds])
            print(f"  {'suggested' if suggested else 'random'}: mean by round", scores.mean(axis=0).round(3))
            print("    first", scores[:, 0].round(3), "last", scores[:, -1].round(3))


if __name__ == "__main__":
    main()
