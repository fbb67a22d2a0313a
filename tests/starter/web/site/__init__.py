"""The product's pages, read as a browser reads them, and their forms sent as one sends them."""
