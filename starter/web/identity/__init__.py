"""Who is asking: cookies, API keys, log-ins and what keeps other web sites out. Pages and API."""
