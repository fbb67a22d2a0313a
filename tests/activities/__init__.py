"""The steps, on fakes that are held to the systems' own contracts."""
