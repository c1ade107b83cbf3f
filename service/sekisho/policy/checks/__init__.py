"""What can be wrong with a policy, a noun a file. A check takes a Subject and yields a Flaw for each thing that it finds.

Names of issues are those of IAM Access Analyzer where it has one; the words are ours.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html
"""
