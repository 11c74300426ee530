"""Both sides of a benchmark do the same work, and a measure other than time can count."""

from dataclasses import replace

import numpy as np
import pytest

from core.bench import browser, encoding, training
from core.bench.data import Data
from core.bench.runner import Benchmark, Side, report, run
from core.images import image_set


@pytest.fixture
def prepared(rng):
    """A few images for conv-mnist, with the recipe's training."""
    made = training._prepare("conv-mnist", 4, (28, 28, 1), Data("digits"))
    images = image_set(rng.integers(0, 256, (40, 28, 28, 1), np.uint8))
    return replace(made, images=images, training=replace(made.training, batch_size=16))


def test_the_plain_loop_and_core_have_one_loss_curve(prepared):
    plain, ours = training._plain(prepared), training._ours("auto", prepared)
    np.testing.assert_allclose(ours.losses, plain.losses, rtol=1e-5)
    measured = [training._losses(prepared, made) for made in (ours, plain)]
    assert training._same_curve(*measured) == ""
    assert (
        training._same_curve(measured[0] | {"loss_1": 1.02 * plain.losses[0]}, measured[1])
        == "the loss curves differ by 2.0%"
    )


def test_the_plain_encoding_gives_the_same_latents_and_pictures(monkeypatch):
    monkeypatch.setattr(encoding, "N", 300)
    made = encoding._prepare(Data("digits"))
    (latents, pictures), (plain_latents, plain_pictures) = encoding._ours(made), encoding._plain(made)
    np.testing.assert_allclose(latents, plain_latents, atol=1e-5)
    assert np.abs(pictures.astype(int) - plain_pictures).max() <= 1


def test_another_colour_is_only_that_colours_bytes(monkeypatch):
    monkeypatch.setattr(browser, "POINTS", 7_001)
    first = browser._prepare_map(Data("digits"))
    again = browser._prepare_recolour(Data("digits"))
    whole, colour = browser._message(first.spec), browser._message(again.spec, again.seen)
    # x and y are 4 bytes a point each, a group is 1, rows only count; the rest is the header
    assert 9 * 7_001 < len(whole) < 9 * 7_001 + 2_000
    assert 7_001 < len(colour) < 7_001 + 2_000


def test_a_measure_can_count_in_place_of_the_time():
    ours, theirs = (Side(name, lambda prepared, size=size: size, lambda prepared, size: {"bytes": size})
                    for name, size in (("a", 20.0), ("b", 50.0)))  # fmt: skip
    outcome = run(
        Benchmark("size", "bytes", lambda data: None, ours, theirs, 2.0, by="bytes", repeats=1), Data("digits")
    )
    assert outcome.ratios == (2.5,) and outcome.met
    assert "2.50 times fewer bytes" in report([outcome])


def test_a_benchmark_whose_library_is_missing_is_left_out_in_a_sentence(monkeypatch, capsys):
    from core.__main__ import main
    from core.cli import benchmark

    monkeypatch.setattr(benchmark, "find_spec", lambda name: None)
    assert main(["bench", "tsne-device"]) == 0
    assert capsys.readouterr().out == "tsne-device: left out, as torchdr is not installed\n"


def test_encoding_takes_little_memory_beyond_its_results():
    ours, plain = (encoding._grown_apart(side, 4000) for side in ("ours", "plain"))
    results = encoding._memory(4000, ours)["results_mb"]
    assert results == pytest.approx(4000 * (4 * 256 + 784) / 2**20)  # 4,000 × 256 latents in float32, and pixels
    assert ours < results + 20 < plain


def test_the_help_names_every_benchmark(capsys, monkeypatch):
    from core import bench
    from core.__main__ import main

    monkeypatch.setenv("COLUMNS", "1000")  # names are not broken at their hyphens
    with pytest.raises(SystemExit) as ended:
        main(["bench", "--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0 and all(name in told for name in (*bench.ALL, "million", "clusters"))
