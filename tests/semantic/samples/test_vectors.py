"""Embeddings from files, and the metrics of vectors against SciPy and scikit-image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from scipy.spatial import distance
from skimage.metrics import mean_squared_error as reference_mse
from skimage.metrics import normalized_root_mse

from semantic.metrics.vector import (
    OUTPUT_SNR_CAP_DB,
    cosine,
    mean_squared_error,
    output_snr,
    relative_error,
)
from semantic.samples.vectors import load_embeddings, sample_embeddings

ROWS = np.random.default_rng(0).standard_normal((3, 5))

# -- files --------------------------------------------------------------------------------------------------


def test_samples_are_pairs_of_unit_vectors() -> None:
    found = sample_embeddings()
    assert len(found) == len({each.name for each in found}) == 24
    for each in found:
        assert each.vector.shape == (768,) and each.vector.dtype == np.float32
        assert np.linalg.norm(each.vector[:384]) == pytest.approx(1.0, abs=1e-3)
        assert np.linalg.norm(each.vector[384:]) == pytest.approx(1.0, abs=1e-3)
    assert len({each.vector.tobytes() for each in found}) == 24


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int8, np.uint16])
def test_rows_of_a_numpy_file(dtype: type, tmp_path: Path) -> None:
    rows = (10 * np.abs(ROWS)).astype(dtype)
    np.save(tmp_path / "mine.npy", rows)
    found = load_embeddings(tmp_path / "mine.npy")
    assert [each.name for each in found] == ["mine-1", "mine-2", "mine-3"]
    assert all(each.vector.dtype == np.float32 for each in found)
    np.testing.assert_array_equal(np.stack([each.vector for each in found]), rows.astype(np.float32))


def test_a_single_vector(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", ROWS[0])
    (found,) = load_embeddings(tmp_path / "one.npy")
    assert found.name == "one-1"
    np.testing.assert_array_equal(found.vector, ROWS[0].astype(np.float32))


def test_arrays_of_a_safetensors_file(tmp_path: Path) -> None:
    safetensors.numpy.save_file({"b": ROWS[:2], "a": ROWS[2]}, tmp_path / "two.safetensors")
    found = load_embeddings(tmp_path / "two.safetensors")
    assert [each.name for each in found] == ["a-1", "b-1", "b-2"]
    np.testing.assert_array_equal(found[2].vector, ROWS[1].astype(np.float32))


@pytest.mark.parametrize(
    "dtype", [torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float64, torch.int32]
)
def test_the_short_floats_of_models_are_read(dtype: torch.dtype, tmp_path: Path) -> None:
    rows = torch.from_numpy(10 * ROWS).to(dtype)
    safetensors.torch.save_file({"hidden": rows}, tmp_path / "model.safetensors")
    found = load_embeddings(tmp_path / "model.safetensors")
    assert torch.equal(torch.from_numpy(np.stack([each.vector for each in found])), rows.float())


def test_arrays_of_an_npz_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", b=ROWS[:2], a=ROWS[2])
    assert [each.name for each in load_embeddings(tmp_path / "two.npz")] == ["a-1", "b-1", "b-2"]


@pytest.mark.parametrize("heading", [False, True])
@pytest.mark.parametrize(("suffix", "mark"), [("csv", ","), ("csv", ";"), ("tsv", "\t"), ("txt", " ")])
def test_tables_of_numbers(suffix: str, mark: str, heading: bool, tmp_path: Path) -> None:
    top = mark.join(f"dim{place}" for place in range(5))
    np.savetxt(tmp_path / f"t.{suffix}", ROWS, delimiter=mark, header=top if heading else "", comments="")
    found = load_embeddings(tmp_path / f"t.{suffix}")
    assert [each.name for each in found] == ["t-1", "t-2", "t-3"]
    np.testing.assert_allclose(np.stack([each.vector for each in found]), ROWS, rtol=1e-6)


@pytest.mark.parametrize(("shape", "vectors"), [((4, 6), 1), ((1, 4, 6), 1), ((3, 4, 6), 3), ((24,), 1)])
def test_grids_are_vectors_when_they_are_flattened(
    shape: tuple[int, ...], vectors: int, tmp_path: Path
) -> None:
    grid = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    np.save(tmp_path / "grid.npy", grid)
    found = load_embeddings(tmp_path / "grid.npy", flatten=True)
    np.testing.assert_array_equal(np.stack([each.vector for each in found]), grid.reshape(vectors, 24))
    if len(shape) == 3:
        with pytest.raises(ValueError, match=f"--flatten to send {vectors} vectors of 24 numbers"):
            load_embeddings(tmp_path / "grid.npy")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.csv", b"1,2\n3,x\n", "'x'"),
        ("t.csv", b"1,2\n3\n", "columns"),
        ("t.csv", b"", "shape"),
        ("t.csv", b"\xff\xfe", "decode"),
        ("t.npz", b"PK\x03\x04 no archive", "cannot read"),
        ("t.npz", b"", "cannot read"),
        ("t.pt", b"PK", "safetensors.torch.save_file"),
    ],
)
def test_what_is_no_table_of_numbers_is_one_line(
    name: str, content: bytes, words: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=words) as caught:
        load_embeddings(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 2, 2)), r"\[2, 2, 2\]"),
        (np.zeros((0, 4)), r"\[0, 4\]"),
        (np.array(1.0), r"\[\]"),
        (np.zeros((2, 2), complex), "complex128"),
        (np.zeros((2, 2), bool), "bool"),
        (np.array([["a"]]), "<U1"),
        (np.array([[1.0, np.nan]]), "finite"),
        (np.array([[1.0, 1e39]]), "finite"),
        (np.array([{}], dtype=object), "allow_pickle"),
    ],
)
def test_what_is_no_embedding_is_named(array: np.ndarray, words: str, tmp_path: Path) -> None:
    np.save(tmp_path / "strange.npy", array)
    with pytest.raises(ValueError, match=words):
        load_embeddings(tmp_path / "strange.npy")


@pytest.mark.parametrize(
    "name", ["missing.npy", "missing.safetensors", "folder.npy", "vectors.txt", "vectors"]
)
def test_what_cannot_be_opened_is_named(name: str, tmp_path: Path) -> None:
    if name.startswith("folder"):
        (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=name):
        load_embeddings(tmp_path / name)


def test_a_file_without_arrays_is_named(tmp_path: Path) -> None:
    safetensors.numpy.save_file({}, tmp_path / "empty.safetensors")
    with pytest.raises(ValueError, match="no array"):
        load_embeddings(tmp_path / "empty.safetensors")


def test_an_archive_under_a_wrong_name_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "archive.npz", ROWS)
    (tmp_path / "archive.npz").rename(tmp_path / "archive.npy")
    with pytest.raises(ValueError, match="archive.npy"):
        load_embeddings(tmp_path / "archive.npy")


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["npy", "safetensors"])
def test_damaged_files_are_vectors_or_named(suffix: str, tmp_path: Path) -> None:
    """600 files with one to four wrong bytes, or cut, or empty: nothing but a ValueError is raised."""
    path = tmp_path / f"damaged.{suffix}"
    if suffix == "npy":
        np.save(path, ROWS.astype(np.float32))
    else:
        safetensors.numpy.save_file({"a": ROWS.astype(np.float32)}, path)
    whole = path.read_bytes()
    generator = np.random.default_rng(1)
    refused = 0
    for trial in range(600):
        damaged = bytearray(whole[: generator.integers(0, len(whole))] if trial % 4 == 0 else whole)
        for place in generator.integers(0, len(whole), generator.integers(1, 5)):
            if place < len(damaged):
                damaged[place] = generator.integers(0, 256)
        path.write_bytes(bytes(damaged))
        try:
            for each in load_embeddings(path):
                assert np.isfinite(each.vector).all()
        except ValueError as error:
            assert "damaged" in str(error)
            refused += 1
    assert 200 < refused < 590


# -- metrics ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_metrics_are_those_of_scipy_and_scikit_image(seed: int, dtype: type) -> None:
    generator = np.random.default_rng(seed)
    sent = generator.standard_normal(100).astype(dtype)
    got = (sent + 0.3 * generator.standard_normal(100)).astype(dtype)
    a, b = sent.astype(float), got.astype(float)
    assert mean_squared_error(sent, got) == pytest.approx(reference_mse(a, b), rel=1e-12)
    assert relative_error(sent, got) == pytest.approx(normalized_root_mse(a, b), rel=1e-12)
    assert cosine(sent, got) == pytest.approx(1 - distance.cosine(a, b), rel=1e-12)
    assert output_snr(sent, got) == pytest.approx(-20 * np.log10(normalized_root_mse(a, b)), rel=1e-12)


def test_equal_vectors_have_a_finite_output_snr() -> None:
    assert output_snr(ROWS[0], ROWS[0]) == OUTPUT_SNR_CAP_DB == 100.0
    assert output_snr(ROWS[0], ROWS[0] * (1 + 1e-9)) == OUTPUT_SNR_CAP_DB
    assert (mean_squared_error(ROWS[0], ROWS[0]), relative_error(ROWS[0], ROWS[0])) == (0.0, 0.0)


def test_vectors_of_zeros() -> None:
    zero = np.zeros(5)
    assert output_snr(ROWS[0], zero) == 0.0
    assert cosine(ROWS[0], zero) == cosine(zero, ROWS[0]) == 0.0
    for metric in (output_snr, relative_error):
        with pytest.raises(ValueError, match="zeros"):
            metric(zero, ROWS[0])


def test_absurd_values_have_finite_metrics() -> None:
    """What damaged bit patterns of fp32 may bring."""
    huge = np.full(5, 3e38, np.float32)
    sent = ROWS[0].astype(np.float32)
    for metric in (mean_squared_error, relative_error, output_snr, cosine):
        assert np.isfinite(metric(sent, huge))


@pytest.mark.parametrize("metric", [mean_squared_error, relative_error, output_snr, cosine])
def test_shapes_must_agree(metric: object) -> None:
    for a, b in ((ROWS[0], ROWS[0][:4]), (ROWS, ROWS)):
        with pytest.raises(ValueError, match=r"\[.*5"):
            metric(a, b)  # type: ignore[operator]
