"""The offline AWS as one object: the gateway, CloudFormation and the administration put together.

`Cloud` is a WSGI application; `Server` makes it listen, `OfflineAws` gives it a Python face.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import moto_state
from .access import Access
from .admin import Admin
from .cloudformation import CloudFormation, CloudFormationPast
from .gateway import Gateway
from .organizations import Organizations
from .regions import Regions
from .settings import Settings
from .tagging import Tagging
from .wire import Environ, StartResponse


@dataclass
class Cloud:
    """One offline AWS. moto's state is the process's, so only one may be in use at a time."""

    endpoint_url: str = "http://localhost"
    state_file: Path | None = None
    """Where it saves its state if it is asked to without a path."""

    def __post_init__(self) -> None:
        """Connect the parts."""
        self.settings = Settings()
        self.regions = Regions(lambda: self.settings)
        self.access = Access(lambda: self.settings, self.regions.is_off)
        self.gateway = Gateway(self.access)
        self.gateway.services["account"] = partial(self.regions.carry_out, self.gateway.moto)
        self.cloudformation = self._new_cloudformation()
        self.gateway.past.keepers["cloudformation"] = CloudFormationPast(self.cloudformation, self._new_cloudformation)
        self.gateway.services["cloudformation"] = self.cloudformation.api
        self.gateway.services["cloudcontrol"] = self.cloudformation.cloud_control
        self.organizations = Organizations(self.gateway.moto, lambda: self.settings, self.access.new_account)
        self.gateway.services["organizations"] = self.organizations
        self.gateway.services["resourcegroupstaggingapi"] = Tagging(self.gateway.moto, self.cloudformation.world.stacks)
        self._admin = Admin(self)

    def _new_cloudformation(self) -> CloudFormation:
        return CloudFormation(self.gateway, lambda: self.endpoint_url)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one HTTP request: the administration under `/_offline/`, AWS everywhere else."""
        if environ.get("PATH_INFO", "").startswith("/_offline"):
            return self._admin(environ, start_response)
        return self.gateway(environ, start_response)

    def configure(self, settings: Settings) -> None:
        """Put settings in force, for operations that begin from now on."""
        self.settings = settings
        self.cloudformation.polls = settings.polls

    def reset(self) -> None:
        """Forget everything: resources, accounts, stacks, faults, calls, settings."""
        with self.gateway.gate.alone():
            self._reset()

    def _reset(self) -> None:
        moto_state.reset()
        self.gateway.callers.clear()
        self.access.restore({})
        self.regions.restore({})
        self.organizations.clear()
        self.gateway.faults.clear()
        self.gateway.past.clear()
        self.gateway.calls.clear()
        self.cloudformation.clear()
        self.configure(Settings())
