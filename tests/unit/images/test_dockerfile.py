"""Reading Dockerfiles."""

import pytest

from knarr.node.images.dockerfile import DockerfileError, Instruction, command, expand, pairs, parse, paths

NOTE = "FROM daocloud.io/library/node:8.2.1-alpine\nADD app.js /app.js\nENTRYPOINT node app.js\n"

FILES = {
    "the note's own": (NOTE, ["1 FROM", "2 ADD", "3 ENTRYPOINT"]),
    "comments and empty lines count as lines": ("# one\n\nFROM host\n  # two\nCMD x\n", ["3 FROM", "5 CMD"]),
    "small letters": ("from host\ncmd x\n", ["1 FROM", "2 CMD"]),
    "a continued line begins where it began": ("FROM host\nENV a=1 \\\n    b=2\nCMD x", ["1 FROM", "2 ENV", "4 CMD"]),
    "comments within a continued line": ("FROM host\nENV a=1 \\\n# why\n b=2", ["1 FROM", "2 ENV"]),
    "another escape": ("# escape=`\nFROM host\nENV a=1 `\n b=2", ["2 FROM", "3 ENV"]),
    "a last line that promises more": ("FROM host\nCMD x \\", ["1 FROM", "2 CMD"]),
}


@pytest.mark.parametrize(("text", "expected"), FILES.values(), ids=FILES)
def test_instructions(text, expected):
    assert [f"{step.line} {step.name}" for step in parse(text)] == expected


def test_a_continued_value_is_one_line():
    assert parse("FROM host\nENV a=1 \\\n  b=2")[1].value == "a=1   b=2"


BAD = {
    "RUN, with its line": ("FROM host\n\nRUN make\n", "Dockerfile line 3: can't do RUN"),
    "HEALTHCHECK": ("FROM host\nHEALTHCHECK NONE", "line 2: can't do HEALTHCHECK"),
    "a word that is no instruction": ("FORM host", "line 1: can't do FORM"),
    "an instruction without arguments": ("FROM", "line 1: FROM requires at least one argument"),
    "an empty file": ("# nothing\n", "the file has no instruction"),
}


@pytest.mark.parametrize(("text", "why"), BAD.values(), ids=BAD)
def test_what_cannot_be_built(text, why):
    with pytest.raises(DockerfileError, match=why):
        parse(text)


COMMANDS = {
    "the shell form goes to the shell": ("node app.js", ("/bin/sh", "-c", "node app.js")),
    "the exec form as it stands": ('["node", "app.js"]', ("node", "app.js")),
    "what is no list of words is a shell command": ("[ -f x ]", ("/bin/sh", "-c", "[ -f x ]")),
}


@pytest.mark.parametrize(("value", "expected"), COMMANDS.values(), ids=COMMANDS)
def test_command(value, expected):
    assert command(Instruction(1, "CMD", value)) == expected


PAIRS = {
    "several": ("a=1 b=2", [("a", "1"), ("b", "2")]),
    "the old form takes the rest of the line": ("a one two", [("a", "one two")]),
    "double quotes keep spaces": ('a="one two" b=3', [("a", "one two"), ("b", "3")]),
    "a variable is replaced": ("a=$HOME/x", [("a", "/root/x")]),
    "not within single quotes": ("a='$HOME'", [("a", "$HOME")]),
    "nor behind a backslash": (r"a=\$HOME", [("a", "$HOME")]),
    "a space behind a backslash": (r"a=one\ two", [("a", "one two")]),
    "an equals sign in the value": ("a=b=c", [("a", "b=c")]),
}


@pytest.mark.parametrize(("value", "expected"), PAIRS.values(), ids=PAIRS)
def test_pairs(value, expected):
    assert pairs(Instruction(1, "ENV", value), {"HOME": "/root"}) == expected


BAD_PAIRS = {
    "a name without a value": ("a=1 b", "can't find = in 'b'"),
    "the old form without a value": ("a", "ENV must have two arguments"),
    "a quote that stays open": ('a="1', "a quote is not closed"),
}


@pytest.mark.parametrize(("value", "why"), BAD_PAIRS.values(), ids=BAD_PAIRS)
def test_what_are_no_pairs(value, why):
    with pytest.raises(DockerfileError, match=f"Dockerfile line 7: .*{why}"):
        pairs(Instruction(7, "ENV", value), {})


VARIABLES = {
    "plain": ("$a-${b}", "1-2"),
    "missing ones are empty": ("x${c}x", "xx"),
    "a default": ("${c:-three}${a:-three}", "three1"),
    "a default for what is empty": ("${empty:-full}${empty-full}", "full"),
    "instead": ("${a:+there}${c:+there}", "there"),
}


@pytest.mark.parametrize(("text", "expected"), VARIABLES.values(), ids=VARIABLES)
def test_expand(text, expected):
    assert expand(text, {"a": "1", "b": "2", "empty": ""}) == expected


PATHS = {
    "words": ("a b /c/", ["a", "b", "/c/"]),
    "a list for names with spaces": ('["a b", "/c"]', ["a b", "/c"]),
}


@pytest.mark.parametrize(("value", "expected"), PATHS.values(), ids=PATHS)
def test_paths(value, expected):
    assert paths(Instruction(1, "COPY", value), {}) == expected
