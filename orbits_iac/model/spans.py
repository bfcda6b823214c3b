"""Spans of time, said for people. Pure."""


def ago(seconds: float) -> str:
    """How long ago, for people: just now, 4 min ago, 3 h ago, 2 days ago."""
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min ago"
    if seconds < 2 * 86400:
        return f"{seconds // 3600:.0f} h ago"
    return f"{seconds // 86400:.0f} days ago"
