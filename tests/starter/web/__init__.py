"""What the web process answers over HTTP."""
