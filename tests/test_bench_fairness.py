"""What decides whether a benchmark counts: agreement by hand, limits on both sides."""

import numpy as np
import pytest

from core import bench
from core.bench.kernel_pca import agreement
from core.config import KernelPCAConfig, ReductionConfig
from core.projection import reduce
from tests.test_projection import blobs


def test_agreement_is_the_mean_squared_cosine_of_the_principal_angles():
    axes = np.eye(4)
    assert agreement(axes[:, :2], axes[:, [1, 0]] * [3, -2]) == pytest.approx(1)  # the same plane
    assert agreement(axes[:, :2], axes[:, 1:3]) == pytest.approx(0.5)  # one direction of two
    turned = np.stack([axes[0], axes[1] + axes[2]], axis=1)
    assert agreement(axes[:, :2], turned) == pytest.approx(0.75)  # angles 0° and 45°


@pytest.mark.parametrize("landmarks", [60, 50])
def test_kernel_pca_spans_what_scikit_learn_s_spans(landmarks):
    from sklearn.decomposition import KernelPCA

    values, _ = blobs()
    config = KernelPCAConfig(3, n_landmarks=landmarks)
    theirs = KernelPCA(3, kernel="rbf", eigen_solver="dense").fit_transform(values)
    assert agreement(reduce(values, ReductionConfig(method=config)).values, theirs) > 0.999 - 0.01 * (landmarks < 60)


@pytest.mark.parametrize(
    ("name", "measure", "good", "bad"),
    [
        ("kernel-pca", "agreement of the first 10", (0.9991, 0), (0.9989, 0)),
        ("kmeans", "inertia", (100.05, 100), (100.2, 100)),
        ("umap-2d", "trustworthiness", (0.97, 0.97), (0.96, 0.97)),
        ("umap-3d-first", "trustworthiness", (0.99, 0.97), (0.96, 0.97)),
    ],
)
def test_a_faster_but_worse_result_does_not_count(name, measure, good, bad):
    fair = bench.ALL[name].fair
    assert fair({measure: good[0]}, {measure: good[1]}) == ""
    assert fair({measure: bad[0]}, {measure: bad[1]}) != ""
