from packager.deploy import changes
from packager.deploy.changes import Change, Detail, from_change_set, from_templates, kind_of

RECORDED = [
    {
        "Type": "Resource",
        "ResourceChange": {
            "Action": "Modify",
            "LogicalResourceId": "ApiFunction",
            "PhysicalResourceId": "shop-dev-api",
            "ResourceType": "AWS::Lambda::Function",
            "Replacement": "False",
            "Scope": ["Properties"],
            "Details": [
                {
                    "Target": {
                        "Attribute": "Properties",
                        "Name": "MemorySize",
                        "RequiresRecreation": "Never",
                        "Path": "/Properties/MemorySize",
                        "BeforeValue": "512",
                        "AfterValue": "1024",
                        "AttributeChangeType": "Modify",
                    },
                    "Evaluation": "Static",
                    "ChangeSource": "DirectModification",
                },
                {
                    "Target": {
                        "Attribute": "Properties",
                        "Name": "Environment",
                        "RequiresRecreation": "Never",
                        "Path": "/Properties/Environment/Variables/PACKAGER_ORIGIN_KEY",
                        "BeforeValue": "****",
                        "AfterValue": "****",
                    },
                    "Evaluation": "Dynamic",
                    "ChangeSource": "ParameterReference",
                    "CausingEntity": "OriginKey",
                },
            ],
        },
    },
    {
        "Type": "Resource",
        "ResourceChange": {
            "Action": "Add",
            "LogicalResourceId": "ApiVersion2",
            "ResourceType": "AWS::Lambda::Version",
            "Scope": [],
            "Details": [],
        },
    },
    {
        "Type": "Resource",
        "ResourceChange": {
            "PolicyAction": "Retain",
            "Action": "Remove",
            "LogicalResourceId": "ApiVersion1",
            "PhysicalResourceId": "arn:aws:lambda:eu-west-1:123456789012:function:shop-dev-api:1",
            "ResourceType": "AWS::Lambda::Version",
            "Scope": [],
            "Details": [],
        },
    },
    {
        "Type": "Resource",
        "ResourceChange": {
            "PolicyAction": "ReplaceAndDelete",
            "Action": "Modify",
            "LogicalResourceId": "Logs",
            "PhysicalResourceId": "/aws/lambda/shop-dev-api",
            "ResourceType": "AWS::Logs::LogGroup",
            "Replacement": "True",
            "Details": [
                {
                    "Target": {
                        "Attribute": "Properties",
                        "Name": "LogGroupName",
                        "RequiresRecreation": "Always",
                    },
                    "Evaluation": "Static",
                    "ChangeSource": "DirectModification",
                }
            ],
        },
    },
    {
        "Type": "Resource",
        "ResourceChange": {
            "Action": "Modify",
            "LogicalResourceId": "ApiIntegration",
            "PhysicalResourceId": "abc123",
            "ResourceType": "AWS::ApiGatewayV2::Integration",
            "Replacement": "Conditional",
            "Details": [
                {
                    "Target": {"Attribute": "Properties", "Name": "ApiId", "RequiresRecreation": "Always"},
                    "Evaluation": "Dynamic",
                    "ChangeSource": "ResourceReference",
                    "CausingEntity": "Api",
                }
            ],
        },
    },
    {
        "Type": "Resource",
        "ResourceChange": {
            "Action": "Modify",
            "LogicalResourceId": "Functions1",
            "PhysicalResourceId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/nested/1",
            "ResourceType": "AWS::CloudFormation::Stack",
            "Replacement": "False",
            "ChangeSetId": "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/nested/1",
        },
    },
    {"Type": "Hook"},
]
"""What DescribeChangeSet gives, with IncludePropertyValues."""


def test_changes_are_read_with_the_values_that_cloudformation_gives():
    function, added, removed, replaced, integration = from_change_set(RECORDED)
    assert function == Change(
        "changed",
        "ApiFunction",
        "AWS::Lambda::Function",
        "shop-dev-api",
        details=(
            Detail("MemorySize", "512", "1024"),
            Detail("Environment.Variables.PACKAGER_ORIGIN_KEY", "****", "****", cause="OriginKey"),
        ),
    )
    assert (added.action, added.physical_id) == ("added", None)
    assert (removed.action, removed.is_kept) == ("removed", True)
    assert (replaced.action, replaced.is_kept) == ("replaced", False)
    assert replaced.details == (Detail("LogGroupName", recreation="always"),)
    assert (integration.action, integration.may_be_replaced) == ("changed", True)


def test_a_nested_stack_is_read_from_its_own_change_set():
    assert changes.nested(RECORDED) == {
        "Functions1/": "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/nested/1"
    }
    assert [row.logical_id for row in from_change_set(RECORDED[1:2], "Functions1/")] == [
        "Functions1/ApiVersion2"
    ]


def test_a_property_that_is_named_for_several_causes_is_told_once_by_the_sure_one():
    target = {"Attribute": "Properties", "Name": "Role", "RequiresRecreation": "Never"}
    row = {
        "ResourceChange": {
            "Action": "Modify",
            "LogicalResourceId": "F",
            "ResourceType": "AWS::Lambda::Function",
            "Details": [
                {"Target": target, "Evaluation": "Dynamic", "CausingEntity": "Role.Arn"},
                {"Target": {**target, "BeforeValue": "a", "AfterValue": "b"}, "Evaluation": "Static"},
            ],
        }
    }
    (change,) = from_change_set([row])
    assert change.details == (Detail("Role", "a", "b"),)


def test_rights_and_routes_are_told_apart_from_the_rest():
    assert kind_of("AWS::IAM::Role") == kind_of("AWS::Lambda::Permission") == "iam"
    assert kind_of("AWS::ApiGatewayV2::Route") == kind_of("AWS::CloudFront::Distribution") == "route"
    assert kind_of("AWS::Lambda::Function") == kind_of("AWS::CloudFront::CachePolicy") == "other"


def test_everything_in_the_template_of_a_new_stack_is_added():
    template = {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": {"Path": "/"}}}}
    assert list(from_templates({}, template)) == [Change("added", "Role", "AWS::IAM::Role", kind="iam")]


def test_templates_are_compared_by_their_properties():
    before = {
        "Resources": {
            "Same": {"Type": "AWS::SNS::Topic"},
            "Other": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "a"}},
            "Gone": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"},
            "Swapped": {"Type": "AWS::S3::Bucket"},
        }
    }
    after = {
        "Resources": {
            "Same": {"Type": "AWS::SNS::Topic"},
            "Other": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "b"}},
            "Swapped": {"Type": "AWS::SNS::Topic"},
        }
    }
    other, swapped, gone = from_templates(before, after)
    assert (other.action, other.may_be_replaced, other.details) == (
        "changed",
        True,
        (Detail("DisplayName", recreation="maybe"),),
    )
    assert swapped.action == "replaced"
    assert (gone.action, gone.is_kept) == ("removed", True)
