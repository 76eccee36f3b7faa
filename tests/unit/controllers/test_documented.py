from pathlib import Path

import pytest

from knarr.controllers import roster

KEYS = roster.Keys(sign=lambda *_: "", token=lambda *_: "")
PAGE = (Path(__file__).parents[3] / "docs/controllers.md").read_text()


@pytest.mark.parametrize(
    "name", sorted(controller.name for controller in (*roster.controllers("", keys=KEYS), *roster.of_server()))
)
def test_the_page_of_controllers_names_each(name):
    assert f"`{name}`" in PAGE
