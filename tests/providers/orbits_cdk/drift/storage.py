"""Buckets and tables."""

import json
from typing import Any

from tests.providers.orbits_cdk.drift.world import Case, Hands, Scene

POLICY: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "tls",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": {"Fn::Join": ["", [{"Fn::GetAtt": ["Site", "Arn"]}, "/*"]]},
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ],
}
CLOSED = dict.fromkeys(("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True)


def versioning(bucket: str, status: str) -> Any:
    return lambda hands: hands.of("s3").put_bucket_versioning(
        Bucket=hands.ids[bucket], VersioningConfiguration={"Status": status}
    )


def tags(bucket: str, **values: str) -> Any:
    listed = [{"Key": key, "Value": value} for key, value in values.items()]
    return lambda hands: hands.of("s3").put_bucket_tagging(Bucket=hands.ids[bucket], Tagging={"TagSet": listed})


def public(bucket: str, **blocked: bool) -> Any:
    return lambda hands: hands.of("s3").put_public_access_block(
        Bucket=hands.ids[bucket], PublicAccessBlockConfiguration={**CLOSED, **blocked}
    )


def encryption(bucket: str, algorithm: str, **rule: Any) -> Any:
    rules = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}, **rule}]
    return lambda hands: hands.of("s3").put_bucket_encryption(
        Bucket=hands.ids[bucket], ServerSideEncryptionConfiguration={"Rules": rules}
    )


def owners(bucket: str, owner: str) -> Any:
    return lambda hands: hands.of("s3").put_bucket_ownership_controls(
        Bucket=hands.ids[bucket], OwnershipControls={"Rules": [{"ObjectOwnership": owner}]}
    )


def policy_as_it_is(hands: Hands) -> None:
    """The same policy in other words: a list for one value, another order, any principal as a star."""
    statement = {
        "Action": ["S3:putobject", "s3:GetObject"],
        "Condition": {"Bool": {"aws:SecureTransport": [False]}},
        "Effect": "Deny",
        "Principal": "*",
        "Resource": [f"arn:aws:s3:::{hands.ids['Site']}/*"],
        "Sid": "tls",
    }
    put_policy(hands, "Site", {"Statement": [statement], "Version": "2012-10-17"})


def policy_widened(hands: Hands) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{hands.ids['Site']}"}
    put_policy(hands, "Site", {"Version": "2012-10-17", "Statement": [statement]})


def put_policy(hands: Hands, bucket: str, policy: dict[str, Any]) -> None:
    hands.of("s3").put_bucket_policy(Bucket=hands.ids[bucket], Policy=json.dumps(policy))


def expiry_of_objects(hands: Hands) -> None:
    rule = {"Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 365}}
    hands.of("s3").put_bucket_lifecycle_configuration(
        Bucket=hands.ids["Site"], LifecycleConfiguration={"Rules": [rule]}
    )


def bucket_again(hands: Hands) -> None:
    """Deleted, and made again by hand: with the same name, and without what it was given."""
    hands.of("s3").delete_bucket(Bucket=hands.ids["Archive"])
    hands.of("s3").create_bucket(
        Bucket=hands.ids["Archive"], CreateBucketConfiguration={"LocationConstraint": hands.target.region}
    )


BUCKETS = Scene(
    name="buckets",
    template={
        "Resources": {
            "Site": {
                "Type": "AWS::S3::Bucket",
                "Properties": {
                    "VersioningConfiguration": {"Status": "Enabled"},
                    "Tags": [{"Key": "release", "Value": "1"}, {"Key": "team", "Value": "web"}],
                    "PublicAccessBlockConfiguration": {"BlockPublicAcls": True, "BlockPublicPolicy": True},
                    "LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "ExpirationInDays": 1}]},
                },
            },
            "Plain": {"Type": "AWS::S3::Bucket"},
            "Kept": {
                "Type": "AWS::S3::Bucket",
                "Properties": {
                    "BucketEncryption": {
                        "ServerSideEncryptionConfiguration": [
                            {"BucketKeyEnabled": True, "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
                        ]
                    },
                    "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]},
                    "Tags": [{"Key": "team", "Value": "web"}],
                },
            },
            "Archive": {
                "Type": "AWS::S3::Bucket",
                "Properties": {"VersioningConfiguration": {"Status": "Enabled"}},
            },
            "Spare": {"Type": "AWS::S3::Bucket"},
            "SitePolicy": {
                "Type": "AWS::S3::BucketPolicy",
                "Properties": {"Bucket": {"Ref": "Site"}, "PolicyDocument": POLICY},
            },
            "PlainPolicy": {
                "Type": "AWS::S3::BucketPolicy",
                "Properties": {
                    "Bucket": {"Ref": "Plain"},
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": {
                            "Effect": "Allow",
                            "Principal": {"AWS": {"Ref": "AWS::AccountId"}},
                            "Action": "s3:ListBucket",
                            "Resource": {"Fn::GetAtt": ["Plain", "Arn"]},
                        },
                    },
                },
            },
        }
    },
    calls={"AWS::S3::Bucket": 6, "AWS::S3::BucketPolicy": 1},
    cases=(
        Case("nothing", lambda _: None),
        Case("an object is put", lambda hands: hands.of("s3").put_object(Bucket=hands.ids["Kept"], Key="a", Body=b"")),
        Case("tags in another order", tags("Site", team="web", release="1", **{"orbits:project": "tests"})),
        Case("the default encryption is said", encryption("Plain", "AES256", BucketKeyEnabled=False)),
        Case("the default owner is said", owners("Plain", "BucketOwnerEnforced")),
        Case("all is closed, as by default", public("Plain")),
        Case("versioning suspended that never was on", versioning("Plain", "Suspended")),
        Case("the policy in other words", policy_as_it_is),
        Case("a tag's value", tags("Site", team="web", release="2"), ["Site Tags[release]"]),
        Case("a tag added", tags("Site", team="web", release="2", owner="me"), ["Site Tags[owner]"]),
        Case("a tag added where there are none", tags("Plain", by="hand"), ["Plain Tags[by]"]),
        Case("all tags removed", tags("Kept"), ["Kept Tags[team]"]),
        Case("versioning suspended", versioning("Site", "Suspended"), ["Site VersioningConfiguration.Status"]),
        Case("versioning enabled", versioning("Kept", "Enabled"), ["Kept VersioningConfiguration.Status"]),
        Case(
            "public access opened",
            public("Site", BlockPublicAcls=False, IgnorePublicAcls=False, RestrictPublicBuckets=False),
            ["Site PublicAccessBlockConfiguration.BlockPublicAcls"],
        ),
        Case(
            "public access opened where it was not spoken of",
            public("Kept", BlockPublicPolicy=False),
            ["Kept PublicAccessBlockConfiguration.BlockPublicPolicy"],
        ),
        Case(
            "another key for what is stored",
            encryption("Kept", "AES256", BucketKeyEnabled=True),
            ["Kept BucketEncryption.ServerSideEncryptionConfiguration[0].ServerSideEncryptionByDefault.SSEAlgorithm"],
        ),
        Case(
            "a key for what is stored where none was asked for",
            encryption("Plain", "aws:kms"),
            ["Plain BucketEncryption.ServerSideEncryptionConfiguration[0].ServerSideEncryptionByDefault.SSEAlgorithm"],
        ),
        Case(
            "another owner",
            owners("Kept", "ObjectWriter"),
            ["Kept OwnershipControls.Rules[0].ObjectOwnership"],
        ),
        Case("what expires, later", expiry_of_objects, ["Site LifecycleConfiguration.Rules[0].ExpirationInDays"]),
        Case("the policy widened", policy_widened, ["SitePolicy PolicyDocument"]),
        Case(
            "the policy removed",
            lambda hands: hands.of("s3").delete_bucket_policy(Bucket=hands.ids["Plain"]),
            ["PlainPolicy "],
        ),
        Case("a bucket made again", bucket_again, ["Archive VersioningConfiguration.Status"]),
        Case("a bucket deleted", lambda hands: hands.of("s3").delete_bucket(Bucket=hands.ids["Spare"]), ["Spare "]),
    ),
)


def update_table(table: str, **what: Any) -> Any:
    return lambda hands: hands.of("dynamodb").update_table(TableName=hands.ids[table], **what)


def expiry(table: str, *, enabled: bool) -> Any:
    return lambda hands: hands.of("dynamodb").update_time_to_live(
        TableName=hands.ids[table], TimeToLiveSpecification={"AttributeName": "gone", "Enabled": enabled}
    )


def recovery(table: str, *, enabled: bool) -> Any:
    return lambda hands: hands.of("dynamodb").update_continuous_backups(
        TableName=hands.ids[table], PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled}
    )


def tag_table(table: str, **values: str) -> Any:
    def change(hands: Hands) -> None:
        arn = f"arn:aws:dynamodb:{hands.target.region}:{hands.target.account}:table/{hands.ids[table]}"
        listed = [{"Key": key, "Value": value} for key, value in values.items()]
        hands.of("dynamodb").tag_resource(ResourceArn=arn, Tags=listed)

    return change


def table_again(hands: Hands) -> None:
    """Deleted, and made again by hand with another sort key."""
    dynamodb = hands.of("dynamodb")
    dynamodb.delete_table(TableName=hands.ids["Sessions"])
    dynamodb.create_table(
        TableName=hands.ids["Sessions"],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )


def _table(**more: Any) -> dict[str, Any]:
    properties = {
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    return {"Type": "AWS::DynamoDB::Table", "Properties": {**properties, **more}}


TABLES = Scene(
    name="tables",
    template={
        "Resources": {
            "Orders": _table(
                AttributeDefinitions=[
                    {"AttributeName": "id", "AttributeType": "S"},
                    {"AttributeName": "at", "AttributeType": "N"},
                ],
                KeySchema=[
                    {"AttributeName": "id", "KeyType": "HASH"},
                    {"AttributeName": "at", "KeyType": "RANGE"},
                ],
                TimeToLiveSpecification={"AttributeName": "gone", "Enabled": True},
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
                StreamSpecification={"StreamViewType": "NEW_IMAGE"},
                Tags=[{"Key": "team", "Value": "web"}],
            ),
            "Fixed": _table(
                BillingMode="PROVISIONED", ProvisionedThroughput={"ReadCapacityUnits": "2", "WriteCapacityUnits": 1}
            ),
            "Plain": _table(),
            "Sessions": _table(),
            "Spare": _table(),
        }
    },
    calls={"AWS::DynamoDB::Table": 4},
    cases=(
        Case("nothing", lambda _: None),
        Case(
            "an item is put",
            lambda hands: hands.of("dynamodb").put_item(TableName=hands.ids["Plain"], Item={"id": {"S": "a"}}),
        ),
        Case("the default protection is said", update_table("Plain", DeletionProtectionEnabled=False)),
        Case(
            "paid for as provisioned",
            update_table(
                "Orders",
                BillingMode="PROVISIONED",
                ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 2},
            ),
            [
                "Orders BillingMode",
                "Orders ProvisionedThroughput.ReadCapacityUnits",
                "Orders ProvisionedThroughput.WriteCapacityUnits",
            ],
        ),
        Case(
            "more capacity",
            update_table("Fixed", ProvisionedThroughput={"ReadCapacityUnits": 9, "WriteCapacityUnits": 1}),
            ["Fixed ProvisionedThroughput.ReadCapacityUnits"],
        ),
        Case("expiry off", expiry("Orders", enabled=False), ["Orders TimeToLiveSpecification.Enabled"]),
        Case(
            "expiry on",
            expiry("Plain", enabled=True),
            ["Plain TimeToLiveSpecification.AttributeName", "Plain TimeToLiveSpecification.Enabled"],
        ),
        Case(
            "backups off",
            recovery("Orders", enabled=False),
            ["Orders PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled"],
        ),
        Case(
            "backups on",
            recovery("Plain", enabled=True),
            ["Plain PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled"],
        ),
        Case(
            "the stream off",
            update_table("Orders", StreamSpecification={"StreamEnabled": False}),
            ["Orders StreamSpecification.StreamViewType"],
        ),
        Case(
            "protected from deletion",
            update_table("Plain", DeletionProtectionEnabled=True),
            ["Plain DeletionProtectionEnabled"],
        ),
        Case("a tag's value", tag_table("Orders", team="shop"), ["Orders Tags[team]"]),
        Case("a tag added", tag_table("Plain", by="hand"), ["Plain Tags[by]"]),
        Case(
            "an index added",
            update_table(
                "Fixed",
                AttributeDefinitions=[
                    {"AttributeName": "id", "AttributeType": "S"},
                    {"AttributeName": "who", "AttributeType": "S"},
                ],
                GlobalSecondaryIndexUpdates=[
                    {
                        "Create": {
                            "IndexName": "who",
                            "KeySchema": [{"AttributeName": "who", "KeyType": "HASH"}],
                            "Projection": {"ProjectionType": "ALL"},
                            "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
                        }
                    }
                ],
            ),
            ["Fixed AttributeDefinitions", "Fixed GlobalSecondaryIndexes[who]"],
        ),
        Case("made again with another key", table_again, ["Sessions AttributeDefinitions[0].AttributeType"]),
        Case(
            "a table deleted",
            lambda hands: hands.of("dynamodb").delete_table(TableName=hands.ids["Spare"]),
            ["Spare "],
        ),
    ),
)
