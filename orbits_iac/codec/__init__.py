"""Values of users as JSON text and back: by their declared types, with secrets encrypted.

    codec    encoding, decoding, digests
    direct   which types need nothing of ours on the way
    plain    values as JSON's own types, secrets sealed, for all others
    masks    secrets that became known, and how they look in texts

Stores never see what is here: they are handed the texts. Nothing here knows steps, records or executions.
"""

from orbits_iac.codec.codec import Codec, explain
from orbits_iac.codec.keys import secret_key

__all__ = ["Codec", "explain", "secret_key"]
