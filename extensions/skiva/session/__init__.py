"""What runs first in a session's job: it listens, proves its slice, reports, and becomes the server."""
