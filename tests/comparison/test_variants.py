from pathlib import Path
from typing import Any

import pytest

from freqgan.comparison.run import Run
from freqgan.comparison.settings import aside, learned_by
from freqgan.comparison.variants import variants_of
from tests.comparison.written import CONFIG, TRANSFORMS, merged


def run(changes: dict[str, Any] | None, *, overrides: tuple[str, ...] | None = None, place: str = "") -> Run:
    """A run without rows; without a config if `changes` is None."""
    place = place or f"s/{changes}{overrides}"
    config = {} if changes is None else merged(CONFIG, changes)
    if config:
        config["data"]["seed"] = config["seed"]
    return Run(place=place, name=place, state="finished", config=config, record={}, rows=[], overrides=overrides)


def names(*runs: Run) -> list[str]:
    return [variant.name for variant in variants_of(runs)]


def transform(name: str, **more: Any) -> dict[str, Any]:
    return {"transform": TRANSFORMS[name], **more}


def test_seeds_places_and_machines_make_no_variant() -> None:
    same = [
        {"seed": 2},
        {"hardware.accelerator": "gpu"},
        {"paths.output_dir": "elsewhere"},
        {"data.root": "there"},
        {"tags": ["x"]},
        {"name": "other"},
        {"samples": {"count": 9}},
        {"logger": {"wandb": {"_target_": "x"}}},
    ]
    (variant,) = variants_of([run({}), *map(run, same)])
    assert len(variant.runs) == 1 + len(same)
    assert variant.seeds == [1, 2]
    assert variant.name == "study"
    assert variant.settings == {}


@pytest.mark.parametrize(
    "changes", [{"budget.images": 5}, {"optim.lr": 1.0}, {"data.batch_size": 8}, {"new.key": None}]
)
def test_what_can_change_what_is_learned_makes_a_variant(changes: dict[str, Any]) -> None:
    assert len(variants_of([run({}), run(changes)])) == 2


def test_a_group_is_named_by_its_option() -> None:
    found = names(
        run(transform("identity")), run(transform("wavelet_haar")), run(transform("wavelet_db2")), run({"seed": 7})
    )
    assert found == ["transform=identity", "transform=wavelet_haar", "transform=wavelet_db2"]


def test_what_differs_from_the_option_follows_it() -> None:
    two = transform("wavelet_haar", **{"transform.levels": 2})
    assert names(run(transform("wavelet_haar")), run(two), run({})) == [
        "transform=wavelet_haar",
        "transform=wavelet_haar transform.levels=2",
        "transform=identity",
    ]
    assert names(run(transform("wavelet_haar")), run(two)) == ["transform.levels=1", "transform.levels=2"]


def test_a_class_of_the_users_own_has_its_own_name() -> None:
    assert names(run({}), run({"transform._target_": "mine.sub.Curvelet"})) == [
        "transform=identity",
        "transform=Curvelet",
    ]
    nested = "model.generator._target_"
    assert names(run({nested: "a.One"}), run({nested: "a.Two"})) == ["model.generator=One", "model.generator=Two"]


def test_keys_that_go_together_are_named_once() -> None:
    both = {"data.image_size": 64, "model.image_size": 64}
    assert names(run({}), run(both)) == ["data.image_size=32", "data.image_size=64"]


def test_values_are_written_as_on_a_command_line() -> None:
    found = names(run({}), run({"optim.betas": [0.0, 0.9]}), run({"optim.lr": 1e30}), run({"optim.eps": None}))
    assert found[1] == "optim.lr=0.0002 optim.betas=[0.0,0.9]"
    assert "optim.lr=1e+30" in found[2]
    assert "optim.eps=null" in found[3]


def test_overrides_of_a_sweep_are_the_names_where_they_tell_the_variants_apart() -> None:
    def job(lr: float, seed: int) -> Run:
        return run({"optim.lr": lr, "seed": seed}, overrides=(f"optim.lr={lr}", "loss=hinge", f"seed={seed}"))

    assert names(job(0.1, 1), job(0.1, 2), job(0.2, 1)) == ["optim.lr=0.1", "optim.lr=0.2"]
    assert names(job(0.1, 1), run({"optim.lr": 0.3})) == ["optim.lr=0.1", "optim.lr=0.3"]


def test_a_job_without_a_config_joins_its_sweeps_other_seeds() -> None:
    good = run({"optim.lr": 0.1, "seed": 1}, overrides=("optim.lr=0.1", "seed=1"), place="s/a")
    dead = run(None, overrides=("optim.lr=0.1", "seed=2"), place="s/b")
    refused = run(None, overrides=("data.image_size=33", "seed=1"), place="s/c")
    other_sweep = run(None, overrides=("optim.lr=0.1", "seed=3"), place="t/a")
    found = variants_of([refused, good, dead, other_sweep])
    assert [[one.place for one in variant.runs] for variant in found] == [["s/c"], ["s/a", "s/b"], ["t/a"]]
    assert found[0].name == "data.image_size=33"
    assert found[1].seeds == [1, 2]


def test_a_run_without_a_readable_config_stands_alone() -> None:
    found = variants_of([run({}), run(None, place="s/broken"), run(None, place="s/broken too")])
    assert [variant.name for variant in found] == ["study", "s/broken", "s/broken too"]


def test_names_are_unique() -> None:
    jobs = [run(None, overrides=("a=1",), place=f"{sweep}/x") for sweep in "st"]
    assert names(*jobs) == ["a=1", "a=1 (2)"]


def test_settings_of_variants_side_by_side() -> None:
    first, second = variants_of([run({}), run(transform("wavelet_haar"))])
    assert first.settings["transform.wavelet"] == "–"
    assert second.settings == {
        "transform._target_": "freqgan.transforms.WaveletTransform",
        "transform.wavelet": "haar",
        "transform.levels": "1",
    }


def test_what_differs_aside() -> None:
    runs = [
        run({"hardware.threads": 1}, place="a"),
        run({"hardware.threads": 2, "data.root": "there", "optim.lr": 1.0}, place="b"),
    ]
    runs[0] = Run(**(vars(runs[0]) | {"record": {"machine": {"processor": "x"}, "versions": {"torch": "1"}}}))
    runs[1] = Run(**(vars(runs[1]) | {"record": {"machine": {"processor": "y"}, "versions": {"torch": "1"}}}))
    assert aside(runs) == {"hardware.threads": [1, 2], "data.root": ["here", "there"], "machine.processor": ["x", "y"]}


def test_the_options_of_the_users_own_conf_are_names_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("conf/transform").mkdir(parents=True)
    Path("conf/transform/mine.yaml").write_text("# Mine\n_target_: mine.Curvelet\nangles: 8\n")
    node = {"transform": {"_target_": "mine.Curvelet", "angles": 8}}
    assert names(run({}), run(node)) == ["transform=identity", "transform=mine"]


def test_the_seed_is_left_out_wherever_it_is_referred_to() -> None:
    config = merged(CONFIG, {"seed": 5, "data.seed": 5, "data.source": {"seed": 9}})
    assert {key for key in learned_by(config) if key.endswith("seed")} == {"data.source.seed"}
