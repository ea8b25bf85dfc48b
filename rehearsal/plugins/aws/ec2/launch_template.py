"""The emulated launch template: what changes in it is a new version.

From the provider's source. Refuses to start anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.cloud.session import pairs
from rehearsal.plugins.aws.calls import arn_of, find, named, spelled, tags_shown
from rehearsal.plugins.aws.ec2.deletion import deleter
from rehearsal.plugins.aws.ec2.tags import retag, tagged
from rehearsal.plugins.aws.table import COMPUTED, COMPUTED_REPLACES, GIVEN, OUTPUT, Type, block, list_of, set_of

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws


def _data(inputs: Props) -> dict[str, Any]:
    names = {"vpcSecurityGroupIds": "SecurityGroupIds"}
    aside = {"name", "namePrefix", "description", "updateDefaultVersion", "defaultVersion", "tags", "tagsAll", "region"}
    data = {
        names.get(name, name[0].upper() + name[1:]): _value(value)
        for name, value in inputs.items()
        if name not in aside
    }
    for one in data.get("TagSpecifications", []):
        one["Tags"] = pairs(one["Tags"])
    return data


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return [_value(part) for part in value]
    if isinstance(value, dict) and "tags" in value:
        return {"ResourceType": value["resourceType"], "Tags": value["tags"]}
    if isinstance(value, dict):
        return {name[0].upper() + name[1:]: _value(part) for name, part in value.items()}
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _create(aws: Aws, inputs: Props) -> str:
    return aws.ask(
        "ec2",
        "create_launch_template",
        LaunchTemplateName=named(inputs),
        LaunchTemplateData=_data(inputs),
        **spelled(inputs, {"description": "VersionDescription"}),
        **tagged("launch-template", inputs),
    )["LaunchTemplate"]["LaunchTemplateId"]


def _update(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    flags = {"tags", "tagsAll", "updateDefaultVersion", "defaultVersion"}
    if changed - flags:
        version = aws.ask(
            "ec2",
            "create_launch_template_version",
            LaunchTemplateId=made,
            LaunchTemplateData=_data(new),
            **spelled(new, {"description": "VersionDescription"}),
        )["LaunchTemplateVersion"]["VersionNumber"]
        if new.get("updateDefaultVersion"):
            aws.ask("ec2", "modify_launch_template", LaunchTemplateId=made, DefaultVersion=str(version))
    retag(aws, made, old, new)


def _read(aws: Aws, made: str, known: Props) -> Props | None:
    template = find(
        aws,
        ("InvalidLaunchTemplateId.NotFound",),
        "ec2",
        "describe_launch_templates",
        "LaunchTemplates",
        LaunchTemplateIds=[made],
    )
    if template is None:
        return None
    return {
        **known,
        "arn": arn_of(aws, "ec2", "launch-template", made),
        "name": template["LaunchTemplateName"],
        "namePrefix": known.get("namePrefix", ""),
        "latestVersion": template["LatestVersionNumber"],
        "defaultVersion": template["DefaultVersionNumber"],
        **tags_shown(aws, template, known),
    }


TYPE = Type(
    "aws:ec2/launchTemplate:LaunchTemplate",
    "EC2 Launch Template",
    {
        "blockDeviceMappings": list_of(
            {
                "deviceName": GIVEN,
                "ebs": block(
                    {
                        "deleteOnTermination": GIVEN,
                        "encrypted": GIVEN,
                        "iops": COMPUTED,
                        "kmsKeyId": GIVEN,
                        "throughput": COMPUTED,
                        "volumeSize": COMPUTED,
                        "volumeType": COMPUTED,
                    }
                ),
            }
        ),
        "defaultVersion": COMPUTED,
        "description": GIVEN,
        "ebsOptimized": GIVEN,
        "imageId": GIVEN,
        "instanceType": GIVEN,
        "keyName": GIVEN,
        "metadataOptions": block(
            {
                "httpEndpoint": COMPUTED,
                "httpProtocolIpv6": COMPUTED,
                "httpPutResponseHopLimit": COMPUTED,
                "httpTokens": COMPUTED,
                "instanceMetadataTags": COMPUTED,
            },
            computed=True,
        ),
        "monitoring": block({"enabled": GIVEN}),
        "name": COMPUTED_REPLACES,
        "namePrefix": COMPUTED_REPLACES,
        "tagSpecifications": list_of({"resourceType": GIVEN, "tags": GIVEN}),
        "tags": GIVEN,
        "updateDefaultVersion": GIVEN,
        "userData": GIVEN,
        "vpcSecurityGroupIds": set_of(),
        "arn": OUTPUT,
        "latestVersion": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=deleter("delete_launch_template", "LaunchTemplateId", "InvalidLaunchTemplateId.NotFound"),
    named="name",
    longest=125,
    moved=("latestVersion", "defaultVersion"),
)
