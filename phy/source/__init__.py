"""Source codecs: pictures and text to bytes and back."""
