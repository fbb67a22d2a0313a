"""The product's web process: what browsers, gateways and programs reach over HTTP."""
