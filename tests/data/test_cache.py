import fcntl
import multiprocessing
import os
import pickle
import time

import numpy as np
import pytest

from freqgan.data import cache
from freqgan.data.cache import WHOLE, build_once
from freqgan.data.pixels import Pixels, as_tensor, write_pixels
from freqgan.errors import StorageError, UserError


def build_slowly(target, log):
    def build(directory):
        with open(log, "a") as file:
            file.write("built\n")
        (directory / "half").write_text("1")
        time.sleep(0.3)
        (directory / "whole").write_text("2")

    build_once(target, build)
    assert (target / "whole").read_text() == "2"


def test_processes_that_start_together_build_once(tmp_path):
    context = multiprocessing.get_context("fork")
    arguments = (tmp_path / "cache" / "key", tmp_path / "log")
    processes = [context.Process(target=build_slowly, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert (tmp_path / "log").read_text() == "built\n"


def die_half_way(target):
    def build(directory):
        (directory / "half").write_text("1")
        os._exit(9)

    build_once(target, build)


@pytest.mark.fault("data", "cache killed, or its disk full")
def test_the_remains_of_a_killed_process_are_built_anew(tmp_path):
    process = multiprocessing.get_context("fork").Process(target=die_half_way, args=(tmp_path / "key",))
    process.start()
    process.join()
    assert not (tmp_path / "key").exists()
    build_once(tmp_path / "key", lambda directory: (directory / "whole").write_text("2"))
    assert {path.name for path in (tmp_path / "key").iterdir()} == {"whole", WHOLE}


DAMAGE = {
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-1]),
    "empty": lambda file: file.write_bytes(b""),
    "a flipped bit": lambda file: file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:]),
    "cleaned away": lambda file: file.unlink(),
}


@pytest.mark.parametrize("name", ["values", WHOLE])
@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.fault("data", "damaged cache")
def test_a_damaged_cache_is_built_anew(tmp_path, damage, name, caplog):
    built = []

    def build(directory):
        (directory / "values").write_bytes(b"1234")
        built.append(directory)

    directory = build_once(tmp_path / "key", build)
    assert build_once(tmp_path / "key", build) == directory
    assert len(built) == 1
    DAMAGE[damage](directory / name)
    assert build_once(tmp_path / "key", build) == directory
    assert (directory / "values").read_bytes() == b"1234"
    taken_as_it_is = (damage, name) == ("cleaned away", WHOLE)
    assert [len(built), "is damaged, and is built anew" in caplog.text] == [2 - taken_as_it_is, not taken_as_it_is]


@pytest.mark.fault("data", "damaged cache")
def test_large_files_of_a_cache_are_known_by_their_size(tmp_path, monkeypatch):
    def build(directory):
        (directory / "values").write_bytes(b"1234")
        built.append(directory)

    built = []
    monkeypatch.setattr(cache, "_SMALL", 3)
    directory = build_once(tmp_path / "key", build)
    (directory / "values").write_bytes(b"123")
    build_once(tmp_path / "key", build)
    assert (len(built), (directory / "values").read_bytes()) == (2, b"1234")


@pytest.mark.fault("data", "cache killed, or its disk full")
def test_a_failed_build_leaves_no_directory_and_no_lock(tmp_path):
    def fail(directory):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        build_once(tmp_path / "key", fail)
    assert not (tmp_path / "key").exists()
    with open(tmp_path / "key.lock", "w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.fault("data", "cache killed, or its disk full")
def test_an_unwritable_place_is_the_users_mistake(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cache_dir cannot write .*: set paths\.cache_dir"):
        build_once(tmp_path / "file" / "key", lambda directory: None)


@pytest.mark.fault("data", "cache killed, or its disk full")
def test_a_full_disk_is_a_storage_error(tmp_path):
    def fill(directory):
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="No space left"):
        build_once(tmp_path / "key", fill)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pixels_come_back_and_travel_as_a_path(tmp_path, dtype):
    images = np.random.default_rng(0).integers(0, 255, (5, 3, 4, 4)).astype(dtype)
    write_pixels(tmp_path / "pixels.npy", images.shape, np.dtype(dtype), iter(images))
    assert np.array_equal(np.load(tmp_path / "pixels.npy"), images)
    pixels = Pixels(tmp_path / "pixels.npy")
    assert len(pickle.dumps(pixels)) < 500
    for copy in (pixels, pickle.loads(pickle.dumps(pixels))):
        image = copy[3]
        assert np.array_equal(image, images[3])
        image[:] = 0  # a copy: neither the file nor the next reader may change
        assert np.array_equal(copy[3], images[3])


def test_tensors_of_bytes_and_of_deep_pixels():
    assert as_tensor(np.array([[[0, 255]]], np.uint8)).tolist() == [[[0, 255]]]
    assert as_tensor(np.array([[[0, 65535]]], np.uint16)).tolist() == [[[0.0, 1.0]]]
