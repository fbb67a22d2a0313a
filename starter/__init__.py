"""The client side: the typed client, the command line and the local stack."""
