"""Where the product's pages are."""

# Longer addresses are not ours.
LONGEST = 300

HOME = "/"
LOG_IN = "/log-in"
LOG_OUT = "/log-out"
# What mails link to, since before there were pages.
OF_ACCOUNT = "/accounts/{account_id}/pause"

ACTIVITY = "/activity"
REPORTS = "/reports"
TRACKERS = "/trackers"
NEW_TRACKER = "/trackers/new"
DISABLE_TRACKERS = "/trackers/disable"

BILLING = "/settings/billing"
CANCEL = "/settings/cancel"
PAUSE = "/settings/pause"
CLOSE = "/settings/close"

STATUS = "/status"
RESUME = "/status/resume"
RESUME_DATE = "/status/date"
REOPEN = "/reopen"

ENTER_CARD = "/card"
CARD_ENTERED = "/card/entered"
PROGRESS = "/progress"

# Forms are sent there from other pages; they show nothing themselves.
WITHOUT_PAGE = frozenset({HOME, LOG_OUT, RESUME_DATE, ENTER_CARD})
