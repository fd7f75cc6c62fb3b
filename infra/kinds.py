"""What each kind of resource is there for, for people who read what was made."""

_WHY = {
    "AWS::ApiGatewayV2::Api": "the HTTP API in front of the functions",
    "AWS::ApiGatewayV2::ApiMapping": "the domain leads to the API",
    "AWS::ApiGatewayV2::DomainName": "the API's own domain",
    "AWS::ApiGatewayV2::Integration": "one for each function behind the API",
    "AWS::ApiGatewayV2::Route": "which URLs go to which function",
    "AWS::ApiGatewayV2::Stage": "deployment, throttling and access log of the API",
    "AWS::CloudFormation::Stack": "groups of functions, as one stack holds 500 resources",
    "AWS::CloudFront::CachePolicy": "one for each revalidate",
    "AWS::CloudFront::Distribution": "the URL of the site",
    "AWS::CloudFront::Function": "what the viewer asked for, told to the functions",
    "AWS::CloudFront::OriginRequestPolicy": "what of a request reaches the functions",
    "AWS::CloudFront::ResponseHeadersPolicy": "security headers on every answer",
    "AWS::CloudWatch::Alarm": "errors, throttles, slow and failed answers",
    "AWS::CloudWatch::Dashboard": "all functions at a glance",
    "AWS::CodeDeploy::Application": "gradual roll-out of new versions",
    "AWS::CodeDeploy::DeploymentConfig": "how fast a new version is rolled out",
    "AWS::CodeDeploy::DeploymentGroup": "one for each function: its alias is moved step by step",
    "AWS::IAM::Role": "one for each function, with what it needs and no more",
    "AWS::KMS::Key": "encrypts the alarms' messages; CloudWatch cannot use AWS's own key",
    "AWS::Lambda::Alias": "`live`, which requests go to",
    "AWS::Lambda::Function": "one for each artifact",
    "AWS::Lambda::Permission": "the API may call the function",
    "AWS::Lambda::Version": "what a roll-back goes back to",
    "AWS::Lambda::WebFunction": "edge routes as an HTTP server",
    "AWS::Lambda::WebFunctionEndpoint": "where a web function is reached",
    "AWS::Lambda::WebFunctionRevision": "what a roll-back of a web function goes back to",
    "AWS::Logs::LogGroup": "kept as long as the stage says",
    "AWS::Route53::RecordSet": "the domain's record",
    "AWS::S3::Bucket": "access logs of the distribution",
    "AWS::S3::BucketPolicy": "access logs travel encrypted",
    "AWS::SNS::Subscription": "mails the alarms",
    "AWS::SNS::Topic": "where alarms are told",
    "AWS::SNS::TopicPolicy": "only alarms of this account may tell, and only encrypted",
    "AWS::WAFv2::WebACL": "AWS's managed rules and a limit of requests",
}


def why(type_: str) -> str:
    """What resources of a CloudFormation type are there for; empty for types that the stacks do not use."""
    return _WHY.get(type_, "")
