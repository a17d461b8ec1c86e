"""One folder per provider, the contract that they follow and the registry that finds them."""
