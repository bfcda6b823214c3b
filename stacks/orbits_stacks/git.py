"""GitRepository: a bare repository in a folder, made by the git command."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from orbits_iac import Managed, Options, Outputs
from orbits_iac.provider import Refused
from orbits_stacks.home import did, home


class RepositoryOutputs(Outputs):
    """Where it is, and the branch that a clone starts with."""

    url: str
    branch: str


class GitRepository(Managed[RepositoryOutputs]):
    """A bare repository that every client's service of this name is built from: whoever names it shares it."""

    options = Options(shared=True)
    name: str
    branch: str = "main"

    def identity(self) -> str:
        """The name."""
        return self.name

    def desired(self) -> Mapping[str, JsonValue]:
        """The branch; the name is the repository's identity."""
        return {"branch": self.branch}

    def read(self, recorded: RepositoryOutputs | None, /) -> RepositoryOutputs | None:
        """The repository, if there is one."""
        folder = self._folder()
        if not (folder / "HEAD").is_file():
            return None
        head = _git("symbolic-ref", "HEAD", folder=folder).removeprefix("refs/heads/")
        return RepositoryOutputs(url=folder.as_uri(), branch=head)

    def create(self) -> RepositoryOutputs:
        """Make it beside its place and move it there, so that a crash leaves all of it or nothing."""
        folder = self._folder()
        part = folder.with_name(f".{self.name}.{self.execution.token}")
        shutil.rmtree(part, ignore_errors=True)
        part.parent.mkdir(parents=True, exist_ok=True)
        _git("init", "--bare", "--quiet", "--initial-branch", self.branch, str(part))
        part.replace(folder)
        did(self.execution, "git", release="-", what=self.name)
        return RepositoryOutputs(url=folder.as_uri(), branch=self.branch)

    def change(self, live: RepositoryOutputs, /) -> RepositoryOutputs:
        """Let a clone start with the branch."""
        _git("symbolic-ref", "HEAD", f"refs/heads/{self.branch}", folder=self._folder())
        return live.model_copy(update={"branch": self.branch})

    def delete(self, live: RepositoryOutputs, /) -> None:
        """Delete it with its history."""
        shutil.rmtree(self._folder(), ignore_errors=True)

    def _folder(self) -> Path:
        return home() / "repositories" / f"{self.name}.git"


def is_bare(name: str) -> bool:
    """Whether there is a repository of this name that git itself takes for a bare one."""
    folder = home() / "repositories" / f"{name}.git"
    return folder.is_dir() and _git("rev-parse", "--is-bare-repository", folder=folder) == "true"


def _git(*arguments: str, folder: Path | None = None) -> str:
    """What git prints; `Refused` with what it complains of."""
    command = ["git", *(("--git-dir", str(folder)) if folder is not None else ()), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise Refused("the git command is not installed here: repositories are made with it") from error
    except subprocess.CalledProcessError as error:
        raise Refused(f"{' '.join(command)} failed: {error.stderr.strip()}") from error
    return done.stdout.strip()
