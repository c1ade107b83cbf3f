"""AWS's Resource Groups Tagging API, over registered resources and entities of IAM."""
