"""Pictures, captions and vectors to send: bundled, from folders, downloaded."""
