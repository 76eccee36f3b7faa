import os
import stat
from base64 import b64encode
from pathlib import Path

import pytest
import yaml

from knarr.client import kubeconfig
from knarr.client.kubeconfig import Entry, KubeconfigError

ENTRY = Entry("knarr", "https://127.0.0.1:6443", ca=b"CA", certificate=b"CERT", key=b"KEY")
OTHERS = """\
apiVersion: v1
kind: Config
current-context: work
preferences: {colors: true}
clusters:
- name: work
  cluster: {server: "https://work:6443", extensions: [{name: e, extension: {last-update: 2024-01-30}}]}
users:
- name: me
  user: {exec: {command: get-token}}
contexts:
- name: work
  context: {cluster: work, user: me}
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / ".kube" / "config"


def test_the_first_cluster_makes_the_file_for_its_owner_only(config):
    assert kubeconfig.merge(ENTRY) == config
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert kubeconfig.load() == ENTRY


def test_merging_leaves_every_other_entry_as_it_is(config):
    config.parent.mkdir()
    config.write_text(OTHERS)
    before = kubeconfig.read(config)
    kubeconfig.merge(ENTRY)
    after = kubeconfig.read(config)
    assert after["current-context"] == "knarr"
    assert after["preferences"] == {"colors": True}
    for section in kubeconfig.SECTIONS:
        assert after[section][:-1] == before[section]
    assert kubeconfig.remove("knarr")
    assert kubeconfig.read(config) == before | {"current-context": ""}


def test_merging_again_replaces_the_entry(config):
    kubeconfig.merge(ENTRY)
    kubeconfig.merge(Entry("knarr", "https://127.0.0.1:7443", token="t"))
    assert kubeconfig.load() == Entry("knarr", "https://127.0.0.1:7443", token="t")
    assert len(kubeconfig.read(config)["users"]) == 1


def test_merging_again_keeps_the_namespace_that_was_chosen_meanwhile(config):
    kubeconfig.merge(ENTRY)
    tree = kubeconfig.read(config)
    tree["contexts"][-1]["context"]["namespace"] = "mine"
    kubeconfig.write(config, tree)
    kubeconfig.merge(ENTRY)
    assert kubeconfig.load().namespace == "mine"
    kubeconfig.remove(ENTRY.name)
    kubeconfig.merge(ENTRY)
    assert kubeconfig.load().namespace == ""


def test_removing_another_clusters_entry_keeps_the_current_context(config):
    kubeconfig.merge(Entry("other", "https://other"))
    kubeconfig.merge(ENTRY)
    assert kubeconfig.remove("other")
    assert kubeconfig.load().name == "knarr"


def test_removing_what_is_not_there_changes_nothing(config):
    assert not kubeconfig.remove("knarr")
    kubeconfig.merge(Entry("other", "https://other"))
    text = config.read_text()
    assert not kubeconfig.remove("knarr")
    assert config.read_text() == text


def test_the_variable_names_files_and_the_first_that_exists_is_changed(config, tmp_path, monkeypatch):
    first, second = tmp_path / "first", tmp_path / "second"
    second.write_text(OTHERS)
    monkeypatch.setenv("KUBECONFIG", f"{first}{os.pathsep}{second}")
    assert kubeconfig.merge(ENTRY) == second
    assert not first.exists()
    assert not config.exists()
    assert kubeconfig.load(context="knarr") == ENTRY


def test_a_link_stays_a_link(config, tmp_path):
    config.parent.mkdir()
    (tmp_path / "real").write_text(OTHERS)
    config.symlink_to(tmp_path / "real")
    kubeconfig.merge(ENTRY)
    assert config.is_symlink()
    assert kubeconfig.load() == ENTRY


def test_nothing_is_left_behind_when_writing_fails(config, monkeypatch):
    kubeconfig.merge(ENTRY)
    text = config.read_text()

    def refuse(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="disk full"):
        kubeconfig.merge(Entry("other", "https://other"))
    assert config.read_text() == text
    assert [path.name for path in config.parent.iterdir()] == ["config"]


def test_certificates_and_tokens_are_read_from_files_beside_the_config(config):
    config.parent.mkdir()
    for name in ("ca.crt", "me.crt", "me.key", "token"):
        (config.parent / name).write_text(f"{name}\n")
    user = {"client-certificate": "me.crt", "client-key": "me.key", "tokenFile": "token"}
    config.write_text(_a_config(user, {"certificate-authority": "ca.crt"}))
    found = kubeconfig.load()
    assert (found.ca, found.certificate, found.key, found.token) == (b"ca.crt\n", b"me.crt\n", b"me.key\n", "token")


def test_inline_data_goes_before_files(config):
    config.parent.mkdir()
    data = b64encode(b"inline").decode()
    cluster = {"certificate-authority": "/nonexistent", "certificate-authority-data": data}
    config.write_text(_a_config({"token": "t"}, cluster))
    assert kubeconfig.load().ca == b"inline"


WRONG = {
    "no current context": ("{}", "no current context"),
    "a context that is not there": ("current-context: none", "no context 'none'"),
    "a user that needs a plugin": (OTHERS, "needs a plugin"),
    "no YAML": ("{[", "config"),
    "no map": ("- a", "not a kubeconfig"),
}


@pytest.mark.parametrize("text, said", WRONG.values(), ids=WRONG)
def test_what_cannot_be_used_is_said(config, text, said):
    config.parent.mkdir()
    config.write_text(text)
    with pytest.raises(KubeconfigError, match=said):
        kubeconfig.load()


def _a_config(user, cluster):
    return yaml.safe_dump(
        {
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": "https://c", **cluster}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
    )


def test_an_explicit_path_goes_before_everything(config, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "elsewhere"))
    chosen = tmp_path / "deep" / "er" / "chosen"
    assert kubeconfig.merge(ENTRY, path=chosen) == chosen
    assert kubeconfig.load(path=chosen) == ENTRY
    assert not Path(tmp_path, "elsewhere").exists()
