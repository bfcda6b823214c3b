"""AWS Certificate Manager: certificates, which are issued at once."""

from .contract import Properties
from .mapped import Mapped


class Certificate(Mapped):
    """AWS::CertificateManager::Certificate."""

    type = "AWS::CertificateManager::Certificate"
    listing = ("acm", "list_certificates", "CertificateSummaryList[].CertificateArn")
    service = "acm"
    creating, deleting, reading = "RequestCertificate", "DeleteCertificate", "DescribeCertificate"
    made_at, found_at = "CertificateArn", "Certificate"
    keys = {"CertificateArn": "{id}"}
    attributes = {"Id": "{id}"}
    tag_target = "{id}"
    ignored = frozenset({"CertificateTransparencyLoggingPreference", "DomainValidationOptions"})
    unread = frozenset({"SubjectAlternativeNames", "ValidationMethod"})

    def arguments(self, operation: str, properties: Properties) -> dict[str, object]:
        """The properties; who validates by default is the service's."""
        return {"ValidationMethod": "EMAIL", **super().arguments(operation, properties)}


HANDLERS = (Certificate(),)
