"""What a source needs beyond the core is imported when it is read, and not before."""

import subprocess
import sys

CODE = """
import sys
from orbits_tenants import HttpSource, MongoSource
HttpSource("https://crm.example/clients")
MongoSource("mongodb://crm.example", database="crm", collection="customers")
print(*{"boto3", "bson", "pymongo", "urllib3"} & set(sys.modules))
"""


def test_drivers_are_imported_late() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], text=True, capture_output=True, check=True)
    assert done.stdout.split() == []
