from knarr.app.history import diffs, documents, title


def item(revision, replicas, *, type_="put", **more):
    tree = {
        "kind": "Deployment",
        "metadata": {"name": "web", "resourceVersion": str(revision), "managedFields": [{"time": revision}]},
        "spec": {"replicas": replicas, "paused": False},
    }
    return {"type": type_, "resourceVersion": str(revision), "object": tree, **more}


WHO = {"manager": "kubectl", "user": "alice", "time": "2026-01-01T00:00:00.000000Z"}
ITEMS = [item(3, 1), item(5, 2, **WHO), item(6, 2), item(9, 2, type_="delete", **WHO)]


def test_the_first_revision_is_shown_whole_and_each_other_as_what_changed():
    assert "\n".join(diffs(ITEMS)).split("\n\n") == [
        "resourceVersion 3  unknown time  written by unknown\n"
        "    kind: Deployment\n    metadata:\n      name: web\n    spec:\n      replicas: 1\n      paused: false",
        "resourceVersion 5  2026-01-01T00:00:00.000000Z  written by kubectl (alice)\n"
        "  @@ -3,4 +3,4 @@\n     name: web\n   spec:\n  -  replicas: 1\n  +  replicas: 2\n     paused: false",
        "resourceVersion 6  unknown time  written by unknown\n  (nothing but what every write changes)",
        "resourceVersion 9  2026-01-01T00:00:00.000000Z  deleted by kubectl (alice)\n"
        "  @@ -1,6 +0,0 @@\n  -kind: Deployment\n  -metadata:\n  -  name: web\n  -spec:\n  -  replicas: 2\n"
        "  -  paused: false\n",
    ]


def test_yaml_is_a_document_for_each_revision_under_who_wrote_it():
    first, *_ = documents(ITEMS)
    assert first.startswith(f"---\n# {title(ITEMS[0])}\nkind: Deployment\n")
