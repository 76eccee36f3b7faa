"""What a .dockerignore hides."""

import pytest

from knarr.node.images.ignore import ignored

CASES = {
    "a name": ("node_modules", "node_modules", True),
    "what lies below it": ("node_modules", "node_modules/a/b.js", True),
    "not a name further down": ("node_modules", "sub/node_modules", False),
    "any depth": ("**/node_modules", "sub/node_modules/x", True),
    "any depth, also none": ("**/*.log", "a.log", True),
    "a star stays within a name": ("*.log", "sub/a.log", False),
    "a later exception": ("*.md\n!README.md", "README.md", False),
    "an exception undone": ("*.md\n!README.md\nREADME.md", "README.md", True),
    "comments": ("# a\n\n", "# a", False),
    "one letter": ("?.js", "a.js", True),
    "letters": ("[ab].js", "c.js", False),
}


@pytest.mark.parametrize(("text", "path", "hidden"), CASES.values(), ids=CASES)
def test_ignored(text, path, hidden):
    assert ignored(text)(path) is hidden
