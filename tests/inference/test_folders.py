import logging
from pathlib import Path

import pytest

from freqgan.errors import DivergedError, StorageError, UserError
from freqgan.inference import Outcome, plan, work_through


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def targets(jobs, output):
    return {job.name: job.target.relative_to(output).as_posix() for job in jobs}


def test_folders_are_mirrored_and_hidden_files_left_out(tmp_path):
    photos = touch(tmp_path / "photos", "a.b.JPG", "b/c.tiff", "b/d/e.gif", ".f.png", ".g/h.png", "notes.txt")
    output = tmp_path / "large"
    assert targets(plan(photos, output, keep=False), output) == {
        "a.b.JPG": "a.b.png",
        "b/c.tiff": "b/c.png",
        "b/d/e.gif": "b/d/e.png",
    }
    kept = targets(plan(photos, output, keep=True), output)
    assert list(kept.values()) == ["a.b.JPG", "b/c.tiff", "b/d/e.png"]


def test_links_that_go_round_end(tmp_path):
    photos = touch(tmp_path / "photos", "a.png", "b/c.png")
    (photos / "b" / "up").symlink_to(photos)
    (photos / "gone.png").symlink_to(tmp_path / "nowhere")
    assert list(targets(plan(photos, tmp_path / "out", keep=False), tmp_path / "out")) == [
        "a.png",
        "b/c.png",
        "gone.png",
    ]


def test_one_file_needs_no_extension(tmp_path):
    touch(tmp_path, "photo")
    (job,) = plan(tmp_path / "photo", tmp_path / "out", keep=True)
    assert (job.name, job.source, job.target) == ("photo", tmp_path / "photo", tmp_path / "out" / "photo.png")


def test_two_pictures_of_one_name_are_refused(tmp_path):
    photos = touch(tmp_path / "photos", "a.png", "a.jpg", "b/a.png")
    with pytest.raises(UserError, match=r"^a\.jpg and a\.png would both be .*/out/a\.png: rename one, or set format=k"):
        plan(photos, tmp_path / "out", keep=False)
    assert len(plan(photos, tmp_path / "out", keep=True)) == 3
    animated = touch(tmp_path / "animated", "a.png", "a.gif")
    with pytest.raises(UserError, match=r"^a\.gif and a\.png would both be .*/out/a\.png: rename one$"):
        plan(animated, tmp_path / "out", keep=True)
    many = touch(tmp_path / "many", *(f"{n}.{form}" for n in range(9) for form in ("jpg", "bmp")))
    with pytest.raises(UserError) as error:
        plan(many, tmp_path / "out", keep=False)
    assert (len(error.value.lines), error.value.lines[-1]) == (6, "… and 4 more")


def test_an_input_is_never_written_over(tmp_path):
    photos = touch(tmp_path / "photos", "a.png")
    (tmp_path / "link").symlink_to(photos)
    for output in (photos, photos / "large", tmp_path / "link"):
        with pytest.raises(UserError, match=r"lies in input=.* would be input the next time: choose another folder"):
            plan(photos, output, keep=False)
    with pytest.raises(UserError, match=r"a\.png is an input"):
        plan(photos / "a.png", photos, keep=False)
    inner = touch(tmp_path / "x", "x/a.png", "a.png")
    with pytest.raises(UserError, match=r"/x/a\.png is an input"):
        plan(inner, tmp_path, keep=False)


def test_what_cannot_be_read_or_written_is_said_first(tmp_path):
    touch(tmp_path, "photos/a.png", "empty/notes.txt", "out")
    for source, output, words in (
        ("photo", "large", r"^input=.*/photo is not there, .* did you mean .*/photos\?"),
        ("empty", "large", r"^input=.*/empty holds no image, .*: set input=<folder>"),
        ("photos", "out", r"^output=.*/out is a file, wanted a folder"),
    ):
        with pytest.raises(UserError, match=words):
            plan(tmp_path / source, tmp_path / output, keep=False)


def jobs_of(tmp_path, *names):
    return plan(touch(tmp_path / "in", *names), tmp_path / "out", keep=True)


def made(made_of, *, broken=None):
    def make(job, advance):
        if broken and broken[0] == job.name:
            raise broken[1]
        made_of.append(job.name)
        advance(1.0)
        touch(Path(), str(job.target))

    return make


def test_a_folder_goes_on_where_it_stopped(tmp_path):
    jobs, done = jobs_of(tmp_path, "a.png", "b.png", "c.png"), []
    with pytest.raises(KeyboardInterrupt):
        work_through(jobs, made(done, broken=("b.png", KeyboardInterrupt())), overwrite=False)
    assert work_through(jobs, made(done), overwrite=False) == Outcome(written=2, there=1)
    assert done == ["a.png", "b.png", "c.png"]
    assert work_through(jobs, made(done), overwrite=False) == Outcome(there=3)
    assert work_through(jobs, made(done), overwrite=True) == Outcome(written=3)


@pytest.mark.parametrize(
    ("error", "line", "traceback"),
    [
        (UserError("b.png cannot be read"), "b.png cannot be read", False),
        (UserError("JPEG holds no transparency"), "b.png: JPEG holds no transparency", False),
        (MemoryError(), "b.png: MemoryError", False),
        (RuntimeError("oops"), "b.png: oops", True),
    ],
)
def test_one_that_fails_is_reported_and_the_others_are_made(tmp_path, caplog, error, line, traceback):
    jobs, done = jobs_of(tmp_path, "a.png", "b.png", "c.png"), []
    outcome = work_through(jobs, made(done, broken=("b.png", error)), overwrite=False)
    assert outcome == Outcome(written=2, failed=["b.png"])
    (record,) = caplog.records
    assert record.getMessage() == line
    assert (record.exc_info is not None) == traceback


@pytest.mark.parametrize("error", [StorageError("the disk is full"), DivergedError("not finite")])
def test_what_no_other_picture_can_change_ends_it(tmp_path, error):
    jobs, done = jobs_of(tmp_path, "a.png", "b.png", "c.png"), []
    with pytest.raises(type(error)):
        work_through(jobs, made(done, broken=("b.png", error)), overwrite=False)
    assert done == ["a.png"]


def test_without_a_terminal_progress_is_lines(tmp_path, caplog, monkeypatch):
    seconds = iter(range(0, 1000, 10))
    monkeypatch.setattr("freqgan.inference.progress.time.monotonic", lambda: next(seconds))
    with caplog.at_level(logging.INFO, "freqgan"):
        work_through(jobs_of(tmp_path, "a.png", "b.png"), made([]), overwrite=False)
    assert "1.0/2 pictures" in [record.getMessage() for record in caplog.records]
