"""`orbits state rotate-key`, and what works without the key."""

from cryptography.fernet import Fernet

from .conftest import Project


def test_a_key_in_the_file_is_changed_and_nothing_is_done_again(project: Project) -> None:
    project.open_gate()
    shop = ("up", "shop", "client=acme", "release=8", "token=@env:TOKEN")
    project.run(*shop, TOKEN="s3cret")
    calls, file = project.calls(), project.folder / ".orbits" / "secret.key"
    before = file.read_text()
    said = project.run("state", "rotate-key")
    assert said == f"{file} holds a new key; the old one opens nothing any more. Keep a copy of it elsewhere.\n"
    assert file.read_text() != before
    assert "nothing changed" in project.run(*shop, TOKEN="s3cret")
    assert project.calls() == calls


def test_a_key_is_taken_from_the_environment_and_never_from_the_command_line(project: Project) -> None:
    project.open_gate()
    first, second = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    shop = ("up", "shop", "client=acme", "release=8", "token=@env:TOKEN")
    project.run(*shop, TOKEN="s3cret", ORBITS_SECRET_KEY=first)
    said = project.run("state", "rotate-key", ORBITS_SECRET_KEY=first, ORBITS_NEW_SECRET_KEY=second)
    assert said.startswith("Only the key of ORBITS_NEW_SECRET_KEY opens the store from now on")
    assert "No such option" in project.run("state", "rotate-key", "--key", second, code=2)
    assert "nothing changed" in project.run(*shop, TOKEN="s3cret", ORBITS_SECRET_KEY=second)


def test_without_the_key_nothing_is_run_and_everything_is_shown(project: Project) -> None:
    project.open_gate()
    project.run("up", "shop", "client=acme", "release=8", "token=@env:TOKEN", TOKEN="s3cret")
    (project.folder / ".orbits" / "secret.key").unlink()
    said = project.run("up", "shop", "client=acme", "release=9", code=2)
    assert "nothing can be run on sqlite:" in said
    assert "Rows with secrets: " in said
    assert "revision" in said
    project.run("get")
    for command in (("get", "Shop", "acme"), ("history", "Shop", "acme"), ("get", "Shop", "acme", "--json")):
        assert "********" in project.run(*command)
    assert not (project.folder / ".orbits" / "secret.key").exists()
