"""Writes the CloudFormation template that AWS makes of a SAM template, so that cfn-lint and checkov can read it.

    python template/transform.py template.yaml > transformed.json

Needs the packages of the SAM CLI. DefinitionUri and CodeUri are pointed at a bucket first, as `sam package` does.
"""

import json
import os
import sys

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from samtranslator.parser.parser import Parser  # noqa: E402 (reads the Region when it is imported)
from samtranslator.translator.translator import Translator  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402

BUCKET = "s3://a-bucket/a-key"


def main(path):
    with open(path, encoding="utf-8") as f:
        template = yaml_parse(f.read())
    for resource in template["Resources"].values():
        for name in ("CodeUri", "DefinitionUri"):
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = BUCKET
    # The template names no managed policy, so there is none to look up in the account.
    transformed = Translator({}, Parser()).translate(template, {})
    transformed.pop("Transform", None)
    json.dump(transformed, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
