"""OpenID Connect as a relying party: the keys of providers, where they are fetched, and the tokens that they verify."""
