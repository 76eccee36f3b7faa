import pytest

from knarr.app.commands.controllers import chosen
from knarr.app.config import ConfigError
from knarr.controllers import roster

ALL = {controller.name for controller in roster.controllers("")}
CASES = {
    "*": ALL,
    "*,-job,-cronjob": ALL - {"job", "cronjob"},
    "deployment, replicaset": {"deployment", "replicaset"},
    "-job,*": ALL - {"job"},
    "job,-job": {"job"},
    "-job,job,cronjob": {"cronjob"},
}


@pytest.mark.parametrize(("wanted", "names"), CASES.items(), ids=CASES)
def test_chosen(wanted, names):
    assert {controller.name for controller in chosen(wanted, roster.controllers(""))} == names


def test_no_other_server_is_told_what_it_serves():
    assert "apiservice" not in ALL


@pytest.mark.parametrize("wanted", ["nobody", "*,-nobody", ""])
def test_a_wrong_choice_says_what_there_is(wanted):
    with pytest.raises(ConfigError, match=r"there are .*deployment"):
        chosen(wanted, roster.controllers(""))


@pytest.mark.parametrize("wanted", ["-job", "-job,job", "-job,-cronjob"])
def test_a_choice_of_none_says_how_to_choose_all_others(wanted):
    with pytest.raises(ConfigError, match=r"leaves no controller.* '\*,-job"):
        chosen(wanted, roster.controllers(""))
