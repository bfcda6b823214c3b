"""A record is found by each name that its kind has had, by commands that import no code."""

import json

import pytest

from .conftest import Project

CODE = """
from orbits_iac import Options, Resource

class {kind}(Resource):
    options = Options({options})
    name: str
    size: int

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        pass
"""


@pytest.mark.parametrize("name", ["Web", "Site"])
def test_a_record_is_found_by_the_new_and_the_old_name_of_its_kind(project: Project, name: str) -> None:
    file = project.folder / "renamed.py"
    file.write_text(CODE.format(kind="Web", options=""))
    project.run("up", "renamed.py:Web", "name=before", "size=1", "--yes")
    file.write_text(CODE.format(kind="Site", options="former_kinds=['Web']"))
    project.run("up", "renamed.py:Site", "name=before", "size=2", "--yes")
    project.run("up", "renamed.py:Site", "name=since", "size=1", "--yes")
    file.unlink()
    for identity, kind, numbers in (("before", "Web", [1, 2]), ("since", "Site", [1])):
        found = json.loads(project.run("get", name, identity, "--json"))
        history = json.loads(project.run("history", name, identity, "--json"))
        assert (found["kind"], found["revision"]) == (kind, numbers[-1])
        assert [row["number"] for row in history["revisions"]] == numbers
