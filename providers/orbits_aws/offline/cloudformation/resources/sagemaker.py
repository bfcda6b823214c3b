"""Amazon SageMaker: models, endpoints and notebooks."""

from .contract import Properties, Site
from .mapped import Mapped


class Model(Mapped):
    """AWS::SageMaker::Model. Any change but of its tags is a new one."""

    type = "AWS::SageMaker::Model"
    service = "sagemaker"
    creating, deleting, reading = "CreateModel", "DeleteModel", "DescribeModel"
    made_at = "ModelArn"
    named_by = "ModelName"
    attributes = {"ModelName": "ModelName"}
    longest = 63
    keys = {"ModelName": "{tail}"}
    tag_target = "{id}"


class EndpointConfig(Mapped):
    """AWS::SageMaker::EndpointConfig. Any change but of its tags is a new one."""

    type = "AWS::SageMaker::EndpointConfig"
    service = "sagemaker"
    creating, deleting, reading = "CreateEndpointConfig", "DeleteEndpointConfig", "DescribeEndpointConfig"
    made_at = "EndpointConfigArn"
    named_by = "EndpointConfigName"
    attributes = {"EndpointConfigName": "EndpointConfigName"}
    longest = 63
    keys = {"EndpointConfigName": "{tail}"}
    tag_target = "{id}"


class Endpoint(Mapped):
    """AWS::SageMaker::Endpoint."""

    type = "AWS::SageMaker::Endpoint"
    service = "sagemaker"
    creating, changing, deleting, reading = "CreateEndpoint", ("UpdateEndpoint",), "DeleteEndpoint", "DescribeEndpoint"
    made_at = "EndpointArn"
    named_by = "EndpointName"
    attributes = {"EndpointName": "EndpointName"}
    longest = 63
    keys = {"EndpointName": "{tail}"}
    tag_target = "{id}"
    unread = frozenset({"DeploymentConfig"})


class NotebookInstance(Mapped):
    """AWS::SageMaker::NotebookInstance. One is stopped before it is changed or removed."""

    type = "AWS::SageMaker::NotebookInstance"
    service = "sagemaker"
    creating, deleting, reading = "CreateNotebookInstance", "DeleteNotebookInstance", "DescribeNotebookInstance"
    made_at = "NotebookInstanceArn"
    named_by = "NotebookInstanceName"
    attributes = {"NotebookInstanceName": "NotebookInstanceName"}
    longest = 63
    keys = {"NotebookInstanceName": "{tail}"}
    tag_target = "{id}"
    unread = frozenset({"LifecycleConfigName", "SecurityGroupIds"})

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Stop it, then remove it."""
        key = self.key(site, self.deleting, physical_id, properties)
        site.client("sagemaker").stop_notebook_instance(**key)
        super().delete(site, physical_id, properties)


class NotebookInstanceLifecycleConfig(Mapped):
    """AWS::SageMaker::NotebookInstanceLifecycleConfig."""

    type = "AWS::SageMaker::NotebookInstanceLifecycleConfig"
    service = "sagemaker"
    creating, deleting = "CreateNotebookInstanceLifecycleConfig", "DeleteNotebookInstanceLifecycleConfig"
    reading = "DescribeNotebookInstanceLifecycleConfig"
    made_at = "NotebookInstanceLifecycleConfigArn"
    named_by = "NotebookInstanceLifecycleConfigName"
    attributes = {"NotebookInstanceLifecycleConfigName": "NotebookInstanceLifecycleConfigName"}
    longest = 63
    keys = {"NotebookInstanceLifecycleConfigName": "{tail}"}
    tag_target = "{id}"
    ignored = frozenset({"Tags"})


HANDLERS = (Endpoint(), EndpointConfig(), Model(), NotebookInstance(), NotebookInstanceLifecycleConfig())
