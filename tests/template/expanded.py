"""Prints the template as JSON, with its loop unrolled and its conditions as by default (none holds).

For checkers that know neither Fn::ForEach nor YAML's merges, and take an Fn::If for a missing value.
"""

import json
import sys

from tests.template import cloudformation

template = cloudformation.load()
template["Resources"] = cloudformation.resources(template)
template["Transform"] = "AWS::Serverless-2016-10-31"
json.dump(cloudformation.resolved(template, holds=False), sys.stdout, indent=1)
