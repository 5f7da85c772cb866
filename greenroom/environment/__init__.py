"""The app's environment variables: the registry, and whatever sets them.

registry.py   what `manage.py describe_environment` says
finding.py    is there one already?
code.py       variables that the app's code reads beside the registry
settings.py   what compose, the task definition, buildspecs and Terraform set
hcl.py        Terraform's text without its comments
documents.py  docs/environment.md and .env.example
checking.py   all of these against the registry
values.py     a file of values: .env.staging
parameters.py what SSM holds
comparing.py  a file of values against SSM
pushing.py    writing what differs
"""
