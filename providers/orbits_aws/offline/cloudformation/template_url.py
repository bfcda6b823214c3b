"""Reading a template from the offline S3, by the URL that was handed over."""

from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from botocore.exceptions import ClientError

from .clients import Clients
from .errors import ValidationError
from .place import Place
from .template import MAX_OBJECT_BYTES


def object_reader(clients: Clients) -> Callable[[Place, str], str]:
    """A reader of templates from the offline S3, by the URL that was handed over."""

    def read(place: Place, url: str) -> str:
        parts = urlsplit(url)
        host, path = parts.hostname or "", unquote(parts.path).lstrip("/")
        if ".s3" in host and not host.startswith("s3"):
            bucket, key = host.partition(".s3")[0], path
        else:
            bucket, _, key = path.partition("/")
        try:
            with clients.acting_in(place.account):
                answer = clients.client("s3", place.region).get_object(Bucket=bucket, Key=key)
                content: bytes = answer["Body"].read()
        except ClientError as failure:
            raise ValidationError(f"S3 error: {failure.response.get('Error', {}).get('Message')} ({url})") from failure
        if len(content) > MAX_OBJECT_BYTES:
            raise ValidationError(f"Template size of {len(content)} bytes exceeds the limit of {MAX_OBJECT_BYTES}")
        return content.decode()

    return read
