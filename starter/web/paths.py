"""Where things are, for whoever sends somebody there."""

# A browser comes back to it from the gateway's card page.
CARD_ENTERED = "/cards/entered"

# A web site that loads the script, as a visitor lands on it who has clicked on an advertisement.
SAMPLE_SITE = "/sample-site/?utm_source=google_ads"

# What the carrier asks when somebody calls, when the call is over, and for whoever picks up.
VOICE, VOICE_STATUS, WHISPER = "/voice", "/voice/status", "/voice/whisper"
