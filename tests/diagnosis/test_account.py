from pathlib import Path

import pytest

from freqgan.diagnosis import account
from tests.diagnosis.servers import NOBODY, answering

SECRET = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _no_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def rows() -> dict[str, tuple[str, str, str]]:
    found = [*account.state(), *account.reachable()]
    assert SECRET not in str(found)
    return {row.name: (row.status, row.fact, row.remedy) for row in found}


def test_without_a_key_runs_are_offline_and_no_server_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", NOBODY)
    found = rows()
    assert {status for status, _, _ in found.values()} == {"ok"}
    assert found["W&B mode"][1].startswith(f"offline: there is no key for {NOBODY}; `wandb sync`")
    assert found["W&B key"][1].startswith("none")
    assert found["W&B server"][1].endswith("not needed offline")


def test_a_key_in_the_environment_is_used_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", SECRET)
    with answering(404) as url:
        monkeypatch.setenv("WANDB_BASE_URL", url)
        found = rows()
    assert found["W&B mode"][:2] == ("ok", "online: there is a key")
    assert found["W&B key"][:2] == ("ok", "present in WANDB_API_KEY")
    assert found["W&B server"][:2] == ("ok", f"{url} answers")


def test_a_key_in_the_netrc_file_is_used_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text(f"machine api.wandb.ai\n  login user\n  password {SECRET}\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setattr(account, "unreachable", lambda url: "")
    assert rows()["W&B key"][:2] == ("ok", "present in the netrc file")


def test_a_server_that_online_runs_would_wait_for_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", SECRET)
    monkeypatch.setenv("WANDB_BASE_URL", NOBODY)
    status, fact, remedy = rows()["W&B server"]
    assert (status, remedy) == ("note", "export WANDB_MODE=offline, and `wandb sync` later")
    assert "Connection refused" in fact


def test_online_without_a_key_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setattr(account, "unreachable", lambda url: "")
    found = rows()
    assert found["W&B mode"][1] == "online: WANDB_MODE=online"
    assert found["W&B key"][0] == "note"


@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_who_wants_no_network_gets_none(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", mode)
    monkeypatch.setattr(account, "unreachable", lambda url: pytest.fail("asked"))
    assert rows()["W&B server"][1] == f"not asked: WANDB_MODE={mode}"


def test_a_mode_that_is_none_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "ofline")
    monkeypatch.setattr(account, "unreachable", lambda url: "")
    assert rows()["W&B mode"][:2] == ("note", "WANDB_MODE=ofline is no mode: W&B refuses it")
