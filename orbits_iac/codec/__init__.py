"""Values of users as JSON text and back: by their declared types, with secrets encrypted.

    codec     encoding, decoding, digests
    direct    which types need nothing of ours on the way
    many      a model's dictionaries of many values, one by one
    plain     values as JSON's own types, secrets sealed, for all others
    masks     secrets that became known, and how they look in texts

    keys      the data key that secrets are encrypted with, and the secret key that opens it
    key_file  the secret key of a local store
    rotation  changing it

Stores never see what is here: they are handed the texts, and keep the data key encrypted. Nothing here knows steps or
executions.
"""

from orbits_iac.codec.codec import Codec
from orbits_iac.codec.keys import open_codec
from orbits_iac.codec.many import is_kept
from orbits_iac.model.errors import explain

__all__ = ["Codec", "explain", "is_kept", "open_codec"]
